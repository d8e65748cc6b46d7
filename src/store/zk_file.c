/* See the header. zlib's gzFile is the buffer in both cases: it packs, or passes bytes on. */
#include "store/zk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"

enum { BUFFER_BYTES = 256 * 1024, PIECE_BYTES = 1 << 30 };

struct zk_file {
	char *path;
	gzFile stream; /* has a descriptor of its own */
	int fd;        /* to sync by */
	uLong sum;
	int error; /* errno of the first failure */
};

static int fail(const char *path, int error, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: cannot write: %s", path, strerror(error));
	return -1;
}

int zk_file_open(struct zk_file **out, const char *path, bool is_packed,
		 char reason[STORE_REASON_LEN])
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	int own = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	struct zk_file *f;

	if (own < 0) {
		(void)fail(path, errno, reason);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	f = mem_new(sizeof(*f));
	f->path = mem_strdup(path);
	f->fd = fd;
	f->sum = adler32(0, Z_NULL, 0);
	f->stream = gzdopen(own, is_packed ? "wb" : "wbT");
	if (f->stream == NULL) {
		close(own);
		f->error = ENOMEM;
	} else {
		(void)gzbuffer(f->stream, BUFFER_BYTES);
	}
	*out = f;
	return 0;
}

void zk_file_raw(struct zk_file *f, const void *src, size_t len)
{
	const char *at = src;

	for (; len > 0 && f->error == 0;) {
		unsigned piece = len < PIECE_BYTES ? (unsigned)len : PIECE_BYTES;

		errno = 0;
		if (gzwrite(f->stream, at, piece) != (int)piece) {
			f->error = errno != 0 ? errno : EIO;
			return;
		}
		f->sum = adler32(f->sum, (const Bytef *)at, piece);
		at += piece;
		len -= piece;
	}
}

void zk_file_int(struct zk_file *f, int32_t v)
{
	uint32_t u = (uint32_t)v;
	const uint8_t bytes[] = { (uint8_t)(u >> 24), (uint8_t)(u >> 16), (uint8_t)(u >> 8),
				  (uint8_t)u };

	zk_file_raw(f, bytes, sizeof(bytes));
}

void zk_file_long(struct zk_file *f, int64_t v)
{
	zk_file_int(f, (int32_t)(uint32_t)((uint64_t)v >> 32));
	zk_file_int(f, (int32_t)(uint32_t)(uint64_t)v);
}

void zk_file_buffer(struct zk_file *f, struct slice v)
{
	zk_file_int(f, v.data != NULL ? (int32_t)v.len : -1);
	zk_file_raw(f, v.data, v.data != NULL ? v.len : 0);
}

void zk_file_seal(struct zk_file *f)
{
	zk_file_long(f, (int64_t)f->sum);
	zk_file_buffer(f, slice_of("/"));
}

int zk_file_finish(struct zk_file *f, char reason[STORE_REASON_LEN])
{
	gzFile stream = f->stream;
	int rc;

	f->stream = NULL;
	errno = 0;
	rc = stream != NULL ? gzclose(stream) : Z_OK;
	if (rc != Z_OK && f->error == 0)
		f->error = errno != 0 ? errno : EIO;
	if (f->error == 0 && fsync(f->fd) != 0)
		f->error = errno;
	return f->error == 0 ? 0 : fail(f->path, f->error, reason);
}

void zk_file_close(struct zk_file *f)
{
	if (f == NULL)
		return;
	if (f->stream != NULL)
		(void)gzclose(f->stream);
	close(f->fd);
	mem_free(f->path);
	mem_free(f);
}
