/* TLS handshakes on threads of their own, with a deadline, so that a storm of reconnects never
 * stalls the core thread. What a balancer says first (net/proxy) counts as the handshake's
 * beginning, or as all of it where there is no TLS. Each handshake lives on one of the threads; the
 * calls here may be made from any thread. */
#ifndef NET_SHAKER_H
#define NET_SHAKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/cdefs.h"

struct arrival;
struct shaker;

/* Called on a handshake's thread, never under a lock of the shaker. */
struct shaker_handlers {
	/* A balancer said whom it connects; client NULL: itself. False: that one may not come in;
	 * a is the handler's now. */
	bool (*announced)(void *user, struct arrival *a, const struct sockaddr_storage *client);
	/* The peer passed every check and its identity is filled in; a is the handler's now. */
	void (*passed)(void *user, struct arrival *a);
	/* It did not; a is the handler's now, to be logged and freed. */
	void (*refused)(void *user, struct arrival *a, const char *reason, bool expired);
	/* One of these was, announced where it said no, and shaker_count has fallen. */
	void (*ended)(void *user);
};

/* NULL where threads or descriptors are out. */
must_check struct shaker *shaker_new(unsigned threads, int64_t timeout_ms,
				     const struct shaker_handlers *handlers, void *user);
/* Begin a handshake; a->tls is set, or a->is_proxied. The deadline counts from a->accepted_ms. */
void shaker_add(struct shaker *s, struct arrival *a);
unsigned shaker_count(struct shaker *s);

/* Whether a peer that may have connected before deadline_ms waits for a handshake's thread: its
 * handshake was not looked at since then. The threads are asked to look now, so the answer soon
 * becomes exact. */
bool shaker_has_waiting(struct shaker *s, int64_t deadline_ms);
/* Whether one that may have connected before deadline_ms is in a handshake at all. */
bool shaker_has_any(struct shaker *s, int64_t deadline_ms);

/* End up to most handshakes whose peers have owed us bytes for patience_ms, or have said nothing at
 * all for silence_ms, the oldest first. */
void shaker_make_room(struct shaker *s, int64_t silence_ms, int64_t patience_ms, unsigned most);

/* Join the threads, free the handshakes under way without a word. */
void shaker_free(struct shaker *s);

#endif
