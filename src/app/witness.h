/* What the audit trail hears of those at a listener, whether or not they have a session: that they
 * connect, what they are refused, and what they have done by a request in text. Each is counted
 * with those that are equal. Core thread; audit NULL: there is none. */
#ifndef APP_WITNESS_H
#define APP_WITNESS_H

#include "net/gate.h"

struct audit;

void witness_connect(struct audit *audit, const struct arrival *from);
void witness_refuse(struct audit *audit, const struct arrival *from, const char *op,
		    const char *why);
/* A command that changes something was executed. */
void witness_command(struct audit *audit, const struct arrival *from, const char *op);

#endif
