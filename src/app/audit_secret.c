#include "app/audit_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "base/private_file.h"

enum { LINE_LEN = 2 * AUDIT_KEY_LEN + 1, NAME_SHOWN = 300 };

static int fail(const char *path, const char *what, char reason[AUDIT_SECRET_REASON_LEN])
{
	snprintf(reason, AUDIT_SECRET_REASON_LEN, "%.*s: %s", NAME_SHOWN, path, what);
	return -1;
}

/* ---- place ---- */

static bool is_below(const char *dir, const char *top)
{
	char *real_top = top ? realpath(top, NULL) : NULL;
	size_t len = real_top ? strlen(real_top) : 0;
	bool is_so = real_top && strncmp(dir, real_top, len) == 0 &&
		     (dir[len] == '/' || dir[len] == '\0' || len == 1);

	free(real_top); /* of libc's making */
	return is_so;
}

static bool is_in_data(const struct config *c, const char *path)
{
	return path && (is_below(path, c->data_dir) || is_below(path, c->data_log_dir));
}

bool audit_secret_is_misplaced(const struct config *c, char reason[AUDIT_SECRET_REASON_LEN])
{
	char *copy = mem_strdup(c->audit_key);
	char *dir = realpath(dirname(copy), NULL);
	/* Where a link leads, too. What is not there has nothing below it. */
	char *file = realpath(c->audit_key, NULL);
	bool is_so = is_in_data(c, dir) || is_in_data(c, file);

	free(file);
	free(dir);
	mem_free(copy);
	if (is_so)
		fail(c->audit_key, "must lie outside of the data it protects", reason);
	return is_so;
}

/* ---- reading ---- */

/* NULL, or what is wrong. */
static const char *parse(char *text, struct audit_secret *s)
{
	uint8_t key[AUDIT_KEY_LEN];
	char *rest, *line = strtok_r(text, "\n", &rest);

	for (; line; line = strtok_r(NULL, "\n", &rest)) {
		if (s->count == AUDIT_SECRET_MOST)
			return "holds too many keys";
		if (!crypto_unhex(line, key, sizeof(key)))
			return "a line of it is not 64 hex digits";
		s->keys[s->count++] = audit_key_new(key);
		explicit_bzero(key, sizeof(key));
	}
	return s->count > 0 ? NULL : "holds no key";
}

static const char *read_keys(int fd, struct audit_secret *s)
{
	char text[AUDIT_SECRET_MOST * LINE_LEN + LINE_LEN];
	ssize_t len = read(fd, text, sizeof(text) - 1);
	const char *wrong;

	if (len < 0)
		return strerror(errno);
	text[len] = '\0';
	wrong = strlen(text) == (size_t)len ? parse(text, s) : "a line of it is not 64 hex digits";
	explicit_bzero(text, sizeof(text));
	return wrong;
}

enum audit_secret_rc audit_secret_read(const struct config *c, struct audit_secret *s,
				       char reason[AUDIT_SECRET_REASON_LEN])
{
	char exposed[PRIVATE_FILE_REASON_LEN];
	const char *wrong = NULL;
	int fd;

	*s = (struct audit_secret){ 0 };
	if (!c->audit_key)
		return AUDIT_SECRET_GOOD;
	fd = open(c->audit_key, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		fail(c->audit_key, strerror(errno), reason);
		return access(c->audit_key, F_OK) != 0 && errno == ENOENT ? AUDIT_SECRET_ABSENT
									  : AUDIT_SECRET_BAD;
	}
	if (private_file_check(c->audit_key, exposed) != 0)
		wrong = exposed;
	if (!wrong)
		wrong = read_keys(fd, s);
	close(fd);
	if (!wrong)
		return AUDIT_SECRET_GOOD;
	fail(c->audit_key, wrong, reason);
	audit_secret_fini(s);
	return AUDIT_SECRET_BAD;
}

void audit_secret_fini(struct audit_secret *s)
{
	for (size_t i = 0; i < s->count; i++)
		audit_key_free(s->keys[i]);
	*s = (struct audit_secret){ 0 };
}

/* ---- making ---- */

static bool write_key(int fd)
{
	char line[LINE_LEN + 1];
	uint8_t key[AUDIT_KEY_LEN];
	bool is_written;

	crypto_random(key, sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++)
		snprintf(line + 2 * i, sizeof(line) - 2 * i, "%02x", key[i]);
	line[LINE_LEN - 1] = '\n';
	is_written = write(fd, line, LINE_LEN) == LINE_LEN && fsync(fd) == 0;
	explicit_bzero(key, sizeof(key));
	explicit_bzero(line, sizeof(line));
	return is_written;
}

/* A key whose name a loss of power takes is a chain that nobody can check. */
static bool sync_dir_of(const char *path)
{
	char *copy = mem_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_synced = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	mem_free(copy);
	return is_synced;
}

int audit_secret_make(const struct config *c, char reason[AUDIT_SECRET_REASON_LEN])
{
	int fd = open(c->audit_key, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	int saved;

	if (fd < 0)
		return fail(c->audit_key, strerror(errno), reason);
	if (!write_key(fd) || !sync_dir_of(c->audit_key)) {
		saved = errno;
		close(fd);
		unlink(c->audit_key);
		return fail(c->audit_key, strerror(saved), reason);
	}
	close(fd);
	return 0;
}
