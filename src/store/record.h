/* A record: what one change (one zxid) says. Which columns of which znodes are put, which znodes
 * are deleted, which sessions open and close. Values are final, so a record may be applied twice; a
 * record knows nothing of requests. The core writes them, the log keeps them, replay and start
 * apply them. Pure functions. */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cdefs.h"
#include "base/slice.h"

/* Groups of a znode's columns that change together. */
enum record_columns {
	RECORD_BIRTH = 1,    /* czxid, ctime, owner */
	RECORD_DATA = 2,     /* data, mzxid, mtime, version */
	RECORD_ACL = 4,      /* acl, aversion */
	RECORD_CHILDREN = 8, /* pzxid, creates, num_children */
	RECORD_ALL = 15,
};

struct record_znode {
	struct slice path;
	unsigned columns; /* 0: the znode is deleted */
	int64_t czxid;
	int64_t ctime; /* ms since 1970 */
	/* Session of an ephemeral; 0; negative: container and TTL marks as in ZooKeeper's
	 * EphemeralType. */
	int64_t owner;
	struct slice data; /* NULL: null */
	int64_t mzxid;
	int64_t mtime;
	int32_t version;
	struct slice acl; /* jute: the encoded vector of ACL entries, count included */
	int32_t aversion;
	int64_t pzxid;
	/* Children ever created: gives sequence numbers; cversion is 2 * creates - num_children. */
	int32_t creates;
	int32_t num_children;
};

enum { RECORD_PASSWORD_HASH_LEN = 32 };

struct record_session {
	int64_t id;
	bool open;          /* false: closed or expired, and only id counts */
	int32_t timeout_ms; /* as negotiated */
	uint8_t password_hash[RECORD_PASSWORD_HASH_LEN]; /* SHA-256 */
	/* Certificate identity that opened it; NULL where there was none; RECORD_IDENTITY_UNBOUND
	 * where that is not known. */
	struct slice identity;
};

/* Of a session that came from elsewhere: it belongs to who resumes it first. No certificate has
 * this name: each part of one has a '=' in it. */
#define RECORD_IDENTITY_UNBOUND "unbound"

enum record_item_kind { RECORD_ITEM_END, RECORD_ITEM_ZNODE, RECORD_ITEM_SESSION, RECORD_ITEM_BAD };

struct record_item {
	enum record_item_kind kind;
	struct record_znode znode;
	struct record_session session;
};

struct audit_note;

/* The clear columns of a log row. */
struct record_head {
	int64_t zxid;
	int64_t prev;    /* zxid of the row before, 0 in an empty registry */
	int64_t time_ms; /* wall clock */
	int64_t session; /* 0: the server's own */
	struct slice identity;
	struct slice address;
	const char *op;    /* opcode_name() */
	struct slice path; /* of a multi: that of its first operation; may be NULL */
	/* What the audit trail gets beside these; not read back. NULL: nothing. */
	const struct audit_note *note;
};

/* Append one item to a record's body. -1 where body is full. */
must_check int record_put_znode(struct buf *body, const struct record_znode *z);
must_check int record_put_session(struct buf *body, const struct record_session *s);

/* Read a body item by item; slices borrow the body. */
struct record_reader {
	const uint8_t *pos;
	const uint8_t *end;
};
void record_reader_init(struct record_reader *r, struct slice body);
/* END at the end, BAD where the body is damaged (and from then on). */
enum record_item_kind record_read(struct record_reader *r, struct record_item *item);

#endif
