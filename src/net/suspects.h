/* Addresses whose handshakes cost us more than they should: how many failed of late, and how fast
 * they come. An IPv6 network of 64 bits counts as one address. What is remembered is bounded: of
 * too many the one that was silent longest is forgotten. One thread, or under a lock. */
#ifndef NET_SUSPECTS_H
#define NET_SUSPECTS_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "base/list.h"

enum { SUSPECTS_MOST = 65536 };

struct suspects {
	struct hash hosts;
	struct list order; /* the one that was silent longest first */
	unsigned max_failures;
	int64_t window_ms;
	unsigned max_rate;
};

enum suspects_rc {
	SUSPECTS_OK,
	SUSPECTS_FAILED, /* too many handshakes failed in its window */
	SUSPECTS_FAST,   /* too many handshakes in a second */
};

/* max_failures within window_ms from the first one, max_rate handshakes a second; 0: no limit. */
void suspects_init(struct suspects *s, unsigned max_failures, int64_t window_ms, unsigned max_rate);
void suspects_fini(struct suspects *s);
/* Whether an address may begin a handshake at now_ms (monotonic), which counts towards its rate. */
enum suspects_rc suspects_ask(struct suspects *s, const struct sockaddr_storage *from,
			      int64_t now_ms);
void suspects_note_failure(struct suspects *s, const struct sockaddr_storage *from, int64_t now_ms);

#endif
