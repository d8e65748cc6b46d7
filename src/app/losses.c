#include "app/losses.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/policy_file.h"
#include "app/print.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/jute.h"

enum { ENTRY_LEAST = 12 }; /* bytes of an entry: rights, two empty texts */

/* ---- schemes ---- */

static struct losses_scheme *find(struct losses *l, struct slice scheme)
{
	char name[LOSSES_SCHEME_LEN];
	struct losses_scheme *s;

	snprintf(name, sizeof(name), "%.*s", (int)(scheme.len < sizeof(name) ? scheme.len : 0),
		 scheme.data ? scheme.data : "");
	for (unsigned i = 0; i < l->count; i++)
		if (strcmp(l->schemes[i].name, name) == 0)
			return &l->schemes[i];
	if (l->count == LOSSES_SCHEMES)
		return NULL;
	s = &l->schemes[l->count++];
	memcpy(s->name, name, sizeof(name));
	return s;
}

void losses_add_acl(struct losses *l, struct slice encoded, uint64_t znodes)
{
	bool is_seen[LOSSES_SCHEMES] = { false };
	struct jute_reader r;
	int32_t count;

	jute_reader_init(&r, encoded);
	count = jute_read_count(&r, ENTRY_LEAST);
	for (int32_t i = 0; i < count && !r.bad; i++) {
		struct losses_scheme *s;

		(void)jute_read_int(&r);
		s = find(l, jute_read_buffer(&r));
		(void)jute_read_buffer(&r);
		if (!s) {
			l->others += znodes;
		} else if (!is_seen[s - l->schemes]) {
			is_seen[s - l->schemes] = true;
			s->znodes += znodes;
		}
	}
}

static void print_scheme(const struct losses_scheme *s, struct buf *out)
{
	char *name;

	if (strcmp(s->name, "world") == 0 || strcmp(s->name, "ip") == 0 ||
	    strcmp(s->name, "digest") == 0)
		return;
	name = log_escape(s->name);
	print(out, "acl scheme %s: in the ACLs of %" PRIu64 " znodes; ", name, s->znodes);
	if (strcmp(s->name, "x509") == 0)
		print(out, "ZooKeeper needs authProvider.x509=org.apache.zookeeper.server.auth."
			   "X509AuthenticationProvider to ask it\n");
	else
		print(out, "ZooKeeper does not know it: nobody has there what it gives\n");
	mem_free(name);
}

void losses_print_schemes(const struct losses *l, struct buf *out)
{
	for (unsigned i = 0; i < l->count; i++)
		print_scheme(&l->schemes[i], out);
	if (l->others > 0)
		print(out, "acl schemes, more of them: in the ACLs of %" PRIu64 " znodes\n",
		      l->others);
}

/* ---- the policy ---- */

/* The line's first word. */
static bool begins_with(const char *line, const char *word)
{
	size_t len = strlen(word);

	line += strspn(line, " \t");
	return strncmp(line, word, len) == 0 && strcspn(line + len, " \t\r\n") == 0;
}

/* Why no ACL says what the line says. NULL: it is no rule. */
static const char *why_lost(const char *line)
{
	if (begins_with(line, "allow"))
		return "an ACL is of one znode, for one identity, and nobody inherits it";
	if (begins_with(line, "deny"))
		return "an ACL denies nobody";
	if (begins_with(line, "acl"))
		return "ZooKeeper asks every ACL";
	return NULL;
}

static void print_rule(const struct config *c, unsigned number, char *line, struct buf *out)
{
	const char *why = why_lost(line);
	char *file, *text;

	if (!why)
		return;
	line[strcspn(line, "\r\n")] = '\0';
	file = log_escape(c->policy_file);
	text = log_escape(line + strspn(line, " \t"));
	print(out, "policy %.300s:%u: not carried: %.300s; %s\n", file, number, text, why);
	mem_free(text);
	mem_free(file);
}

static int fail(const struct config *c, char reason[LOSSES_REASON_LEN])
{
	snprintf(reason, LOSSES_REASON_LEN, "%.300s: %s", c->policy_file, strerror(errno));
	return -1;
}

int losses_print_policy(const struct config *c, struct buf *out, char reason[LOSSES_REASON_LEN])
{
	char *line = NULL;
	size_t size = 0;
	FILE *file;
	int rc = 0;

	if (!c->policy_file)
		return 0;
	file = fopen(c->policy_file, "re");
	if (!file)
		return fail(c, reason);
	for (unsigned number = 1; getline(&line, &size, file) >= 0; number++)
		print_rule(c, number, line, out);
	if (ferror(file))
		rc = fail(c, reason);
	free(line);
	fclose(file);
	return rc;
}
