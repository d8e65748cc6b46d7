/* The scheme "ip": addresses and networks, IPv4 and IPv6 (ZooKeeper's IPAuthenticationProvider).
 * Pure functions. */
#ifndef CORE_ACCESS_IP_H
#define CORE_ACCESS_IP_H

#include <stdbool.h>

#include "base/slice.h"

/* "10.1.2.3", "10.0.0.0/8", "fe80::1", "2001:db8::/32"; decimal numbers as Java reads them, so
 * "010.1.2.3/+008" is "10.1.2.3/8". */
bool access_ip_is_valid(struct slice expression);
/* Whether the address lies in the network of the expression; false where either is malformed. */
bool access_ip_matches(struct slice address, struct slice expression);

#endif
