#include "store/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/vfs.h"

void seal_format(const struct seal *m, char out[SEAL_TEXT_LEN])
{
	(void)snprintf(out, SEAL_TEXT_LEN,
		       "time=%" PRId64 "\nepoch=%" PRIu32 "\nzxid=0x%" PRIx64 "\nznodes=%" PRIu64
		       "\nephemerals=%" PRIu64 "\nsessions=%" PRIu64 "\nbytes=%" PRIu64
		       "\ndigest=%s\nkept=%s\n",
		       m->time_ms, m->epoch, (uint64_t)m->zxid, m->znodes, m->ephemerals,
		       m->sessions, m->bytes, m->digest.whole, m->digest.kept);
}

/* The value of a key, or NULL. */
static const char *find(const char *text, const char *key)
{
	size_t len = strlen(key);

	while (text != NULL && *text != '\0') {
		if (strncmp(text, key, len) == 0 && text[len] == '=')
			return text + len + 1;
		text = strchr(text, '\n');
		if (text != NULL)
			text++;
	}
	return NULL;
}

static bool find_number(const char *text, const char *key, uint64_t *out)
{
	const char *value = find(text, key);
	char *end;

	if (value == NULL || *value < '0' || *value > '9')
		return false;
	errno = 0;
	*out = strtoull(value, &end, 0);
	return errno == 0 && *end == '\n';
}

static bool find_digest(const char *text, const char *key, char out[DIGEST_TEXT_LEN])
{
	const char *value = find(text, key);
	uint8_t bytes[CRYPTO_SHA256_LEN];

	if (value == NULL || strnlen(value, DIGEST_TEXT_LEN) < DIGEST_TEXT_LEN ||
	    value[DIGEST_TEXT_LEN - 1] != '\n')
		return false;
	memcpy(out, value, DIGEST_TEXT_LEN - 1);
	out[DIGEST_TEXT_LEN - 1] = '\0';
	return crypto_unhex(out, bytes, sizeof(bytes));
}

bool seal_parse(const char *text, struct seal *m)
{
	uint64_t time_ms, epoch, zxid;

	*m = (struct seal){ 0 };
	if (!find_number(text, "time", &time_ms) || !find_number(text, "epoch", &epoch) ||
	    !find_number(text, "zxid", &zxid) || !find_number(text, "znodes", &m->znodes) ||
	    !find_number(text, "ephemerals", &m->ephemerals) ||
	    !find_number(text, "sessions", &m->sessions) ||
	    !find_number(text, "bytes", &m->bytes) ||
	    !find_digest(text, "digest", m->digest.whole) ||
	    !find_digest(text, "kept", m->digest.kept) || epoch > UINT32_MAX)
		return false;
	m->time_ms = (int64_t)time_ms;
	m->epoch = (uint32_t)epoch;
	m->zxid = (int64_t)zxid;
	return true;
}

char *seal_path(const char *file)
{
	size_t size = strlen(file) + sizeof(SEAL_SUFFIX);
	char *path = mem_new(size);

	(void)snprintf(path, size, "%s" SEAL_SUFFIX, file);
	return path;
}

int seal_read(const char *file, struct seal *m, char reason[STORE_REASON_LEN])
{
	char *path = seal_path(file);
	char text[SEAL_TEXT_LEN + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t got = fd >= 0 ? read(fd, text, SEAL_TEXT_LEN) : -1;
	int rc = 1;

	if (fd < 0 && errno == ENOENT) {
		rc = 0;
	} else if (got < 0) {
		(void)snprintf(reason, STORE_REASON_LEN, "%.400s: cannot read: %s", path,
			       strerror(errno));
		rc = -1;
	} else {
		text[got] = '\0';
		if (!seal_parse(text, m)) {
			(void)snprintf(reason, STORE_REASON_LEN, "%.400s: is damaged", path);
			rc = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	mem_free(path);
	return rc;
}

static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_strdup(".");
	return slash > path ? mem_dup(path, (size_t)(slash - path)) : mem_strdup("/");
}

/* Through the VFS: fault tests see it like any other file. */
static int write_bytes(const char *path, const char *text)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_SUPER_JOURNAL |
			  SQLITE_OPEN_NOFOLLOW;
	sqlite3_vfs *vfs = sqlite3_vfs_find(VFS_NAME);
	sqlite3_file *file = mem_new((size_t)vfs->szOsFile);
	int rc = vfs->xOpen(vfs, path, file, flags, NULL), saved;

	if (rc == SQLITE_OK) {
		errno = 0;
		rc = file->pMethods->xWrite(file, text, (int)strlen(text), 0);
		saved = errno;
		(void)file->pMethods->xClose(file);
		errno = saved;
	}
	mem_free(file);
	if (rc != SQLITE_OK && errno == 0)
		errno = rc == SQLITE_FULL ? ENOSPC : EIO;
	return rc == SQLITE_OK ? 0 : -1;
}

static int sync_file(const char *path)
{
	int fd = vfs_os()->open_file(path);
	int rc, saved;

	if (fd < 0)
		return -1;
	rc = vfs_os()->sync_file(fd);
	saved = errno;
	(void)vfs_os()->close_file(fd);
	errno = saved;
	return rc;
}

/* Written whole and synced under another name first. */
static int write_file(const char *path, const char *text)
{
	int fd;

	vfs_register();
	if (vfs_os()->unlink(path) != 0 && errno != ENOENT)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	return write_bytes(path, text) == 0 ? sync_file(path) : -1;
}

int seal_write(const char *file, const struct seal *m, char reason[STORE_REASON_LEN])
{
	char *path = seal_path(file), *dir = dir_of(file);
	size_t size = strlen(path) + sizeof(".part");
	char *part = mem_new(size);
	char text[SEAL_TEXT_LEN];
	int rc = 0;

	(void)snprintf(part, size, "%s.part", path);
	seal_format(m, text);
	if (write_file(part, text) != 0 || vfs_os()->rename(part, path) != 0 ||
	    vfs_os()->sync_dir(dir) != 0) {
		(void)snprintf(reason, STORE_REASON_LEN, "%.400s: cannot write: %s", path,
			       strerror(errno));
		(void)vfs_os()->unlink(part);
		rc = -1;
	}
	mem_free(part);
	mem_free(dir);
	mem_free(path);
	return rc;
}
