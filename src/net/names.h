/* Which of a certificate's names its holder goes by: the chain of zoolite.identity. Pure functions,
 * any thread. */
#ifndef NET_NAMES_H
#define NET_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cdefs.h"
#include "net/identity.h"

enum names_kind { NAMES_URI, NAMES_DNS, NAMES_EMAIL, NAMES_CN, NAMES_DN, NAMES_KINDS };

enum { NAMES_MOST = IDENTITY_SANS_MAX + 2 }; /* of a certificate */

struct names_chain {
	enum names_kind kinds[NAMES_KINDS]; /* in their order */
	unsigned count;
	bool is_required; /* a certificate that has none of them is refused, */
	size_t max_names; /* and so is one that has more */
};

/* The subject as a whole, as ZooKeeper has it; nobody is refused for want of it. */
void names_chain_init(struct names_chain *c);
/* From a text like "uri,dns,email,cn,dn", blanks around the words allowed; is_required from then
 * on. -1 for an unknown word, one given twice, and none; *c is as it was then. */
must_check int names_chain_parse(struct names_chain *c, const char *text);
/* Whether it gives names other than the subject. */
bool names_chain_has_san(const struct names_chain *c);

/* Lent from the identity. */
struct name {
	const char
		*scheme; /* "x509": id is the subject; "san": "URI:…", "DNS:…", "EMAIL:…", "CN:…" */
	const char *id;
};

/* The names that the chain takes from id, in its order, at most NAMES_MOST. Their number. */
size_t names_list(const struct names_chain *c, const struct tls_identity *id,
		  struct name names[NAMES_MOST]);
/* The one that stands for its holder, who may resume what it began: the subject, where that is not
 * empty, else the first of the names; NULL: there is none. Lent from id. */
const char *names_owner(const struct names_chain *c, const struct tls_identity *id);
/* Why the chain lets nobody in with this certificate; NULL: it does, or there is none. */
const char *names_refusal(const struct names_chain *c, const struct tls_identity *id);

#endif
