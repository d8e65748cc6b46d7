/* A disk that can lose power. While a trace records, everything that the store does to the files of
 * one directory, by SQLite or by itself (struct vfs_os), is written down in one order, together
 * with marks of the test. Afterwards the directory can be made as a disk would show it whose power
 * went off at any place of that order:
 *
 *   - what was written to a file before a sync of it began, and that sync had ended: is there;
 *   - of what was written later, any part: each write whole, in some of its sectors (512 bytes), or
 *     not at all; a file may also have grown over what never came, with garbage in it;
 *   - a name made, removed or changed: as the last sync of its directory says, later ones by luck;
 *   - -shm files and the lock: never.
 *
 * A process can be killed as well, at any event, and the trace go on with the next one: what it did
 * until then is in the kernel's cache, synced or not.
 *
 * The files themselves are written too, for the store reads them, but never synced. Any thread; one
 * trace at a time. */
#ifndef TESTS_LIB_TRACEVFS_H
#define TESTS_LIB_TRACEVFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace;

/* Record what happens below dir, which exists; what is in it now is on disk. No connection may be
 * open. A sync takes up to sync_us, one by the flush thread some times that. */
struct trace *trace_start(const char *dir, uint64_t seed, unsigned sync_us);
/* Stop recording: the real VFS is in place again. No connection may be open. */
void trace_stop(struct trace *t);
void trace_free(struct trace *t);

/* Events so far: a cut at position p has seen the first p. */
size_t trace_length(struct trace *t);
/* Mark the place: the test knows or has shown something. what must be a literal. */
void trace_note(struct trace *t, const char *what, int64_t value);
/* The highest value noted under what before the cut, or least. */
int64_t trace_highest_note(const struct trace *t, size_t cut, const char *what, int64_t least);

/* Kill the process that works on the directory when the trace has position events; where it has
 * them already, with the next one. Nothing is recorded from there on, notes neither: what still
 * runs does not know that it is dead, and may be closed in any way. */
void trace_kill_at(struct trace *t, size_t position);
/* Kill it at once. Returns the events so far. */
size_t trace_kill_now(struct trace *t);
bool trace_is_killed(struct trace *t);
/* After a kill, when no connection is open any more: the directory becomes what the kill left, and
 * is recorded again. */
void trace_revive(struct trace *t);

/* The place just behind the first note at or after from; from itself where there is none. */
size_t trace_after_note(const struct trace *t, size_t from);

/* Make target (it must not exist) what is left after a cut; seed decides what luck decides.
 * Recording must be over. */
void trace_materialise(const struct trace *t, size_t cut, uint64_t seed, const char *target);

#endif
