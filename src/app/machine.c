#include "app/machine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { MOST_FILES = 65536, FREE_RUN = 1024 };

#define NOT_THERE "<NA>"

const char *machine_version(void)
{
	static char text[96];
	const char *day = RELEASE_DATE; /* 2026-11-23 */

	/* go-zookeeper reads month, day and year in this order, everyone else the version alone. */
	if (!text[0])
		snprintf(text, sizeof(text), "3.9.5-zoolite-%s, built on %.2s/%.2s/%.4s 00:00 UTC",
			 PACKAGE_VERSION, day + 5, day + 8, day);
	return text;
}

uint64_t machine_open_files(void)
{
	uint64_t count = 0;
	struct rlimit limit;
	int most = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < MOST_FILES
			   ? (int)limit.rlim_cur
			   : MOST_FILES;
	int misses = 0;

	/* Descriptors are given lowest first: a long run of free ones is the end. */
	for (int fd = 0; fd < most && misses < FREE_RUN; fd++) {
		if (lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF) {
			count++;
			misses = 0;
		} else {
			misses++;
		}
	}
	return count;
}

uint64_t machine_max_files(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 0;
}

typedef void (*each_fn)(void *ctx, const char *key, const char *value);

static void tell_system(each_fn each, void *ctx)
{
	struct utsname u;
	int rc = uname(&u);

	each(ctx, "os.name", rc == 0 ? u.sysname : NOT_THERE);
	each(ctx, "os.arch", rc == 0 ? u.machine : NOT_THERE);
	each(ctx, "os.version", rc == 0 ? u.release : NOT_THERE);
}

static void tell_user(each_fn each, void *ctx)
{
	char dir[PATH_MAX];

	/* To ask who that is may take a network, and every client would wait. */
	each(ctx, "user.name", NOT_THERE);
	each(ctx, "user.home", NOT_THERE);
	each(ctx, "user.dir", getcwd(dir, sizeof(dir)) ? dir : NOT_THERE);
}

static void tell_megabytes(each_fn each, void *ctx, const char *key, uint64_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%lluMB", (unsigned long long)(bytes / (1024 * 1024)));
	each(ctx, key, text);
}

static void tell_memory(each_fn each, void *ctx)
{
	struct sysinfo info;

	if (sysinfo(&info) != 0)
		return;
	tell_megabytes(each, ctx, "os.memory.free", (uint64_t)info.freeram * info.mem_unit);
	tell_megabytes(each, ctx, "os.memory.max", (uint64_t)info.totalram * info.mem_unit);
	tell_megabytes(each, ctx, "os.memory.total", (uint64_t)info.totalram * info.mem_unit);
}

void machine_environment(each_fn each, void *ctx)
{
	static const char *const javas[] = { "java.version",      "java.vendor",
					     "java.home",         "java.class.path",
					     "java.library.path", "java.io.tmpdir",
					     "java.compiler" };
	char host[256] = "";

	each(ctx, "zookeeper.version", machine_version());
	each(ctx, "host.name", gethostname(host, sizeof(host) - 1) == 0 ? host : NOT_THERE);
	for (size_t i = 0; i < sizeof(javas) / sizeof(*javas); i++)
		each(ctx, javas[i], NOT_THERE);
	tell_system(each, ctx);
	tell_user(each, ctx);
	tell_memory(each, ctx);
}
