/* The file has two places for the mark, written in turn, so that one is whole whenever the power
 * goes off, and a third for the word of a disk error. It keeps its size, so that a full disk is in
 * nobody's way. It is written through the VFS: fault tests see it like any other file. */
#include "store/marker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/vfs.h"

enum {
	PLACE_LEN = 4096,
	ERROR_AT = 2 * PLACE_LEN,
	ERROR_LEN = 512,
	FILE_LEN = ERROR_AT + ERROR_LEN,
	/* More are not listed: so many wait for their checkpoint only where visitors hold it up,
	 * and the tree has what is in the older ones. */
	MOST_SEGMENTS = 300,
	SUM_LEN = 8,
};

static const char error_word[] = "disk-error ", error_unsaid[] = "store.write_failed";

struct state {
	int64_t sequence;
	struct vfs_file_id place; /* of the file itself, as it was when this was written */
	bool running;
	bool tree_has_wal;
	uint32_t segments[MOST_SEGMENTS]; /* that need their -wal */
	size_t count;
};

struct marker {
	char *dir;
	char *path;
	sqlite3_file *file;
	int error_fd;
	enum marker_found last_end;
	struct vfs_file_id place; /* of the file, now */
	struct state state;       /* on disk */
	char error[ERROR_LEN];    /* "": none */
};

/* For the hook: a descriptor of the file that is open, or -1. */
static _Atomic int hook_fd = -1;

/* ---- one place as text ---- */

