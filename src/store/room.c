/* See the header. A place is a file system that we write to. One where blocks could not be had is
 * *blocked*: what is free there is what could be had at once when that was tried last, until it is
 * as much as statvfs tells of, or as ends the low level. */
#include "store/room.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/ballast.h"
#include "store/vfs.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* What a start writes before it serves: wal-indexes, and a first segment. */
#define START_BYTES (1 * MIB)
#define START_LEAST (256 * KIB)
#define TAKE_BACK_BYTES (64 * KIB)
/* Of the end of a session with its znodes, in the log and in the tree. */
#define OWN_BYTES (1 * MIB)
#define SESSION_BYTES (2 * KIB)
#define EPHEMERAL_BYTES (8 * KIB)
#define AHEAD_LEAST (256 * KIB)
#define AHEAD_MOST (8 * MIB)

enum {
	LOOK_MS = 250,
	RETRY_MS = 1000,
	REFILL_MS = 20,   /* between two pieces */
	SETTLE_MS = 2000, /* what was given up is not taken back before */
	START_WAIT_MS = 3000,
	MOST_PLACES = 2,
	PIECES = 8, /* that a ballast is given up in */
};

struct place {
	char *dir;
	struct ballast *ballast;
	uint64_t free; /* by statvfs */
	bool is_blocked;
	uint64_t found;   /* where it is blocked: what could be had */
	int64_t probe_ms; /* not before this */
};

struct room {
	struct room_options o;
	struct place places[MOST_PLACES];
	unsigned count;
	struct place *data, *log; /* may be one */
	pthread_mutex_t mutex;
	int64_t given_ms;
	bool cannot_allocate; /* the log's file system knows no blocks ahead */

