-- tree.db, version 2: the registry as of one zxid. (Version 1: the same tables, no checksums.)
--
-- Look with `sqlite3 -readonly tree.db`; do not write, the server relies on being the only writer.
-- The tree runs a little behind the log (log/*.db), which has every change; `meta` says how far it is.
--
--   The providers of a service:
--     SELECT name FROM znode WHERE parent = '/HelloWorldService/1.0.0';
--   Everything about one znode (by parent and name there is an index; WHERE path = reads them all):
--     SELECT * FROM znodes WHERE parent = '/HelloWorldService' AND name = '1.0.0';
--   Who holds ephemeral znodes:
--     SELECT owner_hex, path FROM znodes WHERE owner > 0;
--   What changed last:
--     SELECT mtime, path, version FROM znodes ORDER BY mzxid DESC LIMIT 10;
--
-- Times in the tables are milliseconds since 1970. A zxid is 64 bits wide: a counter in the low 32,
-- the epoch in the high 32. The epoch rises at each start of the server, by one at least; it follows
-- a clock of ten-minute steps.
--
-- The last 8 bytes of each page are a checksum (src/store/checksum.h), which SQLite leaves alone. The server finds a
-- page damaged that was written by somebody else.

-- One row for each znode. The root has parent '' and name ''; its children have parent '/'.
CREATE TABLE znode (
	parent TEXT NOT NULL,           -- path of the parent
	name TEXT NOT NULL,             -- last part of the path
	data BLOB,                      -- NULL: null, which differs from empty
	czxid INTEGER NOT NULL,         -- zxid that created it
	mzxid INTEGER NOT NULL,         -- zxid that last set the data
	pzxid INTEGER NOT NULL,         -- zxid that last created or deleted a child
	ctime INTEGER NOT NULL,         -- when it was created
	mtime INTEGER NOT NULL,         -- when the data was last set
	version INTEGER NOT NULL,       -- changes of the data
	creates INTEGER NOT NULL,       -- children ever created; sequential names count by it
	aversion INTEGER NOT NULL,      -- changes of the ACL
	owner INTEGER NOT NULL,         -- 0: persistent; > 0: ephemeral, the session's id; < 0: container or TTL
	acl BLOB NOT NULL,              -- acl.key
	num_children INTEGER NOT NULL,
	UNIQUE (parent, name)
) STRICT;

-- Ephemeral znodes alone: what a start loads, and what a list of persistent children leaves out.
CREATE INDEX znode_ephemeral ON znode (parent, name) WHERE owner > 0;

-- Containers and znodes with a TTL alone: what is looked through for those to remove.
CREATE INDEX znode_marked ON znode (parent, name) WHERE owner < 0;

-- The access control lists that znodes have, each stored once.
CREATE TABLE acl (
	key BLOB NOT NULL PRIMARY KEY,  -- first 16 bytes of the SHA-256 of acl
	acl BLOB NOT NULL,              -- as the protocol encodes it
	text TEXT NOT NULL,             -- for readers: 'world:anyone:cdrwa', several with a comma between
	znodes INTEGER NOT NULL         -- how many have it
) STRICT, WITHOUT ROWID;

-- Open sessions.
CREATE TABLE session (
	id INTEGER NOT NULL PRIMARY KEY,
	timeout_ms INTEGER NOT NULL,
	password_hash BLOB NOT NULL,    -- SHA-256 of the session's password
	identity TEXT                   -- certificate identity that opened it
) STRICT;

-- 'database': random id that log and tree share; 'zxid': the newest change in here;
-- 'znodes': number of znodes that are not ephemeral.
CREATE TABLE meta (
	key TEXT NOT NULL PRIMARY KEY,
	value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- The same as znode with what clients see: whole path, cversion, ACL as text; ids as numbers and in
-- hex, times in UTC.
CREATE VIEW znodes AS
	SELECT CASE parent WHEN '' THEN '/' WHEN '/' THEN '/' || name ELSE parent || '/' || name END AS path,
		parent, name, data,
		czxid, printf('0x%x', czxid) AS czxid_hex,
		mzxid, printf('0x%x', mzxid) AS mzxid_hex,
		pzxid, printf('0x%x', pzxid) AS pzxid_hex,
		strftime('%Y-%m-%dT%H:%M:%fZ', ctime / 1000.0, 'unixepoch') AS ctime,
		strftime('%Y-%m-%dT%H:%M:%fZ', mtime / 1000.0, 'unixepoch') AS mtime,
		version, 2 * creates - num_children AS cversion, aversion,
		owner, printf('0x%x', owner) AS owner_hex,
		num_children, length(data) AS data_length, acl.text AS acl
	FROM znode JOIN acl ON acl.key = znode.acl;