static void sum_of(const char *text, size_t len, char hex[2 * SUM_LEN + 1])
{
	uint8_t hash[CRYPTO_SHA256_LEN];

	crypto_sha256((struct slice){ text, len }, hash);
	for (size_t i = 0; i < SUM_LEN; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

static void format_state(const struct state *s, char out[PLACE_LEN])
{
	char hex[2 * SUM_LEN + 1];
	size_t len;

	memset(out, ' ', PLACE_LEN);
	len = (size_t)snprintf(out, PLACE_LEN,
			       "zoolite state 1\nsequence %" PRId64 "\nplace %" PRIu64 " %" PRId64
			       "\nrunning %d\ntree-wal %d\nsegments",
			       s->sequence, s->place.inode, s->place.birth_ns, s->running,
			       s->tree_has_wal);
	for (size_t i = 0; i < s->count; i++)
		len += (size_t)snprintf(out + len, PLACE_LEN - len, " %" PRIu32, s->segments[i]);
	out[len++] = '\n';
	sum_of(out, len, hex);
	len += (size_t)snprintf(out + len, PLACE_LEN - len, "sum %s", hex);
	out[len] = ' ';
	out[PLACE_LEN - 1] = '\n';
}

static bool parse_segments(struct state *s, const char *at)
{
	unsigned number;
	int used;

	for (s->count = 0; *at == ' '; at += used) {
		if (s->count == MOST_SEGMENTS || sscanf(at, " %u%n", &number, &used) != 1)
			return false;
		s->segments[s->count++] = number;
	}
	return *at == '\n';
}

static bool parse_state(const char text[PLACE_LEN], struct state *out)
{
	char copy[PLACE_LEN + 1], hex[2 * SUM_LEN + 1];
	int running, tree, used = 0;
	char *sum;

	memcpy(copy, text, PLACE_LEN);
	copy[PLACE_LEN] = '\0';
	sum = strstr(copy, "\nsum ");
	if (sum == NULL)
		return false;
	sum_of(copy, (size_t)(sum + 1 - copy), hex);
	if (strncmp(sum + strlen("\nsum "), hex, 2 * SUM_LEN) != 0)
		return false;
	if (sscanf(copy,
		   "zoolite state 1\nsequence %" SCNd64 "\nplace %" SCNu64 " %" SCNd64
		   "\nrunning %d\ntree-wal %d\nsegments%n",
		   &out->sequence, &out->place.inode, &out->place.birth_ns, &running, &tree,
		   &used) != 5 ||
	    used == 0)
		return false;
	out->running = running != 0;
	out->tree_has_wal = tree != 0;
	return parse_segments(out, copy + used);
}

/* ---- the file ---- */

static int fail(const struct marker *m, const char *what, int rc, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: %s: %s", m->path, what, sqlite3_errstr(rc));
	return -1;
}

static int write_at(struct marker *m, const char *bytes, size_t len, int64_t at,
		    char reason[STORE_REASON_LEN])
{
	const sqlite3_io_methods *io = m->file->pMethods;
	int rc = io->xWrite(m->file, bytes, (int)len, at);

	/* A sync that fails ends the process. */
	if (rc == SQLITE_OK)
		rc = io->xSync(m->file, SQLITE_SYNC_NORMAL);
	return rc == SQLITE_OK ? 0 : fail(m, "cannot write", rc, reason);
}

static int write_state(struct marker *m, struct state *next, char reason[STORE_REASON_LEN])
{
	char text[PLACE_LEN];

	next->sequence = m->state.sequence + 1;
	next->place = m->place;
	format_state(next, text);
	if (write_at(m, text, sizeof(text), next->sequence % 2 * PLACE_LEN, reason) != 0)
		return -1;
	m->state = *next;
	return 0;
}

/* A line of its own, and nothing else in its place. */
static void format_error(const char *event, char out[ERROR_LEN])
{
	size_t len;

	memset(out, ' ', ERROR_LEN);
	len = (size_t)snprintf(out, ERROR_LEN / 2, "%s%s", event != NULL ? error_word : "",
			       event != NULL ? event : "");
	out[len < ERROR_LEN / 2 ? len : ERROR_LEN / 2 - 1] = ' ';
	out[ERROR_LEN - 1] = '\n';
}

static void parse_error(struct marker *m, const char text[ERROR_LEN])
{
	size_t word = strlen(error_word), end = word;

	if (strncmp(text, error_word, word) != 0)
		return;
	while (end < ERROR_LEN && text[end] > ' ' && text[end] < 0x7f)
		end++;
	memcpy(m->error, text + word, end - word);
}

/* Take the newer of the two places that are whole. */
static void take_newest(struct marker *m, const char *bytes)
{
	struct state *found = mem_new(2 * sizeof(*found));
	const struct state *newest = NULL;

	for (int i = 0; i < 2; i++)
		if (parse_state(bytes + (size_t)i * PLACE_LEN, &found[i]) &&
		    (newest == NULL || found[i].sequence > newest->sequence))
			newest = &found[i];
	if (newest != NULL) {
		m->state = *newest;
		m->last_end = newest->running ? MARKER_CUT_OFF : MARKER_STOPPED;
	}
	mem_free(found);
}

/* A file that is too short: it is new, and its blocks are taken now, not when the disk is full; or
 * a process cut it whose disk took no words any more. */
static int complete(struct marker *m, char *bytes, int64_t size)
{
	if (m->last_end != MARKER_UNKNOWN) {
		(void)snprintf(m->error, sizeof(m->error), "%s", error_unsaid);
		return SQLITE_OK;
	}
	memset(bytes + size, ' ', (size_t)(FILE_LEN - size));
	return m->file->pMethods->xWrite(m->file, bytes, FILE_LEN, 0);
}

static int read_file(struct marker *m, char reason[STORE_REASON_LEN])
{
	const sqlite3_io_methods *io = m->file->pMethods;
	char *bytes = mem_new(FILE_LEN);
	sqlite3_int64 size;
	int rc = io->xFileSize(m->file, &size);

	if (rc == SQLITE_OK && size > 0) {
		rc = io->xRead(m->file, bytes, FILE_LEN, 0);
		/* What is missing reads as zeros. */
		if (rc == SQLITE_IOERR_SHORT_READ)
			rc = SQLITE_OK;
	}
	if (rc == SQLITE_OK) {
		take_newest(m, bytes);
		parse_error(m, bytes + ERROR_AT);
		if (size < FILE_LEN)
			rc = complete(m, bytes, size);
	}
	mem_free(bytes);
	return rc == SQLITE_OK ? 0 : fail(m, "cannot read", rc, reason);
}

static int open_file(struct marker *m, char reason[STORE_REASON_LEN])
{
	/* As a journal that is made: its first sync has the name on disk, too. */
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_SUPER_JOURNAL |
			  SQLITE_OPEN_NOFOLLOW;
	sqlite3_vfs *vfs = sqlite3_vfs_find(VFS_NAME);
	int rc;

	m->file = mem_new((size_t)vfs->szOsFile);
	rc = vfs->xOpen(vfs, m->path, m->file, flags, NULL);
	if (rc != SQLITE_OK) {
		mem_free(m->file);
		m->file = NULL;
		return fail(m, "cannot open", rc, reason);
	}
	return read_file(m, reason);
}

/* ---- open and close ---- */

/* On any thread, in a process that is about to end. */
static void note_death(const char *event)
{
	int fd = atomic_load(&hook_fd);
	char text[ERROR_LEN];

	if (fd < 0 || strncmp(event, "store.", strlen("store.")) != 0)
		return;
	format_error(event, text);
	/* There is nobody left to tell that this cannot be done either. */
	if (pwrite(fd, text, sizeof(text), ERROR_AT) < 0 && ftruncate(fd, ERROR_AT) != 0)
		return;
}

int marker_open(struct marker **out, const char *data_dir, char reason[STORE_REASON_LEN])
{
	struct marker *m = mem_new(sizeof(*m));

	*out = NULL;
	vfs_register();
	m->dir = mem_strdup(data_dir);
	m->path = files_join(data_dir, "state");
	m->error_fd = -1;
	if (open_file(m, reason) != 0)
		goto fail;
	m->error_fd = vfs_os()->open_file(m->path);
	if (m->error_fd < 0 || vfs_os()->file_id(m->path, &m->place) != 0) {
		(void)fail(m, "cannot open", SQLITE_CANTOPEN, reason);
		goto fail;
	}
	atomic_store(&hook_fd, m->error_fd);
	log_set_death_hook(note_death);
	*out = m;
	return 0;
fail:
	marker_close(m);
	return -1;
}

void marker_close(struct marker *m)
{
	if (m == NULL)
		return;
	if (m->error_fd >= 0) {
		atomic_store(&hook_fd, -1);
		(void)vfs_os()->close_file(m->error_fd);
	}
	if (m->file != NULL)
		(void)m->file->pMethods->xClose(m->file);
	mem_free(m->file);
	mem_free(m->path);
	mem_free(m->dir);
	mem_free(m);
}

int marker_forget(const char *data_dir, char reason[STORE_REASON_LEN])
{
	char *path = files_join(data_dir, "state");
	int rc = 0;

	if (vfs_os()->unlink(path) == 0)
		rc = vfs_os()->sync_dir(data_dir);
	else if (errno != ENOENT)
		rc = -1;
	if (rc != 0)
		(void)snprintf(reason, STORE_REASON_LEN, "%s: cannot be removed: %s", path,
			       strerror(errno));
	mem_free(path);
	return rc;
}

enum marker_found marker_last_end(const struct marker *m)
{
	return m->last_end;
}

const char *marker_disk_error(const struct marker *m)
{
	return m->error[0] != '\0' ? m->error : NULL;
}

/* ---- what a start asks ---- */

/* Whether the file was made anew since: births are compared where the file system knows them. */
static bool is_elsewhere(const struct marker *m)
{
	const struct vfs_file_id *was = &m->state.place, *is = &m->place;

	return was->inode != is->inode ||
	       (was->birth_ns != 0 && is->birth_ns != 0 && was->birth_ns != is->birth_ns);
}

static int check_place(const struct marker *m, char reason[STORE_REASON_LEN])
{
	if (!m->state.running || !is_elsewhere(m))
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%s: is a copy of the directory of a server that had not been stopped, its "
		       "files may be of different moments (if that server was dead when it was "
		       "copied, remove %s and start again)",
		       m->dir, m->path);
	return STORE_DAMAGED;
}

/* A file that needs its -wal, which is not there, or was emptied under tables that stand nowhere
 * else. */
static int check_wal(const char *path, char reason[STORE_REASON_LEN])
{
	if (access(path, F_OK) != 0) {
		(void)snprintf(reason, STORE_REASON_LEN,
			       "%s: is missing, changes that were "
			       "acknowledged were in it",
			       path);
		return STORE_DAMAGED;
	}
	if (files_has_wal(path))
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%s-wal: is missing, changes that were acknowledged were in it", path);
	return STORE_DAMAGED;
}

int marker_check(const struct marker *m, const char *log_dir, char reason[STORE_REASON_LEN])
{
	int rc = check_place(m, reason);

	if (rc == 0 && m->state.tree_has_wal) {
		char *path = files_join(m->dir, "tree.db");

		rc = check_wal(path, reason);
		mem_free(path);
	}
	for (size_t i = 0; rc == 0 && i < m->state.count; i++) {
		char *path = files_segment_path(log_dir, m->state.segments[i]);

		rc = check_wal(path, reason);
		mem_free(path);
	}
	return rc;
}

bool marker_lists(const struct marker *m, uint32_t number)
{
	for (size_t i = 0; i < m->state.count; i++)
		if (m->state.segments[i] == number)
			return true;
	return false;
}

/* ---- what a server says ---- */

/* The newest count of those in numbers. */
static void list_segments(struct state *s, const uint32_t *numbers, size_t count)
{
	size_t skip = count > MOST_SEGMENTS ? count - MOST_SEGMENTS : 0;

	s->count = count - skip;
	if (s->count > 0)
		memcpy(s->segments, numbers + skip, s->count * sizeof(*numbers));
}

int marker_begin(struct marker *m, const uint32_t *numbers, size_t count,
		 char reason[STORE_REASON_LEN])
{
	struct state next = { .running = true, .tree_has_wal = true };

	list_segments(&next, numbers, count);
	return write_state(m, &next, reason);
}

int marker_add(struct marker *m, uint32_t number, char reason[STORE_REASON_LEN])
{
	uint32_t numbers[MOST_SEGMENTS + 1];
	struct state next;

	if (m == NULL)
		return 0;
	next = m->state;
	memcpy(numbers, next.segments, next.count * sizeof(*numbers));
	numbers[next.count] = number;
	list_segments(&next, numbers, next.count + 1);
	return write_state(m, &next, reason);
}

int marker_remove(struct marker *m, uint32_t number, char reason[STORE_REASON_LEN])
{
	struct state next;

	if (m == NULL)
		return 0;
	next = m->state;
	next.count = 0;
	for (size_t i = 0; i < m->state.count; i++)
		if (m->state.segments[i] != number)
			next.segments[next.count++] = m->state.segments[i];
	return next.count == m->state.count ? 0 : write_state(m, &next, reason);
}

int marker_set_tree(struct marker *m, bool tree_has_wal, char reason[STORE_REASON_LEN])
{
	struct state next;

	if (m == NULL)
		return 0;
	next = m->state;
	next.tree_has_wal = tree_has_wal;
	return write_state(m, &next, reason);
}

int marker_end(struct marker *m, bool tree_has_wal, char reason[STORE_REASON_LEN])
{
	struct state next = m->state;

	next.running = false;
	next.tree_has_wal = tree_has_wal;
	return write_state(m, &next, reason);
}

void marker_note_error(struct marker *m, const char *event)
{
	char text[ERROR_LEN];

	if (m == NULL)
		return;
	format_error(event, text);
	(void)m->file->pMethods->xWrite(m->file, text, ERROR_LEN, ERROR_AT);
}

int marker_clear_error(struct marker *m, char reason[STORE_REASON_LEN])
{
	char blank[ERROR_LEN];

	format_error(NULL, blank);
	if (write_at(m, blank, sizeof(blank), ERROR_AT, reason) != 0)
		return -1;
	m->error[0] = '\0';
	return 0;
}
