#include "app/audit_export.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/quote.h"
#include "store/audit_read.h"
#include "store/files.h"

/* Of a line: a row is as large as the largest change. */
#define LINE_LIMIT ((size_t)1024 * 1024 * 1024)

static void put_key(struct buf *out, const char *key)
{
	buf_put(out, slice_of(buf_len(out) == 0 ? "{\"" : ",\""));
	buf_put(out, slice_of(key));
	buf_put(out, slice_of("\":"));
}

static void put_text(struct buf *out, const char *key, struct slice text)
{
	if (!text.data)
		return;
	put_key(out, key);
	quote_json(out, text);
}

static void put_int(struct buf *out, const char *key, int64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, number);
	put_key(out, key);
	buf_put(out, slice_of(text));
}

static void put_hex(struct buf *out, const char *key, int64_t number)
{
	char text[32];

	if (number == 0)
		return;
	snprintf(text, sizeof(text), "0x%" PRIx64, (uint64_t)number);
	put_text(out, key, slice_of(text));
}

static void put_time(struct buf *out, int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	char text[64], whole[80];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(whole, sizeof(whole), "%s.%03dZ", text, (int)(time_ms % 1000));
	put_text(out, "time", slice_of(whole));
}

/* Whether a text may stand there as it is: one line of JSON in printable ASCII. What the server
 * wrote is; what somebody altered need not be. */
struct scan {
	const char *at, *end;
};

static bool skip(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool scan_digits(struct scan *s)
{
	const char *from = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return s->at > from && (*from != '0' || s->at == from + 1);
}

static bool scan_escape(struct scan *s)
{
	char c = s->at < s->end ? *s->at++ : ' ';

	if (c != 'u')
		return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
	for (int i = 0; i < 4; i++, s->at++)
		if (s->at == s->end || !isxdigit((unsigned char)*s->at))
			return false;
	return true;
}

static bool scan_text(struct scan *s)
{
	if (!skip(s, '"'))
		return false;
	while (!skip(s, '"')) {
		if (s->at == s->end || *s->at < 0x20 || *s->at > 0x7e)
			return false;
		if (*s->at++ == '\\' && !scan_escape(s))
			return false;
	}
	return true;
}

/* Texts, whole numbers, and lists and objects of such, no deeper than the server writes them. */
static bool scan_value(struct scan *s, unsigned depth)
{
	bool is_object = s->at < s->end && *s->at == '{';

	if (s->at < s->end && *s->at == '"')
		return scan_text(s);
	if (!skip(s, is_object ? '{' : '['))
		return (void)skip(s, '-'), scan_digits(s);
	if (depth == 0)
		return false;
	if (skip(s, is_object ? '}' : ']'))
		return true;
	do {
		if (is_object && (!scan_text(s) || !skip(s, ':')))
			return false;
		if (!scan_value(s, depth - 1))
			return false;
	} while (skip(s, ','));
	return skip(s, is_object ? '}' : ']');
}

static bool is_json(struct slice text)
{
	struct scan s = { text.data, text.data + text.len };

	return scan_value(&s, 8) && s.at == s.end;
}

static void put_json(struct buf *out, const char *key, struct slice text)
{
	if (!text.data || !is_json(text)) {
		put_text(out, key, text);
		return;
	}
	put_key(out, key);
	buf_put(out, text);
}

static void put_version(struct buf *out, const char *key, int64_t version)
{
	if (version != AUDIT_NO_VERSION)
		put_int(out, key, version);
}

static void put_row(struct buf *out, const struct audit_item *item)
{
	const struct audit_row *row = &item->row;

	put_int(out, "number", row->number);
	put_time(out, row->time_ms);
	put_text(out, "kind", slice_of(row->kind));
	put_hex(out, "zxid", item->zxid);
	put_hex(out, "session", row->session);
	put_json(out, "who", row->note.who);
	put_text(out, "address", row->address);
	if (row->op.len > 0)
		put_text(out, "op", row->op);
	put_text(out, "path", row->path);
	put_version(out, "old_version", row->note.old_version);
	put_version(out, "version", row->note.version);
	put_text(out, "result", row->result);
	put_int(out, "count", row->count);
	put_json(out, "detail", row->note.detail);
	buf_put(out, slice_of("}\n"));
}

static int write_line(FILE *out, struct buf *line, char reason[AUDIT_EXPORT_REASON_LEN])
{
	if (line->is_cut) {
		snprintf(reason, AUDIT_EXPORT_REASON_LEN, "a row is too large");
		return -1;
	}
	if (fwrite(buf_head(line), 1, buf_len(line), out) == buf_len(line))
		return 0;
	snprintf(reason, AUDIT_EXPORT_REASON_LEN, "cannot write: %s", strerror(errno));
	return -1;
}

static int write_rows(struct audit_reader *r, FILE *out, char reason[AUDIT_EXPORT_REASON_LEN])
{
	struct audit_item item;
	enum audit_read got;
	struct buf line;
	int rc = 0;

	buf_init(&line, LINE_LIMIT);
	while (rc == 0 && (got = audit_reader_next(r, &item, reason)) != AUDIT_READ_END) {
		buf_clear(&line);
		if (got == AUDIT_READ_FAILED) {
			rc = -1;
		} else if (got == AUDIT_READ_ROW) {
			put_row(&line, &item);
			rc = write_line(out, &line, reason);
		}
	}
	buf_fini(&line);
	return rc;
}

int audit_export(const struct config *c, FILE *out, char reason[AUDIT_EXPORT_REASON_LEN])
{
	char *log_dir = files_join(c->data_log_dir ? c->data_log_dir : c->data_dir, "log");
	struct audit_reader *r = audit_reader_open(log_dir, reason);
	int rc = r ? write_rows(r, out, reason) : -1;

	if (rc == 0 && fflush(out) != 0) {
		snprintf(reason, AUDIT_EXPORT_REASON_LEN, "cannot write: %s", strerror(errno));
		rc = -1;
	}
	audit_reader_close(r);
	mem_free(log_dir);
	return rc;
}
