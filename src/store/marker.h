/* The mark that a server leaves in its data directory: the file "state". It says, on disk, whether
 * the last server there came to its end, which database files need their -wal, and whether a disk
 * failed under it. So a start can tell what the files alone do not: that a -wal is gone whose
 * changes were acknowledged (a segment whose tables stand in its -wal looks as if it had never been
 * finished), that the directory is a copy of one that was in use, that the kernel may hold pages
 * which its disk refused.
 *
 * What is listed is there: a file is listed when it and its -wal are on disk, and struck off, on
 * disk too, before its -wal goes. A directory without the file is not judged by it.
 *
 * One thread at a time, whichever owns the segments; what notes a disk error is for any. */
#ifndef STORE_MARKER_H
#define STORE_MARKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "store/store.h"

struct marker;

/* Read the file, or make it. -1 with a reason. */
must_check int marker_open(struct marker **out, const char *data_dir,
			   char reason[STORE_REASON_LEN]);
/* NULL is allowed, here and below. */
void marker_close(struct marker *m);
/* What was said of other files that were in data_dir is no longer, on disk too: nobody is there.
 * -1 with a reason. */
must_check int marker_forget(const char *data_dir, char reason[STORE_REASON_LEN]);

/* As it was found. */
enum marker_found {
	MARKER_UNKNOWN, /* there was no mark, or none that can be read */
	MARKER_STOPPED,
	MARKER_CUT_OFF, /* killed, crashed, or its machine was */
};
enum marker_found marker_last_end(const struct marker *m);
/* What ended the process that last ran here, where that may have been a disk's fault; else NULL. */
const char *marker_disk_error(const struct marker *m);
/* Whether what is listed is there, and is where it was. STORE_DAMAGED with a reason that names
 * what is not. */
must_check int marker_check(const struct marker *m, const char *log_dir,
			    char reason[STORE_REASON_LEN]);

/* Whether a segment was listed. */
bool marker_lists(const struct marker *m, uint32_t number);

/* Each of these is on disk when it returns, and changes nothing where it gives -1. */

/* A server runs here from now on; tree.db and these segments need their -wal. */
must_check int marker_begin(struct marker *m, const uint32_t *numbers, size_t count,
			    char reason[STORE_REASON_LEN]);
must_check int marker_add(struct marker *m, uint32_t number, char reason[STORE_REASON_LEN]);
must_check int marker_remove(struct marker *m, uint32_t number, char reason[STORE_REASON_LEN]);
/* Whether tree.db needs its -wal from now on. */
must_check int marker_set_tree(struct marker *m, bool tree_has_wal, char reason[STORE_REASON_LEN]);
/* It stopped; whether tree.db needs its -wal still. */
must_check int marker_end(struct marker *m, bool tree_has_wal, char reason[STORE_REASON_LEN]);

/* Have the next start copy every -wal into its file: what the kernel holds may not be what the disk
 * does. Done by itself where the process dies of the store (die) while m is open. Best effort: it
 * waits for no disk. */
void marker_note_error(struct marker *m, const char *event);
/* Every file is on disk: the word is taken back. */
must_check int marker_clear_error(struct marker *m, char reason[STORE_REASON_LEN]);

#endif
