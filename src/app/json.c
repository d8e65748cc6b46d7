#include "app/json.h"

#include <assert.h>
#include <stdio.h>

#include "app/print.h"
#include "base/utf8.h"

enum { INDENT = 2 };

static void put(struct json *j, struct slice text)
{
	print_slice(j->out, text);
}

static void put_line(struct json *j)
{
	unsigned objects = 0;

	for (unsigned i = 0; i < j->depth; i++)
		objects += !j->levels[i].is_array;
	put(j, slice_of("\n"));
	for (unsigned i = 0; i < objects * INDENT; i++)
		put(j, slice_of(" "));
}

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){ .out = out };
}

/* What stands before a value. */
static void begin_value(struct json *j)
{
	if (j->depth == 0 || !j->levels[j->depth - 1].is_array) {
		assert(j->depth == 0 || j->has_key);
		j->has_key = false;
		return;
	}
	put(j, slice_of(j->levels[j->depth - 1].has_some ? ", " : " "));
	j->levels[j->depth - 1].has_some = true;
}

static void open_level(struct json *j, bool is_array)
{
	begin_value(j);
	assert(j->depth < JSON_DEPTH);
	j->levels[j->depth].is_array = is_array;
	j->levels[j->depth].has_some = false;
	j->depth++;
	put(j, slice_of(is_array ? "[" : "{"));
}

static bool close_level(struct json *j, bool is_array)
{
	assert(j->depth > 0 && j->levels[j->depth - 1].is_array == is_array && !j->has_key);
	j->depth--;
	return j->levels[j->depth].has_some;
}

void json_open_object(struct json *j)
{
	open_level(j, false);
}

void json_close_object(struct json *j)
{
	if (close_level(j, false)) {
		put_line(j);
		put(j, slice_of("}"));
	} else {
		put(j, slice_of(" }"));
	}
}

void json_open_array(struct json *j)
{
	open_level(j, true);
}

void json_close_array(struct json *j)
{
	(void)close_level(j, true);
	put(j, slice_of(" ]"));
}

static void put_escaped(struct json *j, char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	char escape[8];

	for (size_t i = 0; i < sizeof(plain) - 1; i++) {
		if (plain[i] != c)
			continue;
		put(j, (struct slice){ "\\", 1 });
		put(j, (struct slice){ &letters[i], 1 });
		return;
	}
	snprintf(escape, sizeof(escape), "\\u%04X", (unsigned)(unsigned char)c);
	put(j, slice_of(escape));
}

static bool needs_escape(char c)
{
	return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

static void put_string(struct json *j, struct slice text)
{
	size_t done = 0, len;
	uint32_t point;

	put(j, slice_of("\""));
	for (size_t i = 0; i<text.len; i += len> 0 ? len : 1) {
		len = utf8_decode((const uint8_t *)text.data + i, text.len - i, &point);
		if (len > 1 || (len == 1 && !needs_escape(text.data[i])))
			continue;
		put(j, (struct slice){ text.data + done, i - done });
		if (len == 0)
			put(j, slice_of("\xef\xbf\xbd"));
		else
			put_escaped(j, text.data[i]);
		done = i + 1;
	}
	put(j, (struct slice){ text.data + done, text.len - done });
	put(j, slice_of("\""));
}

void json_key(struct json *j, struct slice key)
{
	assert(j->depth > 0 && !j->levels[j->depth - 1].is_array && !j->has_key);
	if (j->levels[j->depth - 1].has_some)
		put(j, slice_of(","));
	j->levels[j->depth - 1].has_some = true;
	put_line(j);
	put_string(j, key);
	put(j, slice_of(" : "));
	j->has_key = true;
}

void json_text(struct json *j, struct slice text)
{
	begin_value(j);
	put_string(j, text);
}

void json_int(struct json *j, int64_t number)
{
	char text[32];

	begin_value(j);
	snprintf(text, sizeof(text), "%lld", (long long)number);
	put(j, slice_of(text));
}

void json_real(struct json *j, double number)
{
	begin_value(j);
	print_rounded(j->out, number);
}

void json_bool(struct json *j, bool value)
{
	begin_value(j);
	put(j, slice_of(value ? "true" : "false"));
}

void json_null(struct json *j)
{
	begin_value(j);
	put(j, slice_of("null"));
}

void json_put_text(struct json *j, const char *key, const char *text)
{
	json_key(j, slice_of(key));
	json_text(j, slice_of(text));
}

void json_put_int(struct json *j, const char *key, int64_t number)
{
	json_key(j, slice_of(key));
	json_int(j, number);
}

void json_put_bool(struct json *j, const char *key, bool value)
{
	json_key(j, slice_of(key));
	json_bool(j, value);
}
