/* Fuzz target: a subject, a line end, a path, a line end, a policy file. What must hold:
 *   - a policy is taken or there is a reason, with its line;
 *   - nobody has a right without a line that gives it, and every right has one;
 *   - the root's name does not matter, and a child is judged on a way down as by its path;
 *   - a subject that is taken apart has its attributes within it, and none is longer. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "app/policy_file.h"
#include "base/mem.h"
#include "core/access.h"
#include "core/dn.h"
#include "wire/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice take_line(struct slice *rest)
{
	const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
	struct slice line = *rest;

	if (!end)
		return line;
	line.len = (size_t)(end - rest->data);
	*rest = (struct slice){ end + 1, rest->len - line.len - 1 };
	return line;
}

static void check_subject(struct slice text)
{
	struct dn d;

	if (dn_parse(&d, text) == 0)
		for (size_t i = 0; i < d.count; i++) {
			assert(d.items[i].type.data >= text.data);
			assert(d.items[i].type.len + d.items[i].value.len < text.len);
		}
	dn_fini(&d);
}

static void check_rights(const struct policy *p, const struct policy_roles *roles,
			 struct slice path)
{
	int32_t rights = policy_rights(p, roles, path);

	for (int32_t right = 1; right < PERM_ALL; right <<= 1)
		assert(!(rights & right) || policy_explain(p, roles, path, right));
	assert(rights == 0 || roles->count > 0);
	assert(policy_rights(p, roles, slice_of("")) == policy_rights(p, roles, slice_of("/")));
	(void)policy_asks_acl(p, path);
	if (policy_reads_all(p, roles))
		assert(rights & PERM_READ);
}

/* path is "/…/name", without an empty name. */
static void check_child(const struct policy *p, const struct policy_roles *roles, struct slice path)
{
	const char *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;
	struct policy_walk w;
	struct slice name;

	if (!slash || path.data[0] != '/' || path.data + path.len == slash + 1)
		return;
	name = (struct slice){ slash + 1, (size_t)(path.data + path.len - slash - 1) };
	policy_walk_init(&w, p, roles, (struct slice){ path.data, (size_t)(slash - path.data) });
	if (slash == path.data || slash[-1] != '/')
		assert(policy_walk_child(&w, name) == policy_rights(p, roles, path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct policy_limits limits = { .max_rules = 100, .max_roles = 8 };
	struct slice rest = { (const char *)data, size };
	struct slice subject = take_line(&rest), path = take_line(&rest);
	char reason[POLICY_REASON_LEN] = "";
	struct policy *p = policy_file_parse(rest, "p", &limits, reason);
	char *text = mem_dup(subject.data, subject.len);
	struct access_id ids[] = { { "ip", "10.1.2.3" }, { "x509", text }, { "san", text } };

	check_subject(subject);
	assert(p || strncmp(reason, "p:", 2) == 0);
	if (p) {
		struct policy_roles *roles = policy_roles_new(p, ids, 3);

		check_rights(p, roles, path);
		check_child(p, roles, path);
		policy_roles_free(roles);
	}
	policy_free(p);
	mem_free(text);
	return 0;
}
