/* What a start finds in the log's directory: which segments are used, whether they are one chain
 * with the tree, how far they go. Segments with nothing above the tree's zxid are not opened. */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "store/rows.h"
#include "store/segment.h"

struct scan_item {
	uint32_t number;
	struct segment *segment; /* while open */
	/* of one that was opened */
	enum segment_state state;
	int64_t prev; /* as in struct segment */
	int64_t last;
	bool has_audit; /* rows of the audit trail */
};

struct scan {
	const char *log_dir;
	struct rows_meta tree;
	struct scan_item *items; /* lowest number first */
	size_t count;
	size_t first;     /* items[first …] were opened, the others lie below the tree's zxid */
	uint32_t highest; /* number that any file bears */
	uint32_t epoch;   /* highest on record in what was opened */
	int64_t last;     /* zxid of the newest row; 0 where there is none */
	struct audit_head audit; /* newest row of the audit trail */
	uint64_t rows;           /* above the tree's zxid */
};

/* segment_open for a start, when nobody has the file open: looks at the file itself first. */
must_check int scan_open_segment(struct segment **out, const char *log_dir, uint32_t number,
				 char reason[STORE_REASON_LEN]);
/* Open what matters and check it. -1 or STORE_DAMAGED with a reason; scan_fini in both cases. */
must_check int scan_log(struct scan *s, const char *log_dir, const struct rows_meta *tree,
			char reason[STORE_REASON_LEN]);
/* Copy every -wal that this tree's log has into its file, also of those that were not opened. -1
 * with a reason where one cannot be read. Returns how many visitors or a full disk held up. */
int scan_settle(struct scan *s, char reason[STORE_REASON_LEN]);
/* Have the newest rows on disk: after a kill they may be in the kernel's cache alone. */
void scan_sync(struct scan *s);
/* Give every row above the tree's zxid to the loader, oldest first. */
must_check int scan_load(struct scan *s, const struct store_loader *l,
			 char reason[STORE_REASON_LEN]);
/* Close what is open; the items stay. */
void scan_close(struct scan *s);
void scan_fini(struct scan *s);

#endif
