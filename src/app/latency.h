/* How long requests take, for the four-letter words: from the frame to the moment its reply may
 * leave. Replies that wait for the disk are counted when it has caught up; of a client's own
 * figures, all that wait for the same rise of F are counted with the last of them. Core thread. */
#ifndef APP_LATENCY_H
#define APP_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#include "base/summary.h"

struct client;
struct latency;

enum latency_kind { LATENCY_READ, LATENCY_UPDATE, LATENCY_KINDS };

struct latency *latency_new(void);
void latency_free(struct latency *l);
/* A request that arrived at began_us was answered; its reply waits for zxid mark (0, or up to
 * flushed: for nothing). */
void latency_note(struct latency *l, enum latency_kind kind, int64_t began_us, int64_t mark,
		  int64_t flushed);
/* The same for the figures of the client that asked (client.h); zxid is its reply's. */
struct latency_reply {
	int32_t op, xid;
	int64_t zxid;
	int64_t began_us;
	int64_t mark;
};
void latency_note_client(struct latency *l, struct client *c, const struct latency_reply *reply,
			 int64_t flushed);
/* A reply of so many bytes was made. */
void latency_note_size(struct latency *l, size_t len);
/* The log is on disk up to flushed. */
void latency_flushed(struct latency *l, int64_t flushed);
void latency_reset(struct latency *l);

struct latency_figures {
	uint64_t count;
	uint64_t min_ms;
	uint64_t max_ms;
	double avg_ms;
};
struct latency_figures latency_figures(const struct latency *l);
/* In us. */
const struct summary *latency_summary(const struct latency *l, enum latency_kind kind);
/* Requests answered whose replies wait for the disk: all, and those of one client. */
uint64_t latency_waiting(const struct latency *l);
uint64_t latency_waiting_of(const struct client *c);

/* Bytes of replies; -1: none yet. */
struct latency_sizes {
	int64_t last, min, max;
};
struct latency_sizes latency_sizes(const struct latency *l);

#endif
