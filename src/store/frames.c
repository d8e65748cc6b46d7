/* A frame's checksum goes on from the one before it. So a frame that does not fit its own checksum,
 * before one that does go on from that, was whole when it was written. */
#include "store/frames.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum {
	HEADER_LEN = 32,
	FRAME_HEAD = 24,
	PAGE_LEN = 4096,
	FRAME_LEN = FRAME_HEAD + PAGE_LEN,
	AT_SALTS = 16, /* of the header */
	AT_HEADER_SUM = 24,
	AT_FRAME_SALTS = 8,
	AT_FRAME_SUM = 16,
	SALTS_LEN = 8,
	SUMMED_HEAD = 8, /* of a frame's head, before its page */
};
#define MAGIC UINT32_C(0x377f0682)
#define FORMAT UINT32_C(3007000)

struct sum {
	uint32_t a, b;
};

struct frames {
	int fd;
	bool is_big_endian; /* how words are summed */
	uint8_t header[HEADER_LEN];
	struct sum was; /* the chain as the file has it */
	struct sum is;  /* and as it must be */
	uint64_t mended;
};

static uint32_t get_number(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_number(uint8_t *at, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		at[i] = (uint8_t)v;
}

static struct sum get_sum(const uint8_t *at)
{
	return (struct sum){ get_number(at), get_number(at + 4) };
}

static void put_sum(uint8_t *at, struct sum s)
{
	put_number(at, s.a);
	put_number(at + 4, s.b);
}

static bool is_same(struct sum x, struct sum y)
{
	return x.a == y.a && x.b == y.b;
}

static uint32_t word_at(const struct frames *f, const uint8_t *at)
{
	uint32_t v = get_number(at);

	return f->is_big_endian ? v : __builtin_bswap32(v);
}

static struct sum add(const struct frames *f, struct sum s, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		s.a += word_at(f, bytes + i) + s.b;
		s.b += word_at(f, bytes + i + 4) + s.a;
	}
	return s;
}

static struct sum sum_frame(const struct frames *f, struct sum before, const uint8_t *frame)
{
	return add(f, add(f, before, frame, SUMMED_HEAD), frame + FRAME_HEAD, PAGE_LEN);
}

static bool read_frame(const struct frames *f, uint64_t i, uint8_t frame[FRAME_LEN])
{
	off_t at = HEADER_LEN + (off_t)(i * FRAME_LEN);

	return pread(f->fd, frame, FRAME_LEN, at) == FRAME_LEN;
}

static bool has_salts(const struct frames *f, const uint8_t *frame)
{
	return memcmp(frame + AT_FRAME_SALTS, f->header + AT_SALTS, SALTS_LEN) == 0;
}

/* The header, made anew from the first frame where it is damaged. False: there is nothing. */
static bool take_header(struct frames *f)
{
	uint8_t first[FRAME_LEN];
	struct sum zero = { 0 };

	if (pread(f->fd, f->header, HEADER_LEN, 0) != HEADER_LEN || !read_frame(f, 0, first))
		return false;
	f->is_big_endian = (f->header[3] & 1) != 0;
	f->was = get_sum(f->header + AT_HEADER_SUM);
	f->is = add(f, zero, f->header, AT_HEADER_SUM);
	if (is_same(f->was, f->is) && (get_number(f->header) & ~UINT32_C(1)) == MAGIC)
		return true;
	f->mended++;
	/* Either order will do, all sums are made anew; the file's own is that of its machine. */
	f->is_big_endian = false;
	put_number(f->header, MAGIC);
	put_number(f->header + 4, FORMAT);
	put_number(f->header + 8, PAGE_LEN);
	memcpy(f->header + AT_SALTS, first + AT_FRAME_SALTS, SALTS_LEN);
	f->is = add(f, zero, f->header, AT_HEADER_SUM);
	put_sum(f->header + AT_HEADER_SUM, f->is);
	return pwrite(f->fd, f->header, HEADER_LEN, 0) == HEADER_LEN;
}

/* Whether the next frame goes on from this one's own checksum. */
static bool is_gone_on_from(const struct frames *f, uint64_t i, const uint8_t *frame)
{
	struct sum own = get_sum(frame + AT_FRAME_SUM);
	uint8_t next[FRAME_LEN];

	return read_frame(f, i + 1, next) && has_salts(f, next) &&
	       is_same(sum_frame(f, own, next), get_sum(next + AT_FRAME_SUM));
}

/* Whether there is one more to take. */
static bool mend_frame(struct frames *f, uint64_t i)
{
	uint8_t frame[FRAME_LEN];
	struct sum own, fits;

	if (!read_frame(f, i, frame))
		return false;
	own = get_sum(frame + AT_FRAME_SUM);
	fits = sum_frame(f, f->was, frame);
	if (!has_salts(f, frame) || !is_same(own, fits)) {
		/* The first one behind a damaged header may go on from a sum that was hit. */
		if (!is_gone_on_from(f, i, frame))
			return false;
		f->mended += !(i == 0 && f->mended == 1);
	}
	f->was = own;
	f->is = sum_frame(f, f->is, frame);
	if (is_same(own, f->is) && has_salts(f, frame))
		return true;
	memcpy(frame + AT_FRAME_SALTS, f->header + AT_SALTS, SALTS_LEN);
	put_sum(frame + AT_FRAME_SUM, f->is);
	return pwrite(f->fd, frame, FRAME_HEAD, HEADER_LEN + (off_t)(i * FRAME_LEN)) == FRAME_HEAD;
}

uint64_t frames_mend(const char *path)
{
	struct frames f = { .fd = open(path, O_RDWR | O_CLOEXEC) };

	if (f.fd < 0)
		return 0;
	if (take_header(&f))
		for (uint64_t i = 0; mend_frame(&f, i); i++)
			;
	close(f.fd);
	return f.mended;
}
