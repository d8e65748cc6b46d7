/* A peer that is in and would no longer come in is cut off: after the gate's rules changed, and
 * when a certificate runs out. Its session ends as if the peer had closed it: its ephemeral znodes
 * go, and who watches them is told. Core thread. */
#ifndef APP_SWEEP_H
#define APP_SWEEP_H

#include <stdbool.h>

struct gate;
struct peers;
struct registry;
struct sweep;
struct timer_wheel;
struct tls_context;
struct validity;

/* Asks peers about each that comes, too, and has validity tell what runs out. */
struct sweep *sweep_new(struct peers *peers, struct gate *gate, struct validity *validity,
			struct timer_wheel *wheel);
void sweep_free(struct sweep *s);
/* From now on cut connections' sessions are ended. */
void sweep_set_registry(struct sweep *s, struct registry *registry);
/* By what certificates are judged from now on, NULL without TLS; all that are in are looked at, a
 * few in each turn. */
void sweep_begin(struct sweep *s, struct tls_context *tls);

#endif
