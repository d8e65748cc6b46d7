/* The client protocol's numbers and records (ZooKeeper 3.9: zookeeper.jute, ZooDefs,
 * KeeperException.Code, Watcher.Event). Pure functions. Read functions borrow the input; the
 * reader's bad flag tells of a broken record. Field names are the protocol's. */
#ifndef WIRE_PROTO_H
#define WIRE_PROTO_H

#include "wire/jute.h"

enum opcode {
	OP_NOTIFICATION = 0,
	OP_CREATE = 1,
	OP_DELETE = 2,
	OP_EXISTS = 3,
	OP_GET_DATA = 4,
	OP_SET_DATA = 5,
	OP_GET_ACL = 6,
	OP_SET_ACL = 7,
	OP_GET_CHILDREN = 8,
	OP_SYNC = 9,
	OP_PING = 11,
	OP_GET_CHILDREN2 = 12,
	OP_CHECK = 13,
	OP_MULTI = 14,
	OP_CREATE2 = 15,
	OP_RECONFIG = 16,
	OP_CHECK_WATCHES = 17,
	OP_REMOVE_WATCHES = 18,
	OP_CREATE_CONTAINER = 19,
	OP_DELETE_CONTAINER = 20,
	OP_CREATE_TTL = 21,
	OP_MULTI_READ = 22,
	OP_AUTH = 100,
	OP_SET_WATCHES = 101,
	OP_SASL = 102,
	OP_GET_EPHEMERALS = 103,
	OP_GET_ALL_CHILDREN_NUMBER = 104,
	OP_SET_WATCHES2 = 105,
	OP_ADD_WATCH = 106,
	OP_WHO_AM_I = 107,
	OP_CREATE_SESSION = -10,
	OP_CLOSE_SESSION = -11,
	OP_ERROR = -1,
};

/* "create", "setData", … as ZooKeeper names them; "unknown" for others. */
const char *opcode_name(int32_t op);

enum zerr {
	ZERR_OK = 0,
	ZERR_SYSTEM = -1,
	ZERR_RUNTIME_INCONSISTENCY = -2,
	ZERR_CONNECTION_LOSS = -4,
	ZERR_MARSHALLING = -5,
	ZERR_UNIMPLEMENTED = -6,
	ZERR_BAD_ARGUMENTS = -8,
	ZERR_API = -100,
	ZERR_NO_NODE = -101,
	ZERR_NO_AUTH = -102,
	ZERR_BAD_VERSION = -103,
	ZERR_NO_CHILDREN_FOR_EPHEMERALS = -108,
	ZERR_NODE_EXISTS = -110,
	ZERR_NOT_EMPTY = -111,
	ZERR_SESSION_EXPIRED = -112,
	ZERR_INVALID_CALLBACK = -113,
	ZERR_INVALID_ACL = -114,
	ZERR_AUTH_FAILED = -115,
	ZERR_SESSION_MOVED = -118,
	ZERR_NOT_READ_ONLY = -119,
	ZERR_NO_WATCHER = -121,
	ZERR_RECONFIG_DISABLED = -123,
	ZERR_SESSION_CLOSED_REQUIRE_AUTH = -124,
	ZERR_QUOTA_EXCEEDED = -125,
	ZERR_THROTTLED = -127,
};

enum event_type {
	EVENT_NODE_CREATED = 1,
	EVENT_NODE_DELETED = 2,
	EVENT_NODE_DATA_CHANGED = 3,
	EVENT_NODE_CHILDREN_CHANGED = 4,
};

enum { EVENT_STATE_SYNC_CONNECTED = 3 };

/* Reserved xids. */
enum { XID_EVENT = -1, XID_PING = -2, XID_AUTH = -4, XID_SET_WATCHES = -8 };

enum perm {
	PERM_READ = 1,
	PERM_WRITE = 2,
	PERM_CREATE = 4,
	PERM_DELETE = 8,
	PERM_ADMIN = 16,
	PERM_ALL = 31,
};

/* CreateMode's flags. */
enum {
	CREATE_PERSISTENT = 0,
	CREATE_EPHEMERAL = 1,
	CREATE_SEQUENTIAL = 2,
	CREATE_EPHEMERAL_SEQUENTIAL = 3,
	CREATE_CONTAINER = 4,
	CREATE_TTL = 5,
	CREATE_TTL_SEQUENTIAL = 6,
};

/* What Stat.ephemeralOwner holds of a znode that no session owns (EphemeralType); clients see 0. */
#define PROTO_OWNER_CONTAINER INT64_MIN
#define PROTO_OWNER_TTL ((int64_t)UINT64_C(0xff00000000000000))
#define PROTO_TTL_MAX_MS INT64_C(0xffffffffff)

