-- log/<number>.db, version 2: one segment of the log of changes. (Version 1: the same tables, no checksums.)
--
-- Look with `sqlite3 -readonly log/0000000001.db`; do not write, the server relies on being the only
-- writer. A row is written once and never changed. Old segments are removed as a whole. The last 8 bytes of each page
-- are a checksum (src/store/checksum.h), which SQLite leaves alone.
--
-- The segment with the highest number is usually prepared and still empty; the one before it is
-- being written. To look over all of them:
--     for f in log/*.db; do sqlite3 -readonly "$f" "SELECT ... FROM changes"; done
-- or over two at once, from sqlite3 -readonly log/0000000002.db:
--     ATTACH 'log/0000000001.db' AS older;
--     SELECT * FROM older.changes UNION ALL SELECT * FROM main.changes ORDER BY zxid;
--
--   Who changed what, newest last:
--     SELECT * FROM changes WHERE path LIKE '/HelloWorldService/%' ORDER BY zxid;
--   How the providers of a service came and went. An ephemeral znode that goes with its session has
--   no row of its own, but goes in the session's closeSession (its result says so where it expired or was cut off):
--     SELECT time, op, path, session_hex, identity, address FROM changes
--     WHERE path LIKE '/HelloWorldService/1.0.0/%' OR op = 'closeSession' AND session IN
--         (SELECT session FROM changes WHERE path LIKE '/HelloWorldService/1.0.0/%')
--     ORDER BY zxid;
--   All that one session did (its closeSession may stand in a later segment than its creates):
--     SELECT * FROM changes WHERE session = 0x5887000000002 ORDER BY zxid;

--   What the audit trail says of a znode, refusals too, newest last. (zoolited --export-audit
--   gives all of it as JSON, zoolited --verify-audit checks that nothing was altered or removed.)
--     SELECT time, kind, who, address, op, path, old_version, version, result, count FROM trail
--     WHERE path = '/HelloWorldService/1.0.0' ORDER BY number;

-- One row for each change, that is for each zxid. It is the change's row of the audit trail too.
CREATE TABLE change (
	zxid INTEGER NOT NULL PRIMARY KEY,
	prev INTEGER NOT NULL,          -- zxid of the row before, in this segment or an older one
	time INTEGER NOT NULL,          -- milliseconds since 1970
	session INTEGER NOT NULL,       -- who asked for it; 0: the server itself
	identity TEXT,                  -- certificate identity of that session's peer
	address TEXT,                   -- its network address
	op TEXT NOT NULL,               -- operation; 'begin': a start of the server
	path TEXT,                      -- of a multi: that of its first operation
	-- The audit trail's part; NULL: zoolite.audit=off
	number INTEGER,                 -- of this row in the trail, see audit
	who TEXT,                       -- JSON array of the names that the connection has; NULL: none
	old_version INTEGER,            -- of the znode (of its ACL where that was set); NULL: it was not there
	version INTEGER,                -- NULL: it is not there any more
	result TEXT,                    -- why it came about, 'expired' or what a session was cut off for; NULL: asked for
	detail TEXT,                    -- of a multi or a session's end: JSON, of each step op, path and versions
	mac BLOB,
	record BLOB NOT NULL            -- what the change says (src/store/record.h)
) STRICT;

-- One row.
CREATE TABLE segment (
	database BLOB NOT NULL,         -- id that log and tree share
	number INTEGER NOT NULL,        -- as in the file's name
	epoch INTEGER NOT NULL,         -- highest epoch in use when this was written
	prev INTEGER,                   -- zxid of the row before the first in here; NULL: prepared, not used yet
	audit_number INTEGER,           -- number of the audit row before the first in here; 0: there is none
	audit_mac BLOB,                 -- and its mac
	audit_key BLOB                  -- which key: first 8 bytes of a hash; empty: no secret one; NULL: zoolite.audit=off
) STRICT;

-- The audit trail's rows for what is no change. Together with those of change they are numbered in one
-- sequence and chained: mac is an HMAC over the mac of the row before and all that this row says. Equal
-- refusals, connections and reads of an address within a minute are two rows at most: the first one, and
-- one that counts the others.
CREATE TABLE audit (
	number INTEGER NOT NULL PRIMARY KEY, -- goes on from segment to segment
	kind TEXT NOT NULL,             -- 'start', 'stop', 'reload', 'control'; 'connect', 'resume', 'read';
	                                -- 'refuse': somebody or something was; 'prune': rows up to 'detail' were removed
	time INTEGER NOT NULL,          -- milliseconds since 1970; the last one's where several are counted
	session INTEGER NOT NULL,       -- 0: none
	who TEXT,                       -- as in change
	address TEXT,
	op TEXT,                        -- operation or command
	path TEXT,
	result TEXT,                    -- why it was refused
	count INTEGER NOT NULL,         -- how many equal events this row tells
	detail TEXT,
	mac BLOB NOT NULL
) STRICT;

-- The same as change with what people read: ids as numbers and in hex, as logs and clients show
-- them, and the time in UTC.
CREATE VIEW changes AS
	SELECT zxid, printf('0x%x', zxid) AS zxid_hex,
		strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS time,
		session, printf('0x%x', session) AS session_hex, identity, address, op, path,
		length(record) AS record_length
	FROM change;

-- The whole audit trail.
CREATE VIEW trail AS
	SELECT number, strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS time, 'change' AS kind,
		zxid, printf('0x%x', session) AS session_hex, who, address, op, path, old_version, version,
		result, 1 AS count, detail
	FROM change WHERE number IS NOT NULL
	UNION ALL
	SELECT number, strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch'), kind,
		NULL, printf('0x%x', session), who, address, op, path, NULL, NULL, result, count, detail
	FROM audit;
