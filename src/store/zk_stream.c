/* See the header. The file is read into `in`, decoded into `out`, and taken from there; plain files
 * have no `in`. */
#include "store/zk_stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/snappy.h"
#include "wire/jute.h"

enum {
	CHUNK = 64 * 1024,
	/* 32 KiB where ZooKeeper writes it. */
	SNAPPY_BLOCK_MOST = 16 * 1024 * 1024,
	SNAPPY_HEADER_LEN = 16,
	GZIP_WINDOW = 15 + 16,
};
#define BUFFER_MOST (INT32_C(256) * 1024 * 1024)

static const char snappy_magic[8] = "\x82SNAPPY";

struct zk_stream {
	int fd;
	enum zk_coding coding;
	struct buf in;
	struct buf out;
	struct buf lent;
	z_stream gzip;
	bool in_member; /* gzip: its end was not met yet */
	bool has_begun; /* snappy: the header was there */
	bool is_done;   /* nothing follows what is in out */
	bool is_short;
	const char *reason; /* NULL: good so far */
	uint64_t position;
	uint32_t sum;
};

enum zk_coding zk_coding_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (dot != NULL && strcmp(dot, ".gz") == 0)
		return ZK_GZIP;
	return dot != NULL && strcmp(dot, ".snappy") == 0 ? ZK_SNAPPY : ZK_PLAIN;
}

struct zk_stream *zk_stream_new(int fd, enum zk_coding coding)
{
	struct zk_stream *s = mem_new(sizeof(*s));

	s->fd = fd;
	s->coding = coding;
	buf_init(&s->in, SIZE_MAX);
	buf_init(&s->out, SIZE_MAX);
	buf_init(&s->lent, SIZE_MAX);
	s->sum = (uint32_t)adler32(0, NULL, 0);
	if (coding == ZK_GZIP && inflateInit2(&s->gzip, GZIP_WINDOW) != Z_OK)
		s->reason = "there is no memory to decompress it";
	s->in_member = true;
	return s;
}

void zk_stream_free(struct zk_stream *s)
{
	if (s == NULL)
		return;
	if (s->coding == ZK_GZIP)
		(void)inflateEnd(&s->gzip);
	buf_fini(&s->in);
	buf_fini(&s->out);
	buf_fini(&s->lent);
	close(s->fd);
	mem_free(s);
}

static void fail(struct zk_stream *s, const char *reason)
{
	if (s->reason == NULL)
		s->reason = reason;
	s->is_done = true;
}

/* ---- decode ---- */

/* More of the file behind what is in b. False at its end. */
static bool read_more(struct zk_stream *s, struct buf *b)
{
	ssize_t n;

	if (s->reason != NULL)
		return false;
	if (buf_reserve(b, CHUNK) != 0) {
		fail(s, "there is no memory to read it");
		return false;
	}
	do
		n = read(s->fd, buf_tail(b), CHUNK);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fail(s, strerror(errno));
	if (n <= 0)
		return false;
	buf_commit(b, (size_t)n);
	return true;
}

/* Have n bytes of the file in `in`. */
static bool want(struct zk_stream *s, size_t n)
{
	while (buf_len(&s->in) < n)
		if (!read_more(s, &s->in))
			return false;
	return true;
}

/* Behind a member another one may follow; what is none is passed over, as Java does it. */
static void end_member(struct zk_stream *s)
{
	s->in_member = want(s, 2) && memcmp(buf_head(&s->in), "\x1f\x8b", 2) == 0;
	if (!s->in_member)
		s->is_done = true;
	else if (inflateReset(&s->gzip) != Z_OK)
		fail(s, "the gzip stream is damaged");
}

static void fill_gzip(struct zk_stream *s)
{
	int rc;

	if (!want(s, 1) || buf_reserve(&s->out, CHUNK) != 0) {
		fail(s, "the gzip stream ends too early");
		return;
	}
	s->gzip.next_in = (Bytef *)(uintptr_t)buf_head(&s->in);
	s->gzip.avail_in = (uInt)buf_len(&s->in);
	s->gzip.next_out = buf_tail(&s->out);
	s->gzip.avail_out = CHUNK;
	rc = inflate(&s->gzip, Z_NO_FLUSH);
	buf_drain(&s->in, buf_len(&s->in) - s->gzip.avail_in);
	buf_commit(&s->out, CHUNK - s->gzip.avail_out);
	if (rc == Z_STREAM_END)
		end_member(s);
	else if (rc != Z_OK)
		fail(s, "the gzip stream is damaged");
}

/* One may stand again wherever a block may. */
static bool pass_snappy_header(struct zk_stream *s)
{
	if (!want(s, SNAPPY_HEADER_LEN) ||
	    memcmp(buf_head(&s->in), snappy_magic, sizeof(snappy_magic)) != 0) {
		fail(s, "it does not begin as a Snappy stream");
		return false;
	}
	buf_drain(&s->in, SNAPPY_HEADER_LEN);
	s->has_begun = true;
	return true;
}

static void decode_block(struct zk_stream *s, size_t len)
{
	struct slice block = { (const char *)buf_head(&s->in), len };
	size_t decoded;

	if (snappy_length(block, &decoded) != 0 || decoded > SNAPPY_BLOCK_MOST ||
	    buf_reserve(&s->out, decoded + 1) != 0 ||
	    snappy_decode(block, buf_tail(&s->out), decoded) != 0) {
		fail(s, "the Snappy stream is damaged");
		return;
	}
	buf_commit(&s->out, decoded);
	buf_drain(&s->in, len);
}