enum { PROTO_PASSWORD_LEN = 16, PROTO_VERSION_ANY = -1 };

struct proto_stat {
	int64_t czxid;
	int64_t mzxid;
	int64_t ctime;
	int64_t mtime;
	int32_t version;
	int32_t cversion;
	int32_t aversion;
	int64_t ephemeral_owner;
	int32_t data_length;
	int32_t num_children;
	int64_t pzxid;
};
void proto_write_stat(struct jute_writer *w, const struct proto_stat *s);

struct proto_acl {
	int32_t perms;
	struct slice scheme;
	struct slice id;
};
/* A vector of ACL entries, kept as it came: raw is the encoded items without the count. */
struct proto_acls {
	int32_t count; /* -1: null */
	struct slice raw;
};
struct proto_acls proto_read_acls(struct jute_reader *r);
/* The next entry of r, which jute_reader_init set on raw. */
struct proto_acl proto_read_acl(struct jute_reader *r);
void proto_write_acl(struct jute_writer *w, const struct proto_acl *acl);

struct proto_connect_request {
	int32_t protocol_version;
	int64_t last_zxid_seen;
	int32_t timeout;
	int64_t session_id;
	struct slice passwd;
	bool has_read_only; /* the trailing byte is younger than 3.4 */
	bool read_only;
};
struct proto_connect_request proto_read_connect(struct jute_reader *r);

struct proto_connect_reply {
	int32_t timeout; /* 0: refused */
	int64_t session_id;
	uint8_t passwd[PROTO_PASSWORD_LEN];
	bool with_read_only; /* write the trailing byte (always false: we are never read-only) */
};
void proto_write_connect_reply(struct jute_writer *w, const struct proto_connect_reply *reply);

struct proto_request_header {
	int32_t xid;
	int32_t type;
};
struct proto_request_header proto_read_request_header(struct jute_reader *r);

struct proto_reply_header {
	int32_t xid;
	int64_t zxid;
	int32_t err;
};
enum { PROTO_REPLY_HEADER_LEN = 16 };
void proto_write_reply_header(struct jute_writer *w, const struct proto_reply_header *h);

struct proto_create { /* create, create2, createContainer, createTTL */
	struct slice path;
	struct slice data;
	struct proto_acls acl;
	int32_t flags;  /* CreateMode */
	int64_t ttl_ms; /* -1 but for createTTL */
};
/* type: createTTL's record has one number more. */
struct proto_create proto_read_create(struct jute_reader *r, int32_t type);

struct proto_path_version { /* delete, check */
	struct slice path;
	int32_t version;
};
struct proto_path_version proto_read_path_version(struct jute_reader *r);

struct proto_path_watch { /* exists, getData, getChildren, getChildren2 */
	struct slice path;
	bool watch;
};
struct proto_path_watch proto_read_path_watch(struct jute_reader *r);

/* addWatch (AddWatchMode), checkWatches and removeWatches (WatcherType). */
struct proto_path_number {
	struct slice path;
	int32_t number;
};
struct proto_path_number proto_read_path_number(struct jute_reader *r);

enum { ADD_WATCH_PERSISTENT = 0, ADD_WATCH_RECURSIVE = 1 };

enum {
	WATCHER_CHILDREN = 1,
	WATCHER_DATA = 2,
	WATCHER_ANY = 3,
	WATCHER_PERSISTENT = 4,
	WATCHER_RECURSIVE = 5,
};

struct proto_set_data {
	struct slice path;
	struct slice data;
	int32_t version;
};
struct proto_set_data proto_read_set_data(struct jute_reader *r);

struct proto_set_acl {
	struct slice path;
	struct proto_acls acl;
	int32_t version;
};
struct proto_set_acl proto_read_set_acl(struct jute_reader *r);

struct proto_auth {
	int32_t type;
	struct slice scheme;
	struct slice auth;
};
struct proto_auth proto_read_auth(struct jute_reader *r);

/* Between the operations of a multi and of its reply. */
struct proto_multi_header {
	int32_t type;
	bool done;
	int32_t err;
};
struct proto_multi_header proto_read_multi_header(struct jute_reader *r);
void proto_write_multi_header(struct jute_writer *w, const struct proto_multi_header *h);

/* A vector of strings, read one by one with jute_read_buffer: proto_read_strings gives the count
 * and, in *items, a reader over them, and moves r behind them. -1: null. */
int32_t proto_read_strings(struct jute_reader *r, struct jute_reader *items);

/* Body of a notification. */
void proto_write_watcher_event(struct jute_writer *w, int32_t type, int32_t state,
			       struct slice path);

#endif
