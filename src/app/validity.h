/* What runs out, told in time: the server's certificates, the CAs and CRLs that clients are judged
 * by, and the certificates that connected peers showed. A line in the log 30, 7 and 1 days before
 * and at the end, once each. Core thread. */
#ifndef APP_VALIDITY_H
#define APP_VALIDITY_H

#include <stdbool.h>
#include <stdint.h>

#include "net/gate.h"

struct validity;
struct tls_context;

enum validity_part { VALIDITY_SERVER, VALIDITY_CA, VALIDITY_CRL, VALIDITY_PEER, VALIDITY_PARTS };

struct validity *validity_new(void);
void validity_free(struct validity *v);
/* What the context holds counts from now on; what was told of it before is not told again. */
void validity_take(struct validity *v, const struct tls_context *tls);
/* Tell what there is to tell of it now. */
void validity_look(struct validity *v);

/* A round of all connected peers: begin, each of them, end. *told is a connection's memory, 0 at
 * first; of a certificate that several show the first is told. */
void validity_peers_begin(struct validity *v);
void validity_peer(struct validity *v, const struct arrival *a, unsigned *told);
void validity_peers_end(struct validity *v);

/* Whole days until the first of a part runs out, of the peers as of the last round; below 0 it has.
 * False where there is none. */
bool validity_days(const struct validity *v, enum validity_part part, int64_t *days);

#endif
