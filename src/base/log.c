/* A line is built on the stack and handed over by one write(2), so lines of several threads
 * never mix and logging works when memory is out. What does not fit is cut and marked with
 * "...". */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	LINE_MAX_LEN = 4096,  /* PIPE_BUF: a pipe takes the line whole */
	LINE_TAIL_LEN = 16,   /* kept free for marks of what was cut, a quote and the newline */
	VALUE_MAX_LEN = 1024, /* before escaping: one value must not push the others out */
	ESCAPE_MAX_LEN = 4,   /* \xNN */
	STAMP_MAX_LEN = 64,
	NUMBER_MAX_LEN = 24,
};

struct line {
	char text[LINE_MAX_LEN];
	size_t len;
	bool full;
};

static _Atomic int least_level = LOG_LEVEL_INFO;
static void (*_Atomic death_hook)(const char *event);

static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_ERROR] = "error",
};

/* All of it or nothing: half an escape would be another byte. */
static void line_put(struct line *line, const char *src, size_t len)
{
	if (line->full || line->len + len > LINE_MAX_LEN - LINE_TAIL_LEN) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->len, src, len);
	line->len += len;
}

static void line_put_text(struct line *line, const char *text)
{
	line_put(line, text, strlen(text));
}

/* Into the room that line_put keeps free; a line needs it for one cut value, the mark of cut
 * fields and its end. */
static void line_put_tail(struct line *line, const char *text)
{
	size_t len = strlen(text);

	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void line_put_stamp(struct line *line)
{
	int64_t wall_ms = clock_wall_ms();
	time_t seconds = (time_t)(wall_ms / 1000);
	char text[STAMP_MAX_LEN];
	struct tm tm;
	size_t len;

	if (gmtime_r(&seconds, &tm) == NULL)
		return;
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	line_put(line, text, len);
	snprintf(text, sizeof(text), ".%03dZ ", (int)(wall_ms % 1000));
	line_put_text(line, text);
}

static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
}

static bool needs_quotes(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!is_plain((unsigned char)text.data[i]))
			return true;
	}
	return text.len == 0;
}

/* How a byte is written; returns how long that is. */
static size_t escape(unsigned char c, char text[ESCAPE_MAX_LEN])
{
	static const char hex[] = "0123456789abcdef";
	size_t len = 2;

	text[0] = '\\';

	switch (c) {
	case '\n':
		text[1] = 'n';
		break;
	case '\r':
		text[1] = 'r';
		break;
	case '\t':
		text[1] = 't';
		break;
	case '"':
	case '\\':
		text[1] = (char)c;
		break;
	default:
		if (c >= ' ' && c < 0x7f) {
			text[0] = (char)c;
			len = 1;
			break;
		}
		text[1] = 'x';
		text[2] = hex[c >> 4];
		text[3] = hex[c & 15];
		len = 4;
	}
	return len;
}

static void line_put_escaped(struct line *line, unsigned char c)
{
	char text[ESCAPE_MAX_LEN];

	line_put(line, text, escape(c, text));
}

static void line_put_value(struct line *line, struct slice text, bool quoted)
{
	bool cut = text.len > VALUE_MAX_LEN;
	size_t len = cut ? VALUE_MAX_LEN : text.len;

	for (size_t i = 0; i < len && !line->full; i++)
		line_put_escaped(line, (unsigned char)text.data[i]);
	if (cut || line->full)
		line_put_tail(line, "...");
	if (quoted)
		line_put_tail(line, "\"");
}

static void line_put_field(struct line *line, const struct log_field *field)
{
	bool is_text = field->type == LOG_FIELD_TEXT;
	bool quoted = is_text && needs_quotes(field->text);
	size_t start = line->len;
	char number[NUMBER_MAX_LEN];

	line_put_text(line, " ");
	line_put_text(line, field->key);
	line_put_text(line, quoted ? "=\"" : "=");
	if (!is_text) {
		if (field->type == LOG_FIELD_INT)
			snprintf(number, sizeof(number), "%" PRId64, field->number);
		else
			snprintf(number, sizeof(number), "0x%" PRIx64, (uint64_t)field->number);
		line_put_text(line, number);
	}
	if (line->full) {
		line->len = start;
		line_put_tail(line, " ...");
	} else if (is_text) {
		line_put_value(line, field->text, quoted);
	}
}

static void line_write(const struct line *line)
{
	size_t done = 0;

	while (done < line->len) {
		ssize_t n = write(STDERR_FILENO, line->text + done, line->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		/* There is nowhere to say that the log cannot be written. */
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
	int saved_errno = errno;
	struct line line;

	if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
		return;
	line.len = 0;
	line.full = false;
	line_put_stamp(&line);
	line_put_text(&line, "level=");
	line_put_text(&line, level_names[level]);
	line_put_text(&line, " event=");
	line_put_text(&line, event);
	for (const struct log_field *f = fields; f->type != LOG_FIELD_END && !line.full; f++)
		line_put_field(&line, f);
	line_put_tail(&line, "\n");
	line_write(&line);
	errno = saved_errno;
}

char *log_escape(const char *text)
{
	char *escaped = mem_new(ESCAPE_MAX_LEN * strlen(text) + 1);
	size_t len = 0;

	for (; *text != '\0'; text++) {
		/* Nothing stands in quotes here. */
		if (*text == '"')
			escaped[len++] = '"';
		else
			len += escape((unsigned char)*text, escaped + len);
	}
	return escaped;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&least_level, memory_order_relaxed);
}

int log_limit_pass(struct log_limit *limit, uint32_t burst, uint32_t *suppressed)
{
	int64_t now = clock_now_ms() / 1000 + 1; /* never the 0 of fresh static storage */
	int64_t second = atomic_load(&limit->second);

	*suppressed = 0;
	/* One thread opens the new second; another that comes between may pass one line too
	 * many, which does no harm. */
	if (second != now && atomic_compare_exchange_strong(&limit->second, &second, now))
		atomic_store(&limit->count, 0);
	if (atomic_fetch_add(&limit->count, 1) >= burst) {
		atomic_fetch_add(&limit->suppressed, 1);
		return 0;
	}
	*suppressed = atomic_exchange(&limit->suppressed, 0);
	return 1;
}

void log_set_death_hook(void (*hook)(const char *event))
{
	atomic_store(&death_hook, hook);
}

void die(const char *event, const char *reason)
{
	void (*hook)(const char *event) = atomic_load(&death_hook);

	log_error(event, LOG_TEXT("reason", reason));
	if (hook != NULL)
		hook(event);
	abort();
}
