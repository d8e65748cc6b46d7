#include "app/command_import.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/complain.h"
#include "app/config.h"
#include "app/privileges.h"
#include "app/properties.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/import.h"

enum { CONFIG_MOST = 1024 * 1024, KIB = 1024 };

/* Where ZooKeeper's files are. */
struct source {
	char *dir;
	char *log_dir; /* NULL: dir */
};

static void source_fini(struct source *s)
{
	mem_free(s->dir);
	mem_free(s->log_dir);
}

static void set(char **to, const char *value)
{
	mem_free(*to);
	*to = mem_strdup(value);
}

/* ---- ZooKeeper's zoo.cfg ---- */

static int read_text(const char *path, struct buf *text)
{
	FILE *file = fopen(path, "r");
	size_t n = 0;

	if (!file)
		return -1;
	while (buf_reserve(text, KIB) == 0 && (n = fread(buf_tail(text), 1, KIB, file)) > 0)
		buf_commit(text, n);
	fclose(file);
	return n == 0 && buf_len(text) > 0 ? 0 : -1;
}

static void read_properties(struct slice text, struct source *s)
{
	struct properties p;
	struct property pair;
	const char *reason;

	properties_init(&p, text);
	while (properties_next(&p, &pair, &reason) == PROPERTIES_PAIR) {
		if (strcmp(pair.key, "dataDir") == 0)
			set(&s->dir, pair.value);
		else if (strcmp(pair.key, "dataLogDir") == 0)
			set(&s->log_dir, pair.value);
	}
	properties_fini(&p);
}

static int find_source(const char *name, struct source *s)
{
	char text[CONFIG_ERROR_LEN];
	struct buf config;
	struct stat st;

	*s = (struct source){ 0 };
	if (stat(name, &st) != 0 || !S_ISREG(st.st_mode)) {
		s->dir = mem_strdup(name);
		return 0;
	}
	buf_init(&config, CONFIG_MOST);
	if (read_text(name, &config) == 0)
		read_properties(buf_slice(&config), s);
	buf_fini(&config);
	if (s->dir)
		return 0;
	snprintf(text, sizeof(text), "%.300s: is no directory, and names no dataDir", name);
	complain(text);
	return -1;
}

/* ---- the summary ---- */

static const char *s_of(uint64_t count)
{
	return count == 1 ? "" : "s";
}

printf_like(1, 2) static void warn(const char *format, ...)
{
	char text[2 * STORE_REASON_LEN];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("warning: %s\n", text);
}

static bool is_known(const char *scheme)
{
	static const char *const known[] = { "world", "digest", "ip", "x509", "san" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i], scheme) == 0)
			return true;
	return false;
}

static void print_files(const struct import_summary *s)
{
	static const char *const codings[] = { "plain", "gzip", "snappy" };

	printf("snapshot: %s (%s)\n", s->snapshot, codings[s->coding]);
	printf("transactions: %" PRIu64 " from %u log%s, up to 0x%" PRIx64 "\n", s->txns, s->logs,
	       s_of(s->logs), (uint64_t)s->counts.zxid);
	if (s->logs == 0)
		warn("there is no log behind the snapshot: what was changed since is not here (is "
		     "dataLogDir another directory?)");
	for (unsigned i = 0; i < s->passed_over_count; i++)
		warn("a newer snapshot was passed over: %s", s->passed_over[i]);
	if (s->cut_log[0])
		warn("%s ends in the middle of a transaction, as after a crash", s->cut_log);
	if (s->counts.is_ahead)
		warn("the snapshot shows changes that no log has: some of its znodes may be older "
		     "than others");
}

static void print_znodes(const struct import_summary *s, const struct config *c)
{
	const struct import_counts *n = &s->counts;

	printf("znodes: %" PRIu64 " persistent, %" PRIu64 " container%s, %" PRIu64
	       " with a TTL, %" PRIu64 " ephemeral; %" PRIu64 " bytes of data\n",
	       n->persistent, n->containers, s_of(n->containers), n->ttls, n->ephemerals,
	       n->data_bytes);
	printf("quotas: %" PRIu64 "\n", n->quotas);
	if (n->large > 0)
		warn("%" PRIu64 " znode%s more data than jute.maxbuffer (%" PRId32
		     ") lets a client write here",
		     n->large, n->large == 1 ? " has" : "s have", c->max_frame);
	if (n->ttls > 0 && !c->extended_types)
		warn("znodes with a TTL are carried, but extendedTypesEnabled is off: clients "
		     "cannot create more");
}

static void print_acls(const struct import_summary *s)
{
	printf("ACLs:");
	for (unsigned i = 0; i < s->scheme_count; i++) {
		char *name = log_escape(s->schemes[i].name);

		printf("%s %s on %" PRIu64 " znode%s", i > 0 ? "," : "", name, s->schemes[i].znodes,
		       s_of(s->schemes[i].znodes));
		mem_free(name);
	}
	printf("\n");
	for (unsigned i = 0; i < s->scheme_count; i++) {
		char *name = log_escape(s->schemes[i].name);

		if (!is_known(s->schemes[i].name))
			warn("nobody has identities of the scheme %s here: what it grants, nobody "
			     "is granted",
			     name);
		mem_free(name);
	}
}

