#include "app/export.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/control_client.h"
#include "app/losses.h"
#include "app/print.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/seal.h"
#include "store/store.h"
#include "store/verify.h"
#include "store/zk_write.h"

#define BAD_SUFFIX ".bad"
enum { MOST_NAMED = 20, PATH_SHOWN = 500, MAX_ANSWER = 1024 * 1024 };

struct export
{
	const struct export_order *order;
	struct buf *out;
	struct losses losses;
	unsigned named; /* znodes with too much data */
};

static void add_acl(void *ctx, struct slice encoded, uint64_t znodes)
{
	struct export *e = ctx;

	losses_add_acl(&e->losses, encoded, znodes);
}

static void name_too_large(void *ctx, struct slice path, size_t bytes)
{
	struct export *e = ctx;
	char *copy, *line;

	if (e->named++ >= MOST_NAMED)
		return;
	copy = mem_dup(path.data, path.len);
	line = log_escape(copy);
	print(e->out, "too large: %.*s: %zu bytes\n", PATH_SHOWN, line, bytes);
	mem_free(line);
	mem_free(copy);
}

static void print_summary(const struct export *e, const struct zk_write_summary *s)
{
	struct stat st;
	char *path = log_escape(s->path);

	print(e->out, "snapshot: %.*s (%" PRIu64 " bytes)\n", PATH_SHOWN, path,
	      stat(s->path, &st) == 0 ? (uint64_t)st.st_size : 0);
	mem_free(path);
	print(e->out, "zxid: 0x%" PRIx64 "; the tree's: 0x%" PRIx64 "\n", (uint64_t)s->zxid,
	      (uint64_t)s->tree_zxid);
	print(e->out,
	      "carried: %" PRIu64 " znodes (%" PRIu64 " containers, %" PRIu64
	      " with a TTL), %" PRIu64 " bytes of data, %" PRIu64 " ACLs, %" PRIu64 " quotas\n",
	      s->znodes, s->containers, s->ttls, s->bytes, s->acls, s->limits);
	print(e->out, "digest: 0x%" PRIx64 "\n", (uint64_t)s->digest);
	print(e->out, "not carried: %" PRIu64 " ephemeral znodes, %" PRIu64 " sessions\n",
	      s->ephemerals, s->sessions);
	if (s->ttls > 0)
		print(e->out, "needed: extendedTypesEnabled=true in ZooKeeper's configuration; "
			      "without it what has a TTL is removed at its start\n");
	losses_print_schemes(&e->losses, e->out);
}

/* ---- writing ---- */

/* A start would refuse what is half ours and half ZooKeeper's. */
static int check_target(const char *target, char reason[EXPORT_REASON_LEN])
{
	char *tree = files_join(target, "tree.db");
	bool is_ours = access(tree, F_OK) == 0;

	mem_free(tree);
	if (!is_ours)
		return 0;
	snprintf(reason, EXPORT_REASON_LEN, "%.*s: is a data directory of this program", PATH_SHOWN,
		 target);
	return -1;
}

static int write_to(struct export *e, const char *tree, const char *dir,
		    char reason[STORE_REASON_LEN])
{
	const struct zk_write_options options = {
		.is_packed = e->order->is_packed,
		.max_data = e->order->max_data,
		.ctx = e,
		.acl = add_acl,
		.too_large = name_too_large,
	};
	struct zk_write_summary summary;
	int rc = zk_write(tree, dir, &options, &summary, reason);

	if (rc == 0)
		print_summary(e, &summary);
	mem_free(summary.path);
	return rc;
}

static int write_tree(const struct export_order *o, const char *tree, struct buf *out,
		      char reason[EXPORT_REASON_LEN])
{
	struct export e = { .order = o, .out = out };
	char why[STORE_REASON_LEN];
	char *dir;
	bool is_new;
	int rc;

	if (check_target(o->target, reason) != 0)
		return -1;
	dir = files_join(o->target, "version-2");
	is_new = access(dir, F_OK) != 0;
	rc = files_make_dir(dir, why);
	if (rc == 0) {
		rc = write_to(&e, tree, dir, why);
		if (rc != 0 && is_new)
			(void)rmdir(dir);
	}
	if (rc != 0)
		snprintf(reason, EXPORT_REASON_LEN, "%s", why);
	mem_free(dir);
	return rc;
}

/* ---- a snapshot ---- */

static bool is_called_bad(const char *file)
{
	size_t len = strlen(file);

	return len > strlen(BAD_SUFFIX) && strcmp(file + len - strlen(BAD_SUFFIX), BAD_SUFFIX) == 0;
}

/* The first fault is the reason. */
static void take_fault(void *ctx, const char *text)
{
	char *to = ctx;

	if (*to == '\0')
		snprintf(to, STORE_REASON_LEN, "%s", text);
}

/* 1: whole, and what it was when it was verified; 0: whole, but nobody says what it was; -1 with a
 * reason. */
static int check_snapshot(const char *file, char reason[EXPORT_REASON_LEN])
{
	char fault[STORE_REASON_LEN] = "";
	const struct verify_teller teller = { fault, take_fault, take_fault };
	struct verify_report report;
	struct seal seal;
	int rc;

	if (is_called_bad(file)) {
		snprintf(reason, EXPORT_REASON_LEN, "%.*s: is one that was found damaged",
			 PATH_SHOWN, file);
		return -1;
	}
	rc = verify_tree(file, &teller, &report) == 0 ? seal_read(file, &seal, fault) : -1;
	if (rc == 1 && strcmp(seal.digest.whole, report.digest.whole) != 0) {
		snprintf(reason, EXPORT_REASON_LEN,
			 "%.*s" SEAL_SUFFIX
			 ": names another digest: the file was altered after it was verified",
			 PATH_SHOWN, file);
		return -1;
	}
	if (rc == -1)
		snprintf(reason, EXPORT_REASON_LEN, "%s", fault);
	return rc;
}

