/* What ends when: sessions and connections in the order of their deadlines, in ZooKeeper's steps.
 * A list for each question, built at once. Core thread. */
#ifndef APP_EXPIRY_H
#define APP_EXPIRY_H

#include <stddef.h>
#include <stdint.h>

struct view;

struct expiring {
	int64_t at_ms; /* monotonic, the end of the step that its deadline lies in */
	int64_t session_id;
	char address[64]; /* of a connection */
};

struct expiry {
	struct expiring *items; /* earliest first */
	size_t count, cap;
	size_t steps; /* different times among them */
};

void expiry_init(struct expiry *e);
void expiry_fini(struct expiry *e);
void expiry_add_sessions(struct expiry *e, const struct view *v);
void expiry_add_connections(struct expiry *e, const struct view *v);
/* How many of them, from item i on, end at the same time. */
size_t expiry_together(const struct expiry *e, size_t i);

#endif