static void print_sessions(const struct import_summary *s, bool with_sessions)
{
	const struct import_counts *n = &s->counts;

	if (!with_sessions) {
		printf("sessions: none; %" PRIu64 " left behind, with %" PRIu64
		       " ephemeral znode%s\n",
		       n->lost_sessions, n->lost_ephemerals, s_of(n->lost_ephemerals));
		return;
	}
	printf("sessions: %" PRIu64 ", each will be bound to the identity that resumes it first\n",
	       n->sessions);
	if (n->lost_ephemerals > 0)
		warn("%" PRIu64 " ephemeral znode%s of sessions that had ended", n->lost_ephemerals,
		     n->lost_ephemerals == 1 ? " was" : "s were");
	if (n->sessions > 0)
		warn("their passwords are ZooKeeper's, made of the ids of the sessions: who knows "
		     "an id can resume it, until its client does");
}

static void print_digest(const struct import_summary *s)
{
	switch (s->digest) {
	case IMPORT_DIGEST_SAME:
		printf("digest: the same as ZooKeeper's\n");
		return;
	case IMPORT_DIGEST_OTHER:
		warn("the tree's digest differs from the one that ZooKeeper logged with the last "
		     "transaction");
		return;
	case IMPORT_DIGEST_NONE:
		break;
	}
	printf("digest: ZooKeeper kept none\n");
}

static void print_summary(const struct import_options *o, const struct import_summary *s,
			  const struct config *c)
{
	char *from = log_escape(o->dir), *to = log_escape(o->to_dir);

	printf("imported: %s to %s\n", from, to);
	mem_free(from);
	mem_free(to);
	print_files(s);
	print_znodes(s, c);
	print_acls(s);
	print_sessions(s, o->with_sessions);
	print_digest(s);
}

/* ---- the command ---- */

/* What root makes is for the user that the server becomes. */
static int choose_owner(const struct config *c, struct import_options *o)
{
	char reason[PRIVILEGES_REASON_LEN];

	o->uid = (uid_t)-1;
	o->gid = (gid_t)-1;
	if (!c->user || geteuid() != 0 || privileges_find(c->user, &o->uid, &o->gid, reason) == 0)
		return 0;
	complain(reason);
	return -1;
}

/* It was told why, in a line of the log. This is no server: nobody relies on what it made, and a
 * core tells nobody more. */
static void end(const char *event)
{
	(void)event;
	import_abandon();
	_exit(EXIT_FAILED);
}

struct choices {
	bool with_sessions;
	bool despite_digest;
};

static int import(const struct config *c, const struct source *from, const struct choices *choices)
{
	uint64_t cache =
		c->cache_bytes > c->tree_cache_bytes ? c->cache_bytes : c->tree_cache_bytes;
	struct import_options o = {
		.dir = from->dir,
		.log_dir = from->log_dir,
		.to_dir = c->data_dir,
		.to_log_dir = c->data_log_dir,
		.cache_kib = (uint32_t)(cache / KIB),
		.with_sessions = choices->with_sessions,
		.despite_digest = choices->despite_digest,
		.large_bytes = (uint64_t)c->max_frame,
	};
	char reason[STORE_REASON_LEN];
	struct import_summary summary;

	if (choose_owner(c, &o) != 0)
		return EXIT_USAGE;
	umask(S_IRWXG | S_IRWXO);
	log_set_death_hook(end);
	if (import_run(&o, &summary, reason) != 0) {
		complain(reason);
		return EXIT_FAILED;
	}
	print_summary(&o, &summary, c);
	return EXIT_OK;
}

/* Those between the directory and the configuration file. */
static int read_choices(char *const arguments[], size_t count, struct choices *out)
{
	for (size_t i = 1; i + 1 < count; i++) {
		if (strcmp(arguments[i], "--with-sessions") == 0) {
			out->with_sessions = true;
		} else if (strcmp(arguments[i], "--despite-digest") == 0) {
			out->despite_digest = true;
		} else {
			complain("zoolited: --import takes a directory, --with-sessions and "
				 "--despite-digest or neither, and a configuration file");
			return -1;
		}
	}
	return 0;
}

int command_import(char *const arguments[], size_t count)
{
	struct choices choices = { 0 };
	struct config_report report;
	struct config config;
	struct source from = { 0 };
	int rc = EXIT_USAGE;

	if (read_choices(arguments, count, &choices) != 0)
		return EXIT_USAGE;
	if (config_load(arguments[count - 1], &config, &report) != 0)
		complain(report.error);
	else if (find_source(arguments[0], &from) == 0)
		rc = import(&config, &from, &choices);
	source_fini(&from);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}