	_Atomic uint64_t tree_free;
	_Atomic uint64_t prunable;
	_Atomic uint64_t need; /* of the sessions' ends */
	_Atomic uint64_t data_free, log_free, ballast;
	_Atomic int level;
	_Atomic bool is_short;
	_Atomic bool is_tight;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- made and ended ---- */

static int add_place(struct room *r, const char *dir, char reason[STORE_REASON_LEN])
{
	struct place *p = &r->places[r->count];

	if (ballast_open(&p->ballast, dir, reason) != 0)
		return -1;
	p->dir = mem_strdup(dir);
	r->count++;
	return 0;
}

static bool is_same_place(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev;
}

int room_new(struct room **out, const struct room_options *o, char reason[STORE_REASON_LEN])
{
	struct room *r = mem_new(sizeof(*r));

	r->o = *o;
	pthread_mutex_init(&r->mutex, NULL);
	atomic_init(&r->need, OWN_BYTES);
	if (o->low_bytes > 0 || o->ballast_bytes > 0) {
		if (add_place(r, o->data_dir, reason) != 0 ||
		    (!is_same_place(o->data_dir, o->log_dir) &&
		     add_place(r, o->log_dir, reason) != 0)) {
			room_free(r);
			return -1;
		}
		r->data = &r->places[0];
		r->log = &r->places[r->count - 1];
	}
	*out = r;
	return 0;
}

void room_free(struct room *r)
{
	if (r == NULL)
		return;
	for (unsigned i = 0; i < r->count; i++) {
		ballast_close(r->places[i].ballast);
		mem_free(r->places[i].dir);
	}
	pthread_mutex_destroy(&r->mutex);
	mem_free(r);
}

/* ---- levels ---- */

/* The level ends, and segments are kept again, where that much is there. */
static uint64_t enough(uint64_t bytes)
{
	return bytes + bytes / 4;
}

static uint64_t wanted_ballast(const struct room *r)
{
	return r->o.ballast_bytes > 0 ? most(r->o.ballast_bytes, 2 * atomic_load(&r->need)) : 0;
}

static uint64_t kept_for_sessions(const struct room *r)
{
	return most(r->o.ballast_bytes / 2, atomic_load(&r->need));
}

static uint64_t piece(const struct room *r)
{
	return most(wanted_ballast(r) / PIECES, AHEAD_LEAST);
}

static uint64_t free_of(const struct place *p)
{
	return p->is_blocked ? p->found : p->free;
}

/* Free pages of tree.db help the tree alone: of real blocks, for the log, half the mark must be
 * there. */
static bool is_low(const struct room *r, bool was)
{
	uint64_t low = was ? enough(r->o.low_bytes) : r->o.low_bytes;
	uint64_t log = free_of(r->log) + atomic_load(&r->prunable);
	uint64_t tree = (r->data == r->log ? log : free_of(r->data)) + atomic_load(&r->tree_free);

	return tree < low || log < low / 2;
}

static bool is_scarce(const struct room *r, bool was)
{
	uint64_t kept = kept_for_sessions(r);

	if (was)
		kept = enough(kept);
	for (unsigned i = 0; i < r->count; i++)
		if (free_of(&r->places[i]) + ballast_bytes(r->places[i].ballast) < kept)
			return true;
	return false;
}

static const struct place *fullest(const struct room *r)
{
	return free_of(r->data) < free_of(r->log) ? r->data : r->log;
}

static void tell(const struct room *r, enum room_level level)
{
	const struct place *p = fullest(r);
	const char *why =
		p->is_blocked ? "no more blocks are to be had" : "the file system is full";

	metrics_add(METRIC_room_changes, 1);
	if (level == ROOM_PLENTY)
		log_info("room.back", LOG_TEXT("dir", p->dir), LOG_INT("free", p->free));
	else if (level == ROOM_LOW)
		log_warn("room.low", LOG_TEXT("dir", p->dir), LOG_TEXT("reason", why),
			 LOG_INT("free", p->free), LOG_INT("wanted", enough(r->o.low_bytes)),
			 LOG_TEXT("refused", "persistent znodes"));
	else
		log_error("room.scarce", LOG_TEXT("dir", p->dir), LOG_TEXT("reason", why),
			  LOG_INT("free", p->free), LOG_INT("ballast", ballast_bytes(p->ballast)),
			  LOG_TEXT("refused", "all writes, new sessions"));
}

/* With the mutex. Whether somebody who waits may go on, or is to be refused. */
static bool judge(struct room *r)
{
	enum room_level was = (enum room_level)atomic_load(&r->level);
	enum room_level level = ROOM_PLENTY;
	bool was_tight = atomic_load(&r->is_tight), tight;
	uint64_t ballast = 0;

	for (unsigned i = 0; i < r->count; i++)
		ballast += ballast_bytes(r->places[i].ballast);
	atomic_store(&r->ballast, ballast);
	atomic_store(&r->is_short, free_of(r->log) < enough(r->o.low_bytes));
	if (is_scarce(r, was == ROOM_SCARCE))
		level = ROOM_SCARCE;
	else if (is_low(r, was != ROOM_PLENTY))
		level = ROOM_LOW;
	if (r->o.low_bytes == 0)
		return false;
	/* Segments that are yet to go make the difference. */
	tight = level == ROOM_PLENTY && free_of(r->log) < r->o.low_bytes / 4;
	atomic_store(&r->is_tight, tight);
	if (level != was) {
		atomic_store(&r->level, level);
		tell(r, level);
	}
	return level != was || (was_tight && !tight);
}

/* With the mutex. Try what can be had. */
static void probe(const struct room *r, struct place *p)
{
	uint64_t bytes = least(enough(r->o.low_bytes), p->free - p->free / 8);

	p->is_blocked = bytes == 0 || !ballast_could_take(p->ballast, bytes);
	if (!p->is_blocked)
		return;
	/* As much as the log must have. */
	bytes /= 2;
	p->found = bytes > 0 && ballast_could_take(p->ballast, bytes) ? bytes : 0;
}

/* With the mutex. */
static void look_at(struct room *r, struct place *p, int64_t now)
{
	uint64_t bytes;

	if (vfs_os()->free_bytes(p->dir, &bytes) == 0)
		p->free = bytes;
	if (!p->is_blocked || now < p->probe_ms)
		return;
	p->probe_ms = now + RETRY_MS;
	probe(r, p);
}

/* With the mutex. */
static bool look(struct room *r, int64_t now)
{
	if (r->count == 0)
		return false;
	for (unsigned i = 0; i < r->count; i++)
		look_at(r, &r->places[i], now);
	atomic_store(&r->data_free, r->data->free);
	atomic_store(&r->log_free, r->log->free);
	return judge(r);
}

static void unlock_and_tell(struct room *r, bool has_moved)
{
	pthread_mutex_unlock(&r->mutex);
	if (has_moved && r->o.moved != NULL)
		r->o.moved(r->o.ctx);
}

void room_look(struct room *r)
{
	pthread_mutex_lock(&r->mutex);
	unlock_and_tell(r, look(r, now_ms()));
}

enum room_level room_level(const struct room *r)
{
	return (enum room_level)atomic_load(&r->level);
}

bool room_is_tight(const struct room *r)
{
	return atomic_load(&r->is_tight);
}

bool room_is_short(const struct room *r)
{
	return atomic_load(&r->is_short);
}

void room_get_figures(const struct room *r, struct room_figures *out)
{
	out->data_free = atomic_load(&r->data_free);
	out->log_free = atomic_load(&r->log_free);
	/* Where there is no mark nobody looks but for this. */
	if (r->count == 0 && (vfs_os()->free_bytes(r->o.data_dir, &out->data_free) != 0 ||
			      vfs_os()->free_bytes(r->o.log_dir, &out->log_free) != 0))
		out->data_free = out->log_free = UINT64_MAX;
	out->ballast = atomic_load(&r->ballast);
	out->level = room_level(r);
}

void room_note_tree(struct room *r, uint64_t free_bytes)
{
	atomic_store(&r->tree_free, free_bytes);
}

void room_note_log(struct room *r, uint64_t prunable_bytes)
{
	atomic_store(&r->prunable, prunable_bytes);
}

void room_note_owned(struct room *r, uint64_t sessions, uint64_t ephemerals)
{
	atomic_store(&r->need, OWN_BYTES + SESSION_BYTES * sessions + EPHEMERAL_BYTES * ephemerals);
}

/* ---- blocks ahead ---- */

static bool is_full(int error)
{
	return error == ENOSPC || error == EDQUOT;
}

/* With the mutex. */
static bool give(struct room *r, struct place *p, uint64_t kept)
{
	uint64_t there = ballast_bytes(p->ballast);

	if (there <= kept)
		return false;
	r->given_ms = now_ms();
	return ballast_give(p->ballast, least(piece(r), there - kept)) > 0;
}

/* With the mutex. */
static void block(struct place *p)
{
	p->is_blocked = true;
	p->found = 0;
	p->probe_ms = now_ms() + RETRY_MS;
}

/* With the mutex: 0 where there are blocks up to upto now. */
static int allocate(struct room *r, int fd, uint64_t had, uint64_t upto, bool may_give)
{
	while (vfs_allocate(fd, had, upto - had) != 0) {
		if (!is_full(errno)) {
			r->cannot_allocate = true;
			return 0;
		}
		block(r->log);
		if (!may_give || !give(r, r->log, 0))
			return -1;
	}
	return 0;
}

uint64_t room_reserve(struct room *r, int fd, uint64_t had, uint64_t want, bool may_give)
{
	uint64_t ahead, upto = had;
	bool has_moved = false;

	if (r->count == 0 || r->o.low_bytes == 0)
		return UINT64_MAX;
	pthread_mutex_lock(&r->mutex);
	/* Where all is used up there is no use in asking for each write. */
	if (!r->log->is_blocked || ballast_bytes(r->log->ballast) > 0 ||
	    now_ms() >= r->log->probe_ms) {
		ahead = least(most(r->o.low_bytes / PIECES, AHEAD_LEAST), AHEAD_MOST);
		if (r->log->is_blocked)
			ahead = AHEAD_LEAST;
		if (allocate(r, fd, had, want + ahead, may_give) == 0)
			upto = r->cannot_allocate ? UINT64_MAX : want + ahead;
		has_moved = look(r, now_ms());
	}
	unlock_and_tell(r, has_moved);
	return upto;
}

bool room_give(struct room *r, enum room_part part, bool all)
{
	struct place *p = part == ROOM_TREE ? r->data : r->log;
	bool has_given, has_moved;

	if (r->count == 0)
		return false;
	pthread_mutex_lock(&r->mutex);
	block(p);
	has_given = give(r, p, all ? 0 : kept_for_sessions(r));
	has_moved = look(r, now_ms());
	unlock_and_tell(r, has_moved);
	return has_given;
}

bool room_has_segment(struct room *r)
{
	bool has_room;

	if (r->count == 0)
		return false;
	pthread_mutex_lock(&r->mutex);
	has_room = ballast_could_take(r->log->ballast, START_BYTES);
	pthread_mutex_unlock(&r->mutex);
	return has_room;
}

bool room_give_for_segment(struct room *r, bool all)
{
	return !room_has_segment(r) && room_give(r, ROOM_LOG, all);
}

/* ---- the ballast ---- */

/* What must be free beside. Where all is refused anyway, nothing needs it more than the ballast. */
static uint64_t left_alone(const struct room *r, const struct place *p)
{
	bool is_used_up =
		room_level(r) != ROOM_PLENTY && ballast_bytes(p->ballast) < kept_for_sessions(r);

	return is_used_up ? AHEAD_LEAST : enough(r->o.low_bytes);
}

/* Much more than is wanted any more, since sessions have ended or less was configured: it goes, but
 * where all is well alone, for replay may be behind with those ends. */
static bool give_surplus(struct room *r, struct place *p, uint64_t wanted, uint64_t there)
{
	if (there <= wanted + wanted / 2 || room_level(r) != ROOM_PLENTY)
		return false;
	return ballast_give(p->ballast, there - wanted) > 0;
}

/* Take a piece more where there is room beside. A blocked place is tried now and then: that is what
 * tells that there is some again. Whether more is to be taken at once. */
static bool refill(struct room *r, struct place *p, int64_t now)
{
	uint64_t wanted = wanted_ballast(r), there = ballast_bytes(p->ballast);
	uint64_t more = least(piece(r), wanted > there ? wanted - there : 0);

	if (give_surplus(r, p, wanted, there))
		return false;
	if (more == 0 || (r->given_ms != 0 && now < r->given_ms + SETTLE_MS))
		return false;
	if (p->free < left_alone(r, p) + more || (p->is_blocked && now < p->probe_ms))
		return false;
	if (ballast_take(p->ballast, more) == 0)
		return !p->is_blocked;
	block(p);
	return false;
}

int64_t room_keep(void *room, int64_t now)
{
	struct room *r = room;
	bool goes_on = false, has_moved;

	if (r->count == 0)
		return INT64_MAX;
	pthread_mutex_lock(&r->mutex);
	for (unsigned i = 0; i < r->count; i++)
		goes_on |= refill(r, &r->places[i], now);
	has_moved = look(r, now);
	unlock_and_tell(r, has_moved);
	return now + (goes_on ? REFILL_MS : LOOK_MS);
}

/* ---- start ---- */

/* With the mutex. */
static bool can_start(struct room *r, struct place *p)
{
	while (!ballast_could_take(p->ballast, START_BYTES))
		if (!give(r, p, 0))
			return ballast_could_take(p->ballast, START_LEAST);
	return true;
}

/* The place that has no room to start. */
static const struct place *find_full(struct room *r)
{
	for (unsigned i = 0; i < r->count; i++)
		if (!can_start(r, &r->places[i]))
			return &r->places[i];
	return NULL;
}

/* A quota that was used up before is not to be found out by writing. */
static void look_first(struct room *r)
{
	(void)look(r, now_ms());
	for (unsigned i = 0; i < r->count && r->o.low_bytes > 0; i++)
		probe(r, &r->places[i]);
	(void)look(r, now_ms());
}

int room_open(struct room *r, char reason[STORE_REASON_LEN])
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * INT64_C(1000000) };
	int64_t until = now_ms() + START_WAIT_MS;
	const struct place *full;
	bool is_told = false;

	pthread_mutex_lock(&r->mutex);
	while ((full = find_full(r)) != NULL && now_ms() < until) {
		if (!is_told)
			log_error("room.none", LOG_TEXT("dir", full->dir),
				  LOG_INT("wanted", START_LEAST));
		is_told = true;
		nanosleep(&pause, NULL);
	}
	if (full != NULL)
		(void)snprintf(reason, STORE_REASON_LEN, "%s: no room: a start takes %llu bytes",
			       full->dir, (unsigned long long)START_LEAST);
	else
		look_first(r);
	pthread_mutex_unlock(&r->mutex);
	return full == NULL ? 0 : -1;
}

void room_end_start(struct room *r)
{
	if (r->count == 0 || r->given_ms == 0)
		return;
	pthread_mutex_lock(&r->mutex);
	for (unsigned i = 0; i < r->count; i++)
		while (ballast_bytes(r->places[i].ballast) < wanted_ballast(r) &&
		       ballast_take(r->places[i].ballast, TAKE_BACK_BYTES) == 0)
			;
	(void)look(r, now_ms());
	pthread_mutex_unlock(&r->mutex);
}
