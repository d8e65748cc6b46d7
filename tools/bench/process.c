/* /proc/PID/stat for CPU time, /proc/PID/smaps_rollup for memory. */
#include "tools/bench/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LINE_LEN = 1024, US_PER_S = 1000000 };

static FILE *proc_open(pid_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, file);
	return fopen(path, "re");
}

int process_cpu_us(pid_t pid, int64_t *us)
{
	char line[LINE_LEN];
	const char *behind_name;
	uint64_t user, kernel;
	FILE *f = proc_open(pid, "stat");
	int rc = -1;

	if (f == NULL)
		return -1;
	if (fgets(line, sizeof(line), f) == NULL)
		goto out;
	/* The name may hold blanks and parentheses: count from its last one. */
	behind_name = strrchr(line, ')');
	if (behind_name == NULL)
		goto out;
	if (sscanf(behind_name + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user,
		   &kernel) != 2)
		goto out;
	*us = (int64_t)(user + kernel) * (US_PER_S / sysconf(_SC_CLK_TCK));
	rc = 0;
out:
	fclose(f);
	return rc;
}

int process_memory(pid_t pid, struct process_memory *memory)
{
	char line[LINE_LEN];
	FILE *f = proc_open(pid, "smaps_rollup");
	int found = 0;

	if (f == NULL)
		return -1;
	while (fgets(line, sizeof(line), f) != NULL) {
		found += sscanf(line, "Rss: %" SCNd64 " kB", &memory->rss_kib) == 1;
		found += sscanf(line, "Pss: %" SCNd64 " kB", &memory->pss_kib) == 1;
	}
	fclose(f);
	return found == 2 ? 0 : -1;
}

static int64_t timeval_us(struct timeval t)
{
	return (int64_t)t.tv_sec * US_PER_S + t.tv_usec;
}

int64_t process_own_cpu_us(void)
{
	struct rusage used = { 0 };

	getrusage(RUSAGE_SELF, &used);
	return timeval_us(used.ru_utime) + timeval_us(used.ru_stime);
}
