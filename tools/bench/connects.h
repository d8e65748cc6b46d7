/* Whole sessions, one after the other: connect, handshake, open the session, close it, until the
 * connection is over. */
#ifndef BENCH_CONNECTS_H
#define BENCH_CONNECTS_H

#include "tools/bench/driver.h"

/* Keep -c of them under way for warm_up and then for the measured seconds; an operation is one that
 * is over, latency counts from its connect. tls is that of the first ("TLSv1.3 …"). Ends the
 * process with a line of reason where one of them fails. */
void connects_run(const struct options *o, struct measurement *m, char tls[STREAM_REASON_LEN]);

#endif
