/* The configuration: one table of properties (config.c) with type, target, bounds and default, read
 * from a zoo.cfg.
 *
 * ZooKeeper's own names are understood, with or without "zookeeper." before them (as its system
 * properties are called); ours begin with "zoolite.". What ZooKeeper knows and one node has no use
 * for is passed over and noted in the report; what nobody knows, a bad value, and a setting that
 * would make the server stricter than this version can be, are errors. A name given twice counts as
 * it stood last, as in ZooKeeper. Prints nothing. */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/slice.h"
#include "net/tls.h"

enum { CONFIG_NO_PORT = -1 };
enum config_protocol { CONFIG_TLS_1_2 = 1, CONFIG_TLS_1_3 = 2 };

/* All strings are owned; NULL where not set. Add a member here and a row to the table in config.c.
 */
struct config {
	/* where the data lies */
	char *data_dir;
	char *data_log_dir; /* NULL: data_dir */
	char *user;         /* who root becomes; NULL: stays what it is */
	/* ports: CONFIG_NO_PORT: none, 0: the system chooses; hosts: NULL: all addresses */
	int32_t client_port; /* plain text */
	char *client_host;
	int32_t secure_port; /* TLS */
	char *secure_host;
	int32_t monitor_port; /* four-letter words only, on loopback */
	/* the control socket */
	char *control_socket; /* NULL: in data_dir, "none": there is none */
	int64_t control_ms;   /* time for a command */
	int32_t max_control;  /* connections at once */
	/* snapshots */
	char *snapshot_dir;            /* NULL: "snapshots" in data_dir */
	int64_t snapshot_interval_ms;  /* 0: only on request */
	int64_t snapshot_age_ms;       /* younger ones are kept, whatever their number */
	int32_t snap_retain;           /* so many are kept, whatever their age */
	int32_t purge_hours;           /* between two looks for those to remove; 0: after each */
	int32_t snapshot_step;         /* pages in a step of the copy */
	uint64_t snapshot_rate;        /* bytes a second; 0: no limit */
	uint64_t snapshot_spare_bytes; /* that must be left free */
	int64_t snapshot_timeout_ms;   /* for copying one, and for verifying it */
	bool admin_snapshot;           /* over HTTP, too */
	/* sessions */
	int32_t tick_ms;
	int32_t min_session_ms; /* never -1 after reading */
	int32_t max_session_ms;
	/* znodes */
	bool extended_types;              /* those with a TTL */
	bool reconfig_enabled;            /* how reconfig is refused */
	int64_t container_check_ms;       /* how often containers and TTLs are looked at */
	int32_t container_max_per_minute; /* removed */
	int64_t container_never_used_ms;  /* how long one may wait for a child; 0: for ever */
	bool enforce_quota;               /* hard limits refuse */
	int32_t max_quotas;               /* paths with a quota */
	/* limits of strangers and connections */
	int32_t max_per_address;    /* maxClientCnxns; 0: no limit */
	int32_t max_connections;    /* maxCnxns; 0: no limit */
	int32_t backlog;            /* of the listeners; -1: the system's */
	int32_t gate_threads;       /* of handshakes */
	int32_t max_handshakes;     /* under way at once */
	int32_t max_failures;       /* handshakes of an address that fail ... */
	int64_t failure_window_ms;  /* ... in this time; 0: no limit */
	int32_t max_handshake_rate; /* of an address in a second; 0: no limit */
	int64_t handshake_ms;       /* time for a handshake */
	int64_t first_request_ms;   /* time until a peer has asked for its session */
	int32_t max_frame;          /* jute.maxbuffer: bytes of a request */
	uint64_t max_unsent;        /* bytes a peer does not take before it is cut off ... */
	int64_t unsent_ms;          /* ... after this time */
	uint64_t max_in_flight; /* bytes of replies of a connection that wait for the disk; above it
				   waits */
	uint64_t max_read_ahead;      /* bytes read from a connection that waits */
	uint64_t max_buffered;        /* bytes in and out of all connections */
	int32_t max_watches;          /* of a connection */
	uint64_t max_watch_bytes;     /* memory that they take */
	int32_t max_ephemerals;       /* of a session */
	uint64_t max_ephemeral_bytes; /* memory that they take */
	int32_t max_sessions;
	int32_t max_sessions_per_identity; /* 0: no limit, as with the next two */
	int32_t max_per_identity;          /* connections */
	int32_t write_rate;                /* writes a second of an identity */
	int32_t max_path;                  /* bytes of a path */
	int32_t max_ids;                   /* identities of a connection */
	int32_t max_id_bytes;              /* of an identity that a client names */
	int32_t max_acls; /* different ones in memory, of what cannot be dropped from there */
	int32_t max_acl_entries; /* of a znode */
	int32_t max_acl_bytes;
	uint64_t max_reply;         /* bytes of one reply */
	uint64_t max_pending_bytes; /* memory of what is not yet replayed; above it writers wait */
	enum log_level log_level;   /* the least that is logged */
	/* the admin server and the endpoint for Prometheus; hosts never NULL after reading */
	bool admin; /* admin.enableServer */
	char *admin_host;
	int32_t admin_port;
	char *admin_url;       /* "/commands" */
	int64_t admin_idle_ms; /* time until a request has come */
	bool metrics;          /* metricsProvider.className is that of Prometheus */
	char *metrics_host;
	int32_t metrics_port;
	uint64_t max_http_head; /* bytes of a request's head */
	char *words; /* four-letter words allowed, "ruok,srvr"; "*": all. config_allows_word reads
			it */
	/* who must prove what, and who may do all */
	bool enforce_auth;
	char *enforced_schemes; /* "digest,x509": one of these is asked for, with enforce_auth */
	bool digest;            /* the scheme is known */
	enum crypto_hash digest_hash;
	char *super_digest; /* "super:" and a hash */
	char *super_x509;   /* a certificate's subject */
	char *identity;     /* "uri,dns,email,cn,dn": names_chain_parse takes it */
	char *policy_file;  /* NULL: ACLs alone decide */
	uint64_t max_policy_bytes;
	int32_t max_policy_rules;
	int32_t max_roles; /* of a connection */
	/* how fast sessions may come, and how much of all may wait for the disk */
	int32_t connect_tokens; /* 0: no limit */
	int32_t connect_fill_count;
	int64_t connect_fill_ms;
	int32_t max_outstanding; /* replies; 0: no limit */
	/* networks that clients must not, and must, come from: files */
	char *deny_list;
	char *allow_list;
	char *proxy_from;           /* the same of balancers that say whom they connect */
	int64_t reload_interval_ms; /* how often files are looked at; 0: never */
	/* TLS: certificate chain and key, and the CAs that may have signed a client */
	char *cert_file;
	char *key_file; /* may be the same file */
	char *key_password;
	char *trust_file;
	char *crl_file;    /* or a directory; NULL: revocation is not asked for */
	bool may_lack_crl; /* whom no CRL of today tells of is let in */
	bool needs_crl;    /* ssl.crl */
	enum tls_client_auth client_auth;
	char *ciphers; /* suites with commas; NULL: those of net/tls */
	bool tls_1_2;  /* versions offered */
	bool tls_1_3;
	/* storage and memory */
	uint64_t cache_bytes;      /* clean znodes kept in memory */
	uint64_t tree_cache_bytes; /* SQLite's pages of tree.db, for each connection to it */
	uint64_t segment_bytes;    /* of log before the next segment */
	uint64_t retention_bytes;  /* of log kept */
	int64_t retention_ms;      /* 0: by size alone */
	uint64_t low_bytes;        /* of room on disk: below, writes are refused; 0: never */
	uint64_t most_tree_wal_bytes;
	int32_t alarm_lag; /* the log tells where it is more; 0: never, as below */
	uint64_t alarm_tree_wal;
	uint64_t alarm_tree_size;
	uint64_t alarm_log_size;
	uint64_t alarm_log_wal;
	int64_t alarm_sync_ms;
	uint64_t alarm_free_room; /* where it is less */
	int64_t alarm_snapshot_age_ms;
	uint64_t ballast_bytes;    /* kept for what goes on then */
	int32_t replay_batch_rows; /* most in one transaction on the tree */
	int64_t replay_delay_ms;   /* gathering a batch that is not full */
	int32_t max_lag_rows;      /* logged and not replayed; above it writers wait */
	/* the audit trail */
	bool audit;
	char *audit_key;          /* file; NULL: no secret key */
	bool audit_fail_closed;   /* no start without that */
	char *audit_reads;        /* paths with commas between; NULL: none */
	int32_t max_audit_events; /* different refusals told in a minute */
	/* As the file gave them; reading folds them into the members above. */
	unsigned protocol; /* enum config_protocol, 0: not given */
	unsigned enabled_protocols;
	int32_t netty_handshakes; /* 0 and less: no limit of its own */
	char *key_store_file;
	char *key_store_type;
	char *key_password_file;
	char *trust_store_file;
	char *trust_store_type;
	char *trust_store_password; /* a PEM file has none: not used, but no error */
	char *trust_store_password_file;
	char *given; /* what the file says, line by line, without comments and secrets */
};

