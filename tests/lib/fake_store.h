/* store.h in memory, under the hand of a test: what is on disk, what is replayed and when the core
 * hears of it happens when the test says so, and reads fail when it wants them to. Linked instead
 * of libstore's facade; records are the real ones. store_open gives the one that was made last, and
 * store_close leaves it as a restart finds it. One thread. */
#ifndef TESTS_LIB_FAKE_STORE_H
#define TESTS_LIB_FAKE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/room.h"
#include "store/store.h"

struct store *fake_store_new(void);
void fake_store_free(struct store *s);

/* The next count rows of the log (all: SIZE_MAX) are on disk. */
void fake_store_flush(struct store *s, size_t count);
/* store_end_turn flushes everything; or nothing, while that is held. */
void fake_store_hold(struct store *s, bool hold);
/* The next count rows of the log (all: SIZE_MAX) are in the rows that reads see; store_replayed
 * tells after fake_store_tell only. Flushes them first. */
void fake_store_replay(struct store *s, size_t count);
void fake_store_tell(struct store *s);
/* Reads of rows and lists give STORE_UNREADABLE. */
void fake_store_set_unreadable(struct store *s, bool unreadable);
/* What store_room tells, and what store_note_owned was told. */
void fake_store_set_room(struct store *s, enum room_level level);
uint64_t fake_store_owned(const struct store *s, bool ephemerals);
/* The newest row's record ends in the middle. */
void fake_store_damage(struct store *s);
/* Put an end to this run: what is not on disk is lost, what is replayed is told. store_open does it
 * as well. */
void fake_store_restart(struct store *s);
/* store_load takes so long: the fake clock goes on behind the sessions. */
void fake_store_set_load_ms(struct store *s, int64_t ms);
/* What store_begin answers; each later run gets one epoch more. */
void fake_store_set_first_zxid(struct store *s, int64_t zxid);

size_t fake_store_log_rows(const struct store *s);
/* The head of the newest row; it lives as long as the row. */
const struct record_head *fake_store_newest(const struct store *s);
/* Reads of rows and lists so far. */
size_t fake_store_reads(const struct store *s);

#endif
