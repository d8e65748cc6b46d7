/* See the header. Where the file system gives no blocks ahead they are written: with random bytes,
 * since one that compresses would keep zeros nowhere. */
#include "store/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/vfs.h"

enum { BLOCK_BYTES = 512, PIECE_BYTES = 64 * 1024, WRITTEN_PROBE_BYTES = 1024 * 1024 };

struct ballast {
	int fd;
	uint64_t bytes;
	bool is_written; /* blocks cannot be had otherwise */
};

int ballast_open(struct ballast **out, const char *dir, char reason[STORE_REASON_LEN])
{
	char *path = files_join(dir, "ballast");
	struct ballast *b = mem_new(sizeof(*b));
	struct stat st;

	b->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b->fd < 0 || fstat(b->fd, &st) != 0) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: cannot open: %s", path,
			       strerror(errno));
		mem_free(path);
		ballast_close(b);
		return -1;
	}
	mem_free(path);
	if ((uint64_t)st.st_blocks * BLOCK_BYTES >= (uint64_t)st.st_size)
		b->bytes = (uint64_t)st.st_size;
	else
		(void)ballast_give(b, 0);
	*out = b;
	return 0;
}

void ballast_close(struct ballast *b)
{
	if (b == NULL)
		return;
	if (b->fd >= 0)
		close(b->fd);
	mem_free(b);
}

uint64_t ballast_bytes(const struct ballast *b)
{
	return b->bytes;
}

static int write_blocks(const struct ballast *b, uint64_t bytes)
{
	uint8_t piece[PIECE_BYTES];
	uint64_t done = 0;

	crypto_random(piece, sizeof(piece));
	while (done < bytes) {
		size_t len = bytes - done < sizeof(piece) ? (size_t)(bytes - done) : sizeof(piece);
		ssize_t n = pwrite(b->fd, piece, len, (off_t)(b->bytes + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (uint64_t)n;
	}
	/* Blocks that are only promised may turn out not to be there. */
	return vfs_os()->sync_file(b->fd);
}

int ballast_take(struct ballast *b, uint64_t bytes)
{
	int rc = -1;

	if (!b->is_written)
		rc = vfs_allocate(b->fd, b->bytes, bytes);
	if (rc != 0 && !b->is_written)
		b->is_written = errno == EOPNOTSUPP || errno == ENOSYS;
	if (rc != 0 && b->is_written)
		rc = write_blocks(b, bytes);
	if (rc == 0)
		rc = ftruncate(b->fd, (off_t)(b->bytes + bytes));
	if (rc != 0) {
		(void)ballast_give(b, 0);
		return -1;
	}
	b->bytes += bytes;
	return 0;
}

uint64_t ballast_give(struct ballast *b, uint64_t bytes)
{
	if (bytes > b->bytes)
		bytes = b->bytes;
	/* Also for 0: blocks behind the end go. */
	if (ftruncate(b->fd, (off_t)(b->bytes - bytes)) != 0)
		return 0;
	b->bytes -= bytes;
	return bytes;
}

bool ballast_could_take(struct ballast *b, uint64_t bytes)
{
	if (b->is_written && bytes > WRITTEN_PROBE_BYTES)
		bytes = WRITTEN_PROBE_BYTES;
	if (ballast_take(b, bytes) != 0)
		return false;
	(void)ballast_give(b, bytes);
	return true;
}
