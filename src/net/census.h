/* How many connections are open, in all and from each address, and whether one more may be. One
 * thread at a time (the gate's lock). */
#ifndef NET_CENSUS_H
#define NET_CENSUS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/cdefs.h"
#include "base/hash.h"

struct census {
	struct hash hosts;
	unsigned total;
};

enum census_rc { CENSUS_OK, CENSUS_FULL, CENSUS_HOST_FULL };

void census_init(struct census *c);
void census_fini(struct census *c);
/* Count a connection from this address unless one of the limits (0: none) is reached. */
must_check enum census_rc census_enter(struct census *c, const struct sockaddr_storage *from,
				       unsigned max_total, unsigned max_per_host);
/* A counted connection turns out to be another address's. Where that is at its limit (0: none)
 * nothing changes. */
must_check enum census_rc census_move(struct census *c, const struct sockaddr_storage *from,
				      const struct sockaddr_storage *to, unsigned max_per_host);
/* A counted connection from this address is gone. */
void census_leave(struct census *c, const struct sockaddr_storage *from);

#endif
