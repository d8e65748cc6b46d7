/* A list of networks, as a deny or allow list holds them: built once from a text, asked often.
 * Nothing changes it afterwards, so threads may share it. */
#ifndef NET_NETWORKS_H
#define NET_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/cdefs.h"
#include "base/slice.h"

enum { NETWORKS_REASON_LEN = 256 };

struct networks;

/* One network ("10.0.0.0/8", "2001:db8::/32") or address a line; what follows a # is a comment,
 * empty lines are passed over. An IPv4 network may be written as an IPv6 one
 * (::ffff:10.0.0.0/104); a shorter IPv6 prefix, ::/0 too, means IPv6 alone. Bits behind the prefix
 * must be zero. NULL with "line N: ..." in reason. */
must_check struct networks *networks_parse(struct slice text, char reason[NETWORKS_REASON_LEN]);
/* The same from a file; reason is "FILE:LINE: ..." then (the end of a long name). */
must_check struct networks *networks_load(const char *file, char reason[NETWORKS_REASON_LEN]);
void networks_free(struct networks *n);

/* Whether an address lies in one of them, an IPv4 address at an IPv6 socket too. */
bool networks_has(const struct networks *n, const struct sockaddr_storage *a);
/* Lines with a network. */
size_t networks_count(const struct networks *n);

#endif
