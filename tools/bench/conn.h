/* One connection: connect, handshake, frames in and out. Events come from within loop_turn,
 * conn_flush and nowhere else; conn_close and the end of the connection may happen in any of them,
 * conn_free only between turns. */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"
#include "tools/bench/loop.h"
#include "tools/bench/stream.h"
#include "wire/jute.h"

struct conn;

struct conn_events {
	/* The handshake is done. */
	void (*opened)(void *owner);
	/* A whole frame, without its length; lent for the call. now_us: when it was read
	 * (clock_exact_us). */
	void (*frame)(void *owner, struct slice frame, int64_t now_us);
	/* It is over, once; not called after conn_close. reason is lent for the call. */
	void (*closed)(void *owner, const char *reason);
};

struct conn_target {
	struct sockaddr_storage address;
	socklen_t address_len;
	struct stream_context *context;
};

/* Begin to connect. NULL with a line in reason where that fails at once. */
must_check struct conn *conn_new(struct loop *l, const struct conn_target *target,
				 const struct conn_events *events, void *owner,
				 char reason[STREAM_REASON_LEN]);
/* Close what is open, free all. */
void conn_free(struct conn *c);
void conn_close(struct conn *c);
bool conn_is_open(const struct conn *c);

/* Write one frame: begin, encode into the writer, end. It leaves with conn_flush, or by itself at
 * the end of the frame event it is written in. */
struct jute_writer *conn_begin_frame(struct conn *c);
void conn_end_frame(struct conn *c);
void conn_flush(struct conn *c);

/* "TLSv1.3 …", after opened. */
const char *conn_describe(struct conn *c);

#endif
