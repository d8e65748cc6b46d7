#include "net/input.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "wire/jute.h"

void input_init(struct input *in, size_t limit)
{
	buf_init(&in->bytes, limit);
	in->scanned = 0;
	in->gap = 0;
}

void input_fini(struct input *in)
{
	buf_fini(&in->bytes);
	in->scanned = 0;
	in->gap = 0;
}

size_t input_memory(const struct input *in)
{
	return in->bytes.cap;
}

int input_put(struct input *in, const void *src, size_t len)
{
	return buf_append(&in->bytes, src, len);
}

static enum input_rc frame_at(const struct input *in, size_t offset, size_t max_frame,
			      struct slice *frame)
{
	size_t left = buf_len(&in->bytes) - offset;
	const uint8_t *at;
	int32_t len;

	if (left < INPUT_LENGTH_LEN)
		return INPUT_PARTIAL;
	at = buf_head(&in->bytes) + offset;
	len = jute_get_int(at);
	if (len <= 0 || (size_t)len > max_frame)
		return INPUT_BAD;
	if ((size_t)len > left - INPUT_LENGTH_LEN)
		return INPUT_PARTIAL;
	*frame = (struct slice){ (const char *)at + INPUT_LENGTH_LEN, (size_t)len };
	return INPUT_FRAME;
}

enum input_rc input_first(const struct input *in, size_t max_frame, struct slice *frame)
{
	return frame_at(in, 0, max_frame, frame);
}

void input_drop_first(struct input *in, struct slice frame)
{
	size_t len = INPUT_LENGTH_LEN + frame.len;

	in->scanned = in->scanned > len ? in->scanned - len : 0;
	buf_drain(&in->bytes, len);
	buf_trim(&in->bytes);
}

bool input_get_word(const struct input *in, char word[INPUT_LENGTH_LEN])
{
	if (buf_len(&in->bytes) < INPUT_LENGTH_LEN)
		return false;
	memcpy(word, buf_head(&in->bytes), INPUT_LENGTH_LEN);
	return true;
}

struct slice input_bytes(const struct input *in)
{
	return buf_slice(&in->bytes);
}

enum input_rc input_scan(struct input *in, size_t max_frame, struct slice *frame)
{
	enum input_rc rc = frame_at(in, in->scanned + in->gap, max_frame, frame);
	uint8_t *to;

	if (rc != INPUT_FRAME)
		return rc;
	/* Frames behind one that was cut move down, those in front, which may be long, stay. */
	if (in->gap > 0) {
		to = buf_tail(&in->bytes) - buf_len(&in->bytes) + in->scanned;
		memmove(to, to + in->gap, INPUT_LENGTH_LEN + frame->len);
		frame->data = (const char *)to + INPUT_LENGTH_LEN;
	}
	in->scanned += INPUT_LENGTH_LEN + frame->len;
	return rc;
}

void input_cut_scanned(struct input *in, struct slice frame)
{
	size_t len = INPUT_LENGTH_LEN + frame.len;

	assert(len <= in->scanned);
	in->scanned -= len;
	in->gap += len;
}

void input_scan_end(struct input *in)
{
	uint8_t *to;
	size_t rest;

	if (in->gap == 0)
		return;
	rest = buf_len(&in->bytes) - in->scanned - in->gap;
	to = buf_tail(&in->bytes) - buf_len(&in->bytes) + in->scanned;
	memmove(to, to + in->gap, rest);
	in->bytes.tail -= in->gap;
	in->gap = 0;
	buf_trim(&in->bytes);
}

size_t input_room(const struct input *in, size_t max_frame, size_t extra)
{
	size_t have = buf_len(&in->bytes);
	size_t want = INPUT_LENGTH_LEN;

	if (have >= INPUT_LENGTH_LEN) {
		int32_t len = jute_get_int(buf_head(&in->bytes));

		if (len <= 0 || (size_t)len > max_frame)
			return 0;
		want += (size_t)len;
	}
	want += extra;
	return want > have ? want - have : 0;
}
