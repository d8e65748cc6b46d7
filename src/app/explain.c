#include "app/explain.h"

#include <string.h>

#include "app/print.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/access.h"
#include "core/policy.h"
#include "wire/path.h"

/* In one line, whatever is in it. */
static void print_escaped(struct buf *out, const char *text)
{
	char *line = log_escape(text);

	print_slice(out, slice_of(line));
	mem_free(line);
}

static void print_line(struct buf *out, const struct config *c, const struct policy_line *line)
{
	char *source;

	if (!line) {
		print(out, "no line speaks of it\n");
		return;
	}
	source = mem_dup(line->source.data, line->source.len);
	print_escaped(out, c->policy_file);
	print(out, ":%u: ", line->number);
	print_escaped(out, source);
	print(out, "\n");
	mem_free(source);
}

static void print_roles(struct buf *out, const struct policy *policy,
			const struct policy_roles *roles)
{
	if (roles->is_refused)
		print(out, "roles: more than zoolite.maxRoles, so none\n");
	else if (roles->count == 0)
		print(out, "roles: none\n");
	for (unsigned i = 0; i < roles->count; i++) {
		const struct policy_membership *m = &roles->items[i];
		const char *name;

		print(out, "role: %s", policy_role_name(policy, m->role));
		for (unsigned k = 0; (name = policy_variable_name(policy, m->role, k)); k++) {
			if (!m->values[k].data)
				continue;
			print(out, " %s=", name);
			print_escaped(out, m->values[k].data);
		}
		print(out, "\n");
	}
}

static void print_rights(struct buf *out, const struct config *c, struct access_ids *ids,
			 struct slice path)
{
	const struct policy *policy = ids->limits->policy;
	const struct policy_roles *roles = access_roles(ids);
	int32_t given = access_rights(ids, path);

	print_roles(out, policy, roles);
	for (int32_t right = 1; right & PERM_ALL; right <<= 1) {
		print(out, "%s: %s, ", policy_right_name(right), given & right ? "yes" : "no");
		print_line(out, c, policy_explain(policy, roles, path, right));
	}
	print(out, "ACL of the znode: %s, ",
	      access_asks_acl(ids, path) ? "asked as well" : "not asked");
	print_line(out, c, policy_explain_acl(policy, path));
}

/* "scheme:id" */
static const char *add_name(const struct config *c, struct access_ids *ids, const char *name)
{
	static const char *const schemes[] = { "x509", "san", "digest", "ip" };
	const char *id = strchr(name, ':');

	for (size_t i = 0; id && i < sizeof(schemes) / sizeof(*schemes); i++) {
		bool is_super;

		if (!slice_is((struct slice){ name, (size_t)(id - name) }, schemes[i]))
			continue;
		is_super = (i == 0 && c->super_x509 && strcmp(c->super_x509, id + 1) == 0) ||
			   (i == 2 && c->super_digest && strcmp(c->super_digest, id + 1) == 0);
		if ((is_super && access_ids_add(ids, "super", slice_of("")) != 0) ||
		    access_ids_add(ids, schemes[i], slice_of(id + 1)) != 0)
			return "there are more identities than zoolite.maxIdentities";
		return NULL;
	}
	return "an identity begins with x509:, san:, digest: or ip:";
}

const char *explain_access(const struct config *c, const struct policy *policy, char *const names[],
			   size_t count, const char *path, struct buf *out)
{
	const char *wrong = path_is_valid(slice_of(path)) ? NULL : "no znode has such a path";
	struct access_limits limits;
	struct access_ids ids;

	access_limits_init(&limits);
	limits.max_ids = (unsigned)c->max_ids;
	limits.policy = policy;
	access_ids_init(&ids, &limits);
	for (size_t i = 0; i < count && !wrong; i++)
		wrong = add_name(c, &ids, names[i]);
	if (!wrong && ids.is_super)
		print(out, "a super user: neither policy nor ACLs are asked\n");
	else if (!wrong && !policy)
		print(out, "zoolite.policyFile is not set: ACLs alone decide\n");
	else if (!wrong)
		print_rights(out, c, &ids, slice_of(path));
	access_ids_fini(&ids);
	return wrong;
}