enum config_note_kind {
	CONFIG_IGNORED,  /* ZooKeeper knows it, a single node has no use for it */
	CONFIG_REPEATED, /* given before; this one counts */
	CONFIG_EXPOSED,  /* a secret, in a file that others may read */
};

/* Something an operator should read in the log; names only, values may be secrets. */
struct config_note {
	enum config_note_kind kind;
	char *name;
	unsigned line;
};

enum {
	CONFIG_NO_LINE = 0,
	CONFIG_REASON_LEN = 512,
	CONFIG_ERROR_LEN = PATH_MAX + CONFIG_REASON_LEN + 100,
};

struct config_report {
	/* After a failure: all of it, "FILE:LINE: reason", and its parts. The reason is whole
	 * however long the file's name is; nothing is escaped. */
	char error[CONFIG_ERROR_LEN];
	unsigned line;      /* CONFIG_NO_LINE: the file as a whole */
	const char *reason; /* within error */
	unsigned *lines;    /* config_line reads it */
	struct config_note *notes;
	size_t note_count;
};

/* Read the file at path, and the password file it names. -1 with report->error. Both structs are
 * initialised here and want their fini after a failure too. */
must_check int config_load(const char *path, struct config *c, struct config_report *report);
/* The same for a text that is called name in errors; touches no file, so key_password_file is not
 * read. */
