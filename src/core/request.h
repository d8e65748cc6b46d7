/* Requests of a session: decode, ask access, act on the tree, encode. One handler for each type, in
 * core/request_*.c by family; app/dispatch calls them. A handler answers with an error code, and
 * with a body in out where that is OK. Core thread. */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/client.h"
#include "core/registry.h"
#include "store/room.h"
#include "wire/jute.h"
#include "wire/proto.h"

struct request {
	struct registry *registry;
	struct client *client;
	int32_t xid;
	int32_t type;
	struct jute_reader in;  /* behind the header */
	struct jute_writer out; /* body of the reply */
	int64_t mark;           /* what must be on disk before the reply leaves; 0: nothing */
	int64_t zxid;           /* of a write, failed or not; 0: it took none */
	uint32_t writes;        /* set by a multi: how many it is */
	bool is_unfinished;  /* set by a handler: nothing is answered yet, run it again next turn */
	const char *closing; /* set by a handler: why the connection ends behind the reply */
};

typedef enum zerr (*request_fn)(struct request *rq);

enum zerr request_create(struct request *rq); /* create, create2, createContainer, createTTL */
enum zerr request_delete(struct request *rq);
enum zerr request_delete_container(struct request *rq);
enum zerr request_exists(struct request *rq);
enum zerr request_get_data(struct request *rq);
enum zerr request_set_data(struct request *rq);
enum zerr request_get_children(struct request *rq); /* getChildren, getChildren2 */
enum zerr request_get_all_children_number(struct request *rq);
enum zerr request_get_acl(struct request *rq);
enum zerr request_set_acl(struct request *rq);
enum zerr request_sync(struct request *rq);
enum zerr request_multi(struct request *rq);
enum zerr request_multi_read(struct request *rq);
enum zerr request_get_ephemerals(struct request *rq);
enum zerr request_who_am_i(struct request *rq);
enum zerr request_set_watches(struct request *rq); /* setWatches, setWatches2 */
enum zerr request_add_watch(struct request *rq);
enum zerr request_check_watches(struct request *rq);
enum zerr request_remove_watches(struct request *rq);
enum zerr request_close_session(struct request *rq);
enum zerr request_auth(struct request *rq);
enum zerr request_sasl(struct request *rq);
enum zerr request_reconfig(struct request *rq);

/* Whether a write is to be refused for want of room on disk (store/room.h): NOT_READ_ONLY, which
 * takes no zxid. */
bool request_lacks_room(const struct request *rq);

/* The first frame of a connection. Answers it (or closes the connection) by itself. */
void request_connect(struct client *c, struct slice frame);

/* --- between the families --- */

/* One operation of a multi, or a request that changes the tree, inside of an open change. What it
 * answers is in *out. */
struct op_result {
	struct slice path;      /* create: the path made; valid until the end of the request */
	struct proto_stat stat; /* create2, setData, setACL */
};
enum zerr op_create(struct request *rq, int32_t type, const struct proto_create *op,
		    struct op_result *out);
enum zerr op_delete(struct request *rq, const struct proto_path_version *op);
enum zerr op_set_data(struct request *rq, const struct proto_set_data *op, struct op_result *out);
enum zerr op_set_acl(struct request *rq, const struct proto_set_acl *op, struct op_result *out);
enum zerr op_check(struct request *rq, const struct proto_path_version *op);
/* The same of one operation, and of a multi, which is refused as a whole. flags: of a create. */
bool op_lacks_room(const struct request *rq, enum room_level level, int32_t type, int32_t flags,
		   struct slice path);
bool multi_lacks_room(const struct request *rq, enum room_level level);
/* One operation of a multiRead, or such a request: the body is appended to rq->out, or nothing
 * where it fails. */
enum zerr op_get_data(struct request *rq, struct slice path);
enum zerr op_get_children(struct request *rq, struct slice path);

/* Look a znode up for a reader ("" is the root); its mark is added to the request's. NO_NODE, or
 * SYSTEM where tree.db cannot be read. */
enum zerr request_find(struct request *rq, struct slice path, struct znode **z);
/* The parent of path, which holds a slash. */
enum zerr request_find_parent(struct request *rq, struct slice path, struct znode **z);
/* Whether the policy gives the client one of perms (any bit) on path; NO_AUTH, logged and counted,
 * where not. Asked before the tree is: a refusal says nothing of what is there. */
enum zerr request_pass_policy(struct request *rq, struct slice path, int32_t perms);
/* err, but NO_AUTH instead of one that tells what is at path to somebody who may not see it. */
enum zerr request_hide(struct request *rq, struct slice path, enum zerr err);
/* Tell the audit trail that the client read path. */
void request_note_read(struct request *rq, struct slice path);
/* request_find for somebody who wants one of perms: NO_AUTH unless the policy and z's ACL give it.
 * The audit trail is told of a refusal, and of reads where it wants them. */
enum zerr request_find_permitted(struct request *rq, struct slice path, int32_t perms,
				 struct znode **z);
/* Whether the ACL of parent lets the client create or delete a child at path; NO_AUTH where not. */
enum zerr request_permit_child(const struct request *rq, const struct znode *parent,
			       struct slice path, int32_t perms);
/* The Stat of z as the client sees it. SYSTEM where tree.db cannot be read. */
enum zerr request_stat(struct request *rq, const struct znode *z, struct proto_stat *stat);
/* BAD_VERSION unless expected is -1 or current; *next gets the version that follows. */
enum zerr request_next_version(int32_t current, int32_t expected, int32_t *next);
/* Answer a write whose body is malformed. It takes no zxid, as others that fail do: it is answered
 * with that of the write before. */
enum zerr request_malformed_write(struct request *rq);
/* End the open change of a write as err says: log it, or take it back; sets zxid and mark. Returns
 * err. */
enum zerr request_end_change(struct request *rq, enum zerr err, struct slice path);
/* Whether a znode may have a path that long; BAD_ARGUMENTS where not. */
enum zerr request_allow_path(struct request *rq, struct slice path);
/* access_fix_acls for an ACL that a znode is to have, to out, which is empty; INVALID_ACL also
 * where there are too many in the registry. */
enum zerr request_fix_acls(struct request *rq, struct slice path, const struct proto_acls *given,
			   struct buf *out);
/* Arm a watch. BAD_ARGUMENTS for a path that no znode can have; above the limit of watches the
 * connection is closed. */
enum zerr request_watch(struct request *rq, struct slice path, enum watch_mode mode);
/* Whether a session may hold this much more as ephemeral znodes; QUOTA_EXCEEDED where not. */
enum zerr request_allow_ephemeral(struct request *rq, struct slice path, int64_t session_id,
				  size_t more_count, size_t more_bytes);
/* quota_check; a refusal is told to the audit trail. */
enum zerr request_allow_quota(struct request *rq, struct slice path, int64_t more_bytes,
			      bool is_create);

#endif
