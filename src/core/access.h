/* Who may do what: the identities of a connection, the authentication schemes that give them, and
 * the check of a znode's ACL (ZooKeeper's ZooKeeperServer.checkACL, PrepRequestProcessor.fixupACL
 * and the providers of world, auth, digest, ip and x509, beside which stands san: other names of a
 * certificate than its subject). Core thread. */
#ifndef CORE_ACCESS_H
#define CORE_ACCESS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "core/acl.h"
#include "wire/proto.h"

struct policy;
struct policy_roles;

/* What a client can make grow. */
struct access_limits {
	unsigned max_ids;     /* identities of a connection */
	size_t max_id_bytes;  /* of one that a client names */
	unsigned max_entries; /* of an ACL */
	size_t max_acl_bytes; /* encoded */
	/* Who is asked for no permission (identities of the scheme "super"); NULL: nobody. */
	const char *super_digest; /* "super:" and a hash, as the scheme digest makes an identity */
	const char *super_x509;   /* subject of a certificate */
	bool has_san;             /* certificates give identities of the scheme san */
	bool has_digest;          /* the scheme digest is known */
	enum crypto_hash digest_hash;
	/* What is asked before a znode's ACL, or instead of it; NULL: none. It may be another one
	 * from one request to the next. */
	const struct policy *policy;
};
void access_limits_init(struct access_limits *l);

struct access_id {
	char *scheme;
	char *id;
};

/* Identities belong to the connection, not to the session. */
struct access_ids {
	struct access_id *items;
	unsigned count;
	const struct access_limits *limits;
	/* The verdict before: whoever goes through a directory meets the same ACL again and
	 * again. */
	uint64_t judged_acl; /* acl.serial; 0: none */
	int32_t judged_perms;
	bool verdict;
	bool is_super;
	/* The last password was a wrong one of a user who is known: the super user, or one whom the
	 * policy names. */
	bool has_erred;
	/* What was wrong with the last one that was refused, for log and trail. */
	const char *refusal;
	struct policy_roles *roles; /* what a policy made of the items; NULL: not asked yet */
};

/* limits are lent for the life of ids. */
void access_ids_init(struct access_ids *ids, const struct access_limits *limits);
void access_ids_fini(struct access_ids *ids);
/* Add scheme:id unless it is there. -1 where there are too many already. */
must_check int access_ids_add(struct access_ids *ids, const char *scheme, struct slice id);

/* What the gate found out of a peer; all lent. */
struct access_name {
	const char *scheme; /* x509 or san */
	const char *id;
};
struct access_peer {
	const char *host;
	const char *subject;             /* of its certificate; NULL: none */
	const char *owner;               /* which name its sessions belong to; NULL: it has none */
	const struct access_name *names; /* by which it goes, the first one first */
	size_t name_count;
};
/* -1 where there is no room for its address, its names, and the super user that it may be. */
must_check int access_ids_add_peer(struct access_ids *ids, const struct access_peer *peer);
/* Whether one of ids is of a scheme in this list ("digest,x509"). */
bool access_has_scheme(const struct access_ids *ids, const char *schemes);

/* An auth request. OK: the identity was added, or the scheme takes the packet and ignores it (ip).
 * AUTH_FAILED: unknown scheme, refused, too many identities, or, where there is a policy, a wrong
 * password; the connection is to be closed. Without a policy any password is a good one, as in
 * ZooKeeper, of which one makes an identity, the super user's wrong ones too. */
enum zerr access_authenticate(struct access_ids *ids, struct slice scheme, struct slice auth);

/* What the policy alone gives ids on path, of PERM_ALL; all of it without a policy, and for super
 * users. */
int32_t access_rights(struct access_ids *ids, struct slice path);
/* Whether the policy lets znodes' ACLs count at path. */
bool access_asks_acl(const struct access_ids *ids, struct slice path);
/* What ids are to the policy; NULL where nobody asks: no policy, or a super user. Lent until the
 * next change of either. */
const struct policy_roles *access_roles(struct access_ids *ids);
/* Whether policy and ACL give ids one of perms (any bit) on the znode at path. */
bool access_allows(struct access_ids *ids, struct slice path, const struct acl *acl, int32_t perms);
/* Whether there is nothing that the policy keeps from ids. */
bool access_reads_all(struct access_ids *ids);

/* Whether ids hold one of perms (any bit) on a znode with this ACL. */
bool access_permits(const struct acl *acl, struct access_ids *ids, int32_t perms);

/* Validate the ACL that a client gives a znode, drop duplicates, put the caller's identities in
 * place of "auth", and append the encoded vector to out. INVALID_ACL where ZooKeeper says so, and
 * for a list beyond the limits; MARSHALLING for a null id of a known scheme, as there. */
enum zerr access_fix_acls(const struct access_ids *ids, const struct proto_acls *given,
			  struct buf *out);

/* Append acl as a reader without ADMIN sees it: hashes of digest identities as "user:x". */
void access_write_masked(struct jute_writer *w, const struct acl *acl);

/* Append who ids are, as whoAmI tells it: a vector of scheme and user, without what proves it. */
void access_write_users(struct jute_writer *w, const struct access_ids *ids);

#endif
