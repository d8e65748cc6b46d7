/* Log: one line per event on stderr, key=value; nobody else prints.
 *
 *   2026-11-23T10:00:00.123Z level=warn event=gate.refused peer=10.0.0.7:40112 reason="no chain"
 *
 * Values are quoted and escaped where they hold a space, a quote, '=' or a byte that is not
 * printable ASCII, so a peer cannot forge a line; values above 1,024 bytes and lines above 4 KiB
 * are cut, which "..." shows. Any thread may log; one write(2) writes a line. errno is kept. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/cdefs.h"
#include "base/slice.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_field_type { LOG_FIELD_END, LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_HEX };

struct log_field {
	const char *key;
	enum log_field_type type;
	struct slice text;
	int64_t number;
};

/* Fields of a line. LOG_HEX prints 0x and hex digits (session ids, zxids), as ZooKeeper does. */
#define LOG_TEXT(k, v) ((struct log_field){ (k), LOG_FIELD_TEXT, slice_of(v), 0 })
#define LOG_SLICE(k, v) ((struct log_field){ (k), LOG_FIELD_TEXT, (v), 0 })
#define LOG_INT(k, v) ((struct log_field){ (k), LOG_FIELD_INT, { 0 }, (int64_t)(v) })
#define LOG_HEX(k, v) ((struct log_field){ (k), LOG_FIELD_HEX, { 0 }, (int64_t)(v) })

/* clang-format off */
#define LOG_FIELDS(...) ((const struct log_field[]){ __VA_ARGS__ __VA_OPT__(,) { 0 } })
/* clang-format on */
#define log_debug(event, ...) log_write(LOG_LEVEL_DEBUG, event, LOG_FIELDS(__VA_ARGS__))
#define log_info(event, ...) log_write(LOG_LEVEL_INFO, event, LOG_FIELDS(__VA_ARGS__))
#define log_warn(event, ...) log_write(LOG_LEVEL_WARN, event, LOG_FIELDS(__VA_ARGS__))
#define log_error(event, ...) log_write(LOG_LEVEL_ERROR, event, LOG_FIELDS(__VA_ARGS__))

/* Write one line; events below the level set are passed over. fields ends with a zero field.
 * event is noun.verb in lower case ("session.expired"). */
void log_write(enum log_level level, const char *event, const struct log_field *fields);
/* A text as a line for people, who may read it at a terminal: bytes that are not printable ASCII
 * are escaped as in values, quotes stand as they are. The caller's to free (mem_free). */
must_check char *log_escape(const char *text);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* A limiter for lines that a peer can cause: at most burst lines a second and place, the number
 * of the suppressed ones is logged with the next line that passes. Static storage,
 * zero-initialised; any thread. */
struct log_limit {
	_Atomic int64_t second;
	_Atomic uint32_t count;
	_Atomic uint32_t suppressed;
};
/* Whether a line may be written now. *suppressed gets how many were passed over since the last
 * one that might. */
int log_limit_pass(struct log_limit *limit, uint32_t burst, uint32_t *suppressed);

/* Log at error level and end the process with abort(): the server cannot keep a promise, so it must
 * not go on. Never retried, never masked. */
no_return void die(const char *event, const char *reason);
/* Called by die behind its line, on the thread that dies, with the event. NULL: nothing. */
void log_set_death_hook(void (*hook)(const char *event));

#endif