must_check int config_parse(struct slice text, const char *name, struct config *c,
			    struct config_report *report);
/* Read the password file, where one is named, anew. -1 with reason, and the password as it was. */
must_check int config_read_password(struct config *c, char reason[CONFIG_REASON_LEN]);
/* The line that gave a property last; CONFIG_NO_LINE where none did. */
unsigned config_line(const struct config_report *report, const char *property);
void config_fini(struct config *c); /* wipes secrets */
void config_report_fini(struct config_report *report);

/* Names, with commas between, of the properties that differ and that no reload takes. False where
 * there are none. A property that follows from another one is named too. */
enum { CONFIG_NAMES_LEN = 4096 };
bool config_waits(const struct config *running, const struct config *fresh,
		  char names[CONFIG_NAMES_LEN]);

/* What a reload takes changes places between the two; the rest of running stays. */
void config_take_reloaded(struct config *running, struct config *fresh);

/* Every option that has a value, as a text; no secrets. */
void config_foreach(const struct config *c,
		    void (*each)(void *ctx, const char *name, const char *value), void *ctx);

/* What zoolite.identity says, or ZooKeeper's way. */
struct names_chain;
void config_names(const struct config *c, struct names_chain *chain);

/* Whether 4lw.commands.whitelist allows a word of four letters. srvr always is, as in ZooKeeper. */
bool config_allows_word(const struct config *c, const char word[4]);

#endif