static int export_file(const struct export_order *o, const char *tree, struct buf *out,
		       char reason[EXPORT_REASON_LEN])
{
	int is_sealed = check_snapshot(tree, reason);
	char *name;

	if (is_sealed < 0 || write_tree(o, tree, out, reason) != 0)
		return -1;
	if (is_sealed == 0) {
		name = log_escape(tree);
		print(out,
		      "warning: %.*s" SEAL_SUFFIX " is missing: the snapshot is whole, but nothing "
		      "says that it is what the server had\n",
		      PATH_SHOWN, name);
		mem_free(name);
	}
	return 0;
}

/* ---- from where ---- */

/* Where there is neither, opening the store would make it. */
static int check_source(const char *data_dir, const char *log_parent,
			char reason[EXPORT_REASON_LEN])
{
	char *tree = files_join(data_dir, "tree.db"), *log = files_join(log_parent, "log");
	const char *missing = access(tree, F_OK) != 0 ? tree : access(log, F_OK) != 0 ? log : NULL;

	if (missing)
		snprintf(reason, EXPORT_REASON_LEN, "%.*s: is missing", PATH_SHOWN, missing);
	mem_free(tree);
	mem_free(log);
	return missing ? -1 : 0;
}

static int export_directory(const struct export_order *o, const char *data_dir, const char *log_dir,
			    struct buf *out, char reason[EXPORT_REASON_LEN])
{
	struct store_options options;
	char why[STORE_REASON_LEN];
	struct store *store = NULL;
	char *tree;
	int rc;

	if (check_source(data_dir, log_dir ? log_dir : data_dir, reason) != 0)
		return -1;
	store_options_init(&options);
	options.data_dir = data_dir;
	options.log_dir = log_dir;
	if (store_open(&store, &options, why) != 0 || store_settle(store, why) != 0) {
		snprintf(reason, EXPORT_REASON_LEN, "%s", why);
		store_close(store);
		return -1;
	}
	tree = files_join(data_dir, "tree.db");
	rc = write_tree(o, tree, out, reason);
	mem_free(tree);
	store_close(store);
	return rc;
}

/* The value of "KEY=VALUE" on a line of its own; the caller frees. NULL: there is none. */
static char *value_of(const struct buf *answer, const char *key)
{
	char *text = mem_dup(buf_head(answer), buf_len(answer)), *value = NULL;

	for (char *line = text, *next; line && !value; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == '=')
			value = mem_strdup(line + strlen(key) + 1);
	}
	mem_free(text);
	return value;
}

/* Of a server that answered: take its word for where the snapshot is. */
static int export_answer(const struct export_order *o, const struct buf *answer, struct buf *out,
			 char reason[EXPORT_REASON_LEN])
{
	char *tree = control_client_is_ok(answer) ? value_of(answer, "snapshot") : NULL;
	int rc = -1;

	/* Where nothing has changed since, it was taken long ago. */
	if (tree)
		rc = export_file(o, tree, out, reason);
	else
		snprintf(reason, EXPORT_REASON_LEN, "the running server takes no snapshot: %.*s",
			 (int)strcspn((const char *)buf_head(answer), "\n"),
			 (const char *)buf_head(answer));
	mem_free(tree);
	return rc;
}

/* From the running server where one answers, else from its files. */
static int export_either(const struct export_order *o, const struct config *c, struct buf *out,
			 char reason[EXPORT_REASON_LEN])
{
	char silence[CONTROL_CLIENT_REASON_LEN], why[EXPORT_REASON_LEN];
	struct buf answer;
	int rc;

	buf_init(&answer, MAX_ANSWER);
	if (control_client_ask(c, "snapshot\n", &answer, silence) == 0) {
		/* A text for C. */
		buf_put(&answer, (struct slice){ "", 1 });
		rc = export_answer(o, &answer, out, reason);
	} else {
		rc = export_directory(o, c->data_dir, c->data_log_dir, out, why);
		if (rc != 0)
			snprintf(reason, EXPORT_REASON_LEN, "%.500s (%.400s)", why, silence);
	}
	buf_fini(&answer);
	return rc;
}

int export_server(const struct export_order *o, const struct config *c, struct buf *out,
		  char reason[EXPORT_REASON_LEN])
{
	struct buf policy;
	int rc;

	/* Before anything is written: it may be unreadable. */
	buf_init(&policy, SIZE_MAX);
	rc = losses_print_policy(c, &policy, reason);
	if (rc == 0)
		rc = export_either(o, c, out, reason);
	if (rc == 0)
		buf_put(out, buf_slice(&policy));
	buf_fini(&policy);
	return rc;
}

/* In no tree there is a policy. */
static void note_policy(struct buf *out)
{
	print(out, "policy: not carried and not looked at: the rules of zoolite.policyFile, if the "
		   "server has one, stand there alone; name its configuration file as well to have "
		   "them listed\n");
}

int export_files(const struct export_order *o, const char *source, const struct config *c,
		 struct buf *out, char reason[EXPORT_REASON_LEN])
{
	struct buf policy;
	struct stat st;
	int rc = 0;

	buf_init(&policy, SIZE_MAX);
	if (c)
		rc = losses_print_policy(c, &policy, reason);
	else
		note_policy(&policy);
	if (rc == 0)
		rc = stat(source, &st) == 0 && S_ISDIR(st.st_mode)
			     ? export_directory(o, source, c ? c->data_log_dir : NULL, out, reason)
			     : export_file(o, source, out, reason);
	if (rc == 0)
		buf_put(out, buf_slice(&policy));
	buf_fini(&policy);
	return rc;
}
