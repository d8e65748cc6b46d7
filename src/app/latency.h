/* How long requests take, for the four-letter words: from the frame to the moment its reply may
 * leave. Replies that wait for the disk are counted when it has caught up. Core thread. */
#ifndef APP_LATENCY_H
#define APP_LATENCY_H

#include <stdint.h>

struct latency;

struct latency *latency_new(void);
void latency_free(struct latency *l);
/* A request that arrived at began_us was answered; its reply waits for zxid mark (0, or up to
 * flushed: for nothing). */
void latency_note(struct latency *l, int64_t began_us, int64_t mark, int64_t flushed);
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
/* Requests answered whose replies wait for the disk. */
uint64_t latency_waiting(const struct latency *l);

#endif