static void fill_snappy(struct zk_stream *s)
{
	int32_t len;

	if (!s->has_begun && !pass_snappy_header(s))
		return;
	if (!want(s, 1)) {
		s->is_done = true;
		return;
	}
	if (!want(s, 4)) {
		fail(s, "the Snappy stream ends too early");
		return;
	}
	len = jute_get_int(buf_head(&s->in));
	if (len < 0) {
		s->has_begun = false;
		return;
	}
	if (len > SNAPPY_BLOCK_MOST || !want(s, 4 + (size_t)len)) {
		fail(s, "the Snappy stream ends too early");
		return;
	}
	buf_drain(&s->in, 4);
	decode_block(s, (size_t)len);
}

/* Have something in `out`, unless all was read. */
static bool fill(struct zk_stream *s)
{
	while (buf_len(&s->out) == 0 && !s->is_done) {
		if (s->coding == ZK_GZIP)
			fill_gzip(s);
		else if (s->coding == ZK_SNAPPY)
			fill_snappy(s);
		else
			s->is_done = !read_more(s, &s->out);
	}
	return buf_len(&s->out) > 0;
}

/* ---- read ---- */

/* Up to n bytes that are there; 0 and bad at the end. */
static size_t take(struct zk_stream *s, size_t n, struct slice *part)
{
	if (s->reason != NULL)
		return 0;
	if (!fill(s)) {
		s->is_short = s->reason == NULL;
		fail(s, "it ends too early");
		return 0;
	}
	*part = buf_slice(&s->out);
	if (part->len > n)
		part->len = n;
	s->sum = (uint32_t)adler32(s->sum, (const Bytef *)part->data, (uInt)part->len);
	s->position += part->len;
	buf_drain(&s->out, part->len);
	return part->len;
}

int zk_stream_read(struct zk_stream *s, struct buf *out, size_t len)
{
	struct slice part;
	size_t n;

	for (; len > 0; len -= n) {
		n = take(s, len, &part);
		if (n == 0)
			return -1;
		if (buf_append(out, part.data, n) != 0) {
			fail(s, "there is no memory to read it");
			return -1;
		}
	}
	return 0;
}

/* n bytes, lent; NULL and bad where they are not there. */
static const uint8_t *read_lent(struct zk_stream *s, size_t n)
{
	buf_clear(&s->lent);
	if (buf_reserve(&s->lent, 1) != 0 || zk_stream_read(s, &s->lent, n) != 0)
		return NULL;
	return n > 0 ? buf_head(&s->lent) : (const uint8_t *)"";
}

int32_t zk_stream_read_int(struct zk_stream *s)
{
	const uint8_t *at = read_lent(s, 4);

	return at != NULL ? jute_get_int(at) : 0;
}

int64_t zk_stream_read_long(struct zk_stream *s)
{
	const uint8_t *at = read_lent(s, 8);

	return at != NULL ? jute_get_long(at) : 0;
}

/* -1: null, or bad */
static int32_t read_length(struct zk_stream *s)
{
	int32_t len = zk_stream_read_int(s);

	if (zk_stream_is_bad(s))
		return -1;
	if (len >= -1 && len <= BUFFER_MOST)
		return len;
	fail(s, "it holds a length that cannot be");
	return -1;
}

struct slice zk_stream_read_buffer(struct zk_stream *s)
{
	int32_t len = read_length(s);
	const uint8_t *at = len >= 0 ? read_lent(s, (size_t)len) : NULL;

	return (struct slice){ (const char *)at, at != NULL ? (size_t)len : 0 };
}

struct slice zk_stream_read_block(struct zk_stream *s, size_t len)
{
	const uint8_t *at = read_lent(s, len);

	return (struct slice){ (const char *)at, at != NULL ? len : 0 };
}

int zk_stream_copy_buffer(struct zk_stream *s, struct buf *out)
{
	uint8_t prefix[4];
	int32_t len = read_length(s);

	jute_put_int(prefix, len);
	if (zk_stream_is_bad(s) || buf_append(out, prefix, sizeof(prefix)) != 0)
		return -1;
	return len > 0 ? zk_stream_read(s, out, (size_t)len) : 0;
}

bool zk_stream_pass_zeros(struct zk_stream *s)
{
	struct slice part;

	while (s->reason == NULL && fill(s)) {
		struct slice head = buf_slice(&s->out);
		size_t n = 0;

		while (n < head.len && head.data[n] == '\0')
			n++;
		if (n > 0)
			(void)take(s, n, &part);
		if (n < head.len)
			return false;
	}
	return s->reason == NULL;
}

bool zk_stream_is_bad(const struct zk_stream *s)
{
	return s->reason != NULL;
}

bool zk_stream_is_short(const struct zk_stream *s)
{
	return s->is_short;
}

const char *zk_stream_reason(const struct zk_stream *s)
{
	return s->reason;
}

bool zk_stream_is_at_end(struct zk_stream *s)
{
	return s->reason != NULL || !fill(s);
}

uint64_t zk_stream_position(const struct zk_stream *s)
{
	return s->position;
}

uint32_t zk_stream_sum(const struct zk_stream *s)
{
	return s->sum;
}
