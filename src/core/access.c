#include "core/access.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/access_ip.h"
#include "core/access_san.h"
#include "core/access_x509.h"
#include "core/policy.h"

void access_limits_init(struct access_limits *l)
{
	*l = (struct access_limits){
		.max_ids = 16,
		.max_id_bytes = 4096,
		.max_entries = 128,
		.max_acl_bytes = 64 * 1024,
		.has_digest = true,
		.digest_hash = CRYPTO_SHA1,
	};
}

void access_ids_init(struct access_ids *ids, const struct access_limits *limits)
{
	*ids = (struct access_ids){ .limits = limits };
}

static void forget_roles(struct access_ids *ids)
{
	policy_roles_free(ids->roles);
	ids->roles = NULL;
}

void access_ids_fini(struct access_ids *ids)
{
	forget_roles(ids);
	for (unsigned i = 0; i < ids->count; i++) {
		mem_free(ids->items[i].scheme);
		mem_free(ids->items[i].id);
	}
	mem_free(ids->items);
	*ids = (struct access_ids){ .limits = ids->limits };
}

static bool id_is(const struct access_id *have, struct slice scheme, struct slice id)
{
	return slice_equal(slice_of(have->scheme), scheme) && slice_equal(slice_of(have->id), id);
}

int access_ids_add(struct access_ids *ids, const char *scheme, struct slice id)
{
	for (unsigned i = 0; i < ids->count; i++)
		if (id_is(&ids->items[i], slice_of(scheme), id))
			return 0;
	if (ids->count >= ids->limits->max_ids)
		return -1;
	ids->items = mem_grow(ids->items, (ids->count + 1) * sizeof(*ids->items));
	ids->judged_acl = 0;
	forget_roles(ids);
	ids->items[ids->count].scheme = mem_strdup(scheme);
	ids->items[ids->count].id = mem_dup(id.data, id.len);
	ids->count++;
	ids->is_super |= strcmp(scheme, "super") == 0;
	return 0;
}

int access_ids_add_peer(struct access_ids *ids, const struct access_peer *peer)
{
	const char *super = ids->limits->super_x509;

	if (access_ids_add(ids, "ip", slice_of(peer->host)) != 0)
		return -1;
	if (super && peer->subject && strcmp(super, peer->subject) == 0 &&
	    access_ids_add(ids, "super", slice_of(peer->subject)) != 0)
		return -1;
	for (size_t i = 0; i < peer->name_count; i++)
		if (access_ids_add(ids, peer->names[i].scheme, slice_of(peer->names[i].id)) != 0)
			return -1;
	return 0;
}

static bool has_scheme(const struct access_ids *ids, struct slice scheme)
{
	for (unsigned i = 0; i < ids->count; i++)
		if (slice_equal(slice_of(ids->items[i].scheme), scheme))
			return true;
	return false;
}

bool access_has_scheme(const struct access_ids *ids, const char *schemes)
{
	while (*schemes) {
		size_t len = strcspn(schemes, ",");

		if (has_scheme(ids, (struct slice){ schemes, len }))
			return true;
		schemes += len + (schemes[len] == ',');
	}
	return false;
}

/* How long it takes must not tell how much of the hash was right. */
static bool is_super_digest(const char *super, const char *id, size_t len)
{
	return super && strlen(super) == len && crypto_equal(super, id, len);
}

static bool is_of_user(struct slice id, const char *other)
{
	size_t user_len = (size_t)((const char *)memchr(id.data, ':', id.len) - id.data) + 1;

	return strncmp(other, id.data, user_len) == 0;
}

static bool is_wrong_password(const struct access_ids *ids, struct slice id)
{
	const struct access_limits *l = ids->limits;

	if (l->super_digest && is_of_user(id, l->super_digest))
		return !is_super_digest(l->super_digest, id.data, id.len);
	return l->policy && policy_judge_user(l->policy, id) == POLICY_IMPOSTOR;
}

static enum zerr refuse_identity(struct access_ids *ids, const char *refusal)
{
	metrics_add(METRIC_identities_refused, 1);
	ids->refusal = refusal;
	return ZERR_AUTH_FAILED;
}

/* "user" + ":" + base64(hash(all of it)), as DigestAuthenticationProvider.generateDigest. */
static enum zerr authenticate_digest(struct access_ids *ids, struct slice auth)
{
	const char *colon = auth.len ? memchr(auth.data, ':', auth.len) : NULL;
	size_t user_len = colon ? (size_t)(colon - auth.data) : auth.len;
	uint8_t hash[CRYPTO_HASH_LEN];
	char base64[4 * ((CRYPTO_HASH_LEN + 2) / 3) + 1];
	size_t len;
	char *id;
	int rc;

	if (user_len > ids->limits->max_id_bytes)
		return refuse_identity(ids, "identity too long");
	/* An identity is kept as text: a NUL in it would make another one of it. */
	if (user_len && memchr(auth.data, 0, user_len))
		return ZERR_AUTH_FAILED;
	crypto_base64(hash, crypto_hash(ids->limits->digest_hash, auth, hash), base64);
	len = user_len + 1 + strlen(base64);
	id = mem_try(len + 1);
	if (!id)
		return ZERR_AUTH_FAILED;
	if (user_len)
		memcpy(id, auth.data, user_len);
	id[user_len] = ':';
	memcpy(id + user_len + 1, base64, strlen(base64) + 1);
	ids->has_erred = is_wrong_password(ids, (struct slice){ id, len });
	if (ids->has_erred)
		ids->refusal = "wrong password";
	if (ids->has_erred && ids->limits->policy) {
		mem_free(id);
		return ZERR_AUTH_FAILED;
	}
	rc = 0;
	if (is_super_digest(ids->limits->super_digest, id, len))
		rc = access_ids_add(ids, "super", slice_of(""));
	if (rc == 0)
		rc = access_ids_add(ids, "digest", (struct slice){ id, len });
	mem_free(id);
	return rc == 0 ? ZERR_OK : refuse_identity(ids, "too many identities");
}

enum zerr access_authenticate(struct access_ids *ids, struct slice scheme, struct slice auth)
{
	ids->has_erred = false;
	ids->refusal = "authentication failed";
	if (slice_is(scheme, "digest") && ids->limits->has_digest && auth.data)
		return authenticate_digest(ids, auth);
	/* The address is known from the socket; what the client says of it is passed over. */
	if (slice_is(scheme, "ip"))
		return ZERR_OK;
	/* The certificate was judged by the gate; a connection that has one may ask for it
	 * again. */
	if ((slice_is(scheme, "x509") || slice_is(scheme, "san")) && has_scheme(ids, scheme))
		return ZERR_OK;
	return ZERR_AUTH_FAILED;
}

static bool entry_matches(const struct proto_acl *entry, const struct access_ids *ids)
{
	if (slice_is(entry->scheme, "world"))
		return slice_is(entry->id, "anyone");
	for (unsigned i = 0; i < ids->count; i++) {
		const struct access_id *have = &ids->items[i];

		if (!slice_equal(slice_of(have->scheme), entry->scheme))
			continue;
		if (strcmp(have->scheme, "ip") == 0
			    ? access_ip_matches(slice_of(have->id), entry->id)
			    : slice_equal(slice_of(have->id), entry->id))
			return true;
	}
	return false;
}

static bool judge(const struct acl *acl, const struct access_ids *ids, int32_t perms)
{
	struct proto_acls entries = acl_entries(acl);
	struct jute_reader r;

	if (entries.count <= 0)
		return true;
	jute_reader_init(&r, entries.raw);
	for (int32_t i = 0; i < entries.count; i++) {
		struct proto_acl entry = proto_read_acl(&r);

		if ((entry.perms & perms) != 0 && entry_matches(&entry, ids))
			return true;
	}
	return false;
}

bool access_permits(const struct acl *acl, struct access_ids *ids, int32_t perms)
{
	if (ids->is_super)
		return true;
	if (ids->judged_acl != acl->serial || ids->judged_perms != perms) {
		ids->verdict = judge(acl, ids, perms);
		ids->judged_acl = acl->serial;
		ids->judged_perms = perms;
	}
	return ids->verdict;
}

/* --- the policy --- */

static void log_refused_roles(const struct access_ids *ids)
{
	const struct access_id *last;
	static struct log_limit limit;
	uint32_t suppressed;

	metrics_add(METRIC_policy_roles_refused, 1);
	if (ids->count == 0)
		return;
	last = &ids->items[ids->count - 1];
	if (log_limit_pass(&limit, 20, &suppressed))
		log_warn("policy.too_many_roles", LOG_TEXT("scheme", last->scheme),
			 LOG_TEXT("id", last->id), LOG_INT("suppressed", suppressed));
}

const struct policy_roles *access_roles(struct access_ids *ids)
{
	const struct policy *policy = ids->limits->policy;

	if (!policy || ids->is_super)
		return NULL;
	if (ids->roles && ids->roles->serial == policy_serial(policy))
		return ids->roles;
	forget_roles(ids);
	ids->roles = policy_roles_new(policy, ids->items, ids->count);
	if (ids->roles->is_refused)
		log_refused_roles(ids);
	return ids->roles;
}

int32_t access_rights(struct access_ids *ids, struct slice path)
{
	const struct policy_roles *roles = access_roles(ids);

	return roles ? policy_rights(ids->limits->policy, roles, path) : PERM_ALL;
}

bool access_asks_acl(const struct access_ids *ids, struct slice path)
{
	return !ids->limits->policy || policy_asks_acl(ids->limits->policy, path);
}

bool access_allows(struct access_ids *ids, struct slice path, const struct acl *acl, int32_t perms)
{
	perms &= access_rights(ids, path);
	return perms != 0 && (!access_asks_acl(ids, path) || access_permits(acl, ids, perms));
}

bool access_reads_all(struct access_ids *ids)
{
	const struct policy_roles *roles = access_roles(ids);

	return !roles || policy_reads_all(ids->limits->policy, roles);
}

/* --- ACLs that clients give --- */

static bool digest_id_is_valid(struct slice id)
{
	const char *colon = id.len ? memchr(id.data, ':', id.len) : NULL;
	const char *rest;
	size_t rest_len;

	/* Java's "a:b".split(":") drops trailing empty parts, so "a:" has one and "a:b:" has
	 * two. */
	if (!colon)
		return false;
	rest = colon + 1;
	rest_len = id.len - (size_t)(rest - id.data);
	while (rest_len > 0 && rest[rest_len - 1] == ':')
		rest_len--;
	return rest_len > 0 && !memchr(rest, ':', rest_len);
}

static bool scheme_is_known(const struct access_limits *l, struct slice scheme)
{
	if (slice_is(scheme, "san"))
		return l->has_san;
	if (slice_is(scheme, "digest"))
		return l->has_digest;
	return slice_is(scheme, "world") || slice_is(scheme, "ip") || slice_is(scheme, "x509");
}

static bool id_is_valid(const struct access_limits *l, const struct proto_acl *entry)
{
	if (!entry->id.data || (entry->id.len && memchr(entry->id.data, 0, entry->id.len)))
		return false;
	if (slice_is(entry->scheme, "digest"))
		return l->has_digest && digest_id_is_valid(entry->id);
	if (slice_is(entry->scheme, "ip"))
		return access_ip_is_valid(entry->id);
	if (slice_is(entry->scheme, "x509"))
		return access_x509_is_valid(entry->id);
	if (slice_is(entry->scheme, "san"))
		return l->has_san && access_san_is_valid(entry->id);
	return false;
}

/* Whether an equal entry stands before the one at index. */
static bool is_repeated(const struct proto_acls *given, int32_t index,
			const struct proto_acl *entry)
{
	struct jute_reader r;

	jute_reader_init(&r, given->raw);
	for (int32_t i = 0; i < index; i++) {
		struct proto_acl other = proto_read_acl(&r);

		if (other.perms == entry->perms && slice_equal(other.scheme, entry->scheme) &&
		    slice_equal(other.id, entry->id))
			return true;
	}
	return false;
}

/* "auth" stands for every identity of the caller that proves something (an address does not). */
static int write_own_ids(struct jute_writer *w, const struct access_ids *ids, int32_t perms)
{
	int count = 0;

	for (unsigned i = 0; i < ids->count; i++) {
		struct proto_acl entry = { perms, slice_of(ids->items[i].scheme),
					   slice_of(ids->items[i].id) };

		if (strcmp(ids->items[i].scheme, "ip") == 0 ||
		    strcmp(ids->items[i].scheme, "super") == 0)
			continue;
		proto_write_acl(w, &entry);
		count++;
	}
	return count;
}

/* What one entry becomes: itself, the caller's identities, or nothing. */
static enum zerr fix_entry(const struct access_ids *ids, const struct proto_acl *entry,
			   struct jute_writer *w, int32_t *count)
{
	if (!entry->scheme.data)
		return ZERR_INVALID_ACL;
	if (slice_is(entry->scheme, "auth")) {
		int own = write_own_ids(w, ids, entry->perms);

		*count += own;
		return own > 0 ? ZERR_OK : ZERR_INVALID_ACL;
	}
	if (!(slice_is(entry->scheme, "world") && slice_is(entry->id, "anyone")) &&
	    !id_is_valid(ids->limits, entry))
		/* A null id is no text to judge, where the scheme is known at all. */
		return entry->id.data || !scheme_is_known(ids->limits, entry->scheme)
			       ? ZERR_INVALID_ACL
			       : ZERR_MARSHALLING;
	proto_write_acl(w, entry);
	(*count)++;
	return ZERR_OK;
}

static enum zerr refuse_size(void)
{
	metrics_add(METRIC_acls_refused, 1);
	return ZERR_INVALID_ACL;
}

enum zerr access_fix_acls(const struct access_ids *ids, const struct proto_acls *given,
			  struct buf *out)
{
	size_t start = buf_len(out);
	struct jute_writer w;
	struct jute_reader r;
	int32_t count = 0;

	if (given->count <= 0)
		return ZERR_INVALID_ACL;
	/* Ours: every check of the znode reads the list. */
	if ((uint32_t)given->count > ids->limits->max_entries)
		return refuse_size();
	jute_writer_init(&w, out);
	jute_write_int(&w, 0);
	jute_reader_init(&r, given->raw);
	for (int32_t i = 0; i < given->count; i++) {
		struct proto_acl entry = proto_read_acl(&r);
		enum zerr err = ZERR_OK;

		if (!entry.scheme.data || !is_repeated(given, i, &entry))
			err = fix_entry(ids, &entry, &w, &count);
		if (err != ZERR_OK)
			return err;
	}
	if (w.bad || buf_len(out) - start > ids->limits->max_acl_bytes)
		return refuse_size();
	jute_put_int(out->data + out->head + start, count);
	return ZERR_OK;
}

void access_write_masked(struct jute_writer *w, const struct acl *acl)
{
	struct proto_acls entries = acl_entries(acl);
	struct jute_reader r;

	jute_write_int(w, entries.count);
	jute_reader_init(&r, entries.raw);
	for (int32_t i = 0; i < entries.count; i++) {
		struct proto_acl entry = proto_read_acl(&r);
		const char *colon = entry.id.len ? memchr(entry.id.data, ':', entry.id.len) : NULL;
		char *masked = NULL;

		if (slice_is(entry.scheme, "digest") && colon) {
			size_t keep = (size_t)(colon - entry.id.data) + 1;

			masked = mem_new(keep + 1);
			memcpy(masked, entry.id.data, keep);
			masked[keep] = 'x';
			entry.id = (struct slice){ masked, keep + 1 };
		}
		proto_write_acl(w, &entry);
		mem_free(masked);
	}
}

void access_write_users(struct jute_writer *w, const struct access_ids *ids)
{
	jute_write_int(w, (int32_t)ids->count);
	for (unsigned i = 0; i < ids->count; i++) {
		const struct access_id *id = &ids->items[i];
		size_t user_len = strlen(id->id);

		if (strcmp(id->scheme, "digest") == 0)
			user_len = strcspn(id->id, ":");
		else if (strcmp(id->scheme, "super") == 0)
			user_len = 0;

		jute_write_buffer(w, slice_of(id->scheme));
		jute_write_buffer(w, (struct slice){ id->id, user_len });
	}
}
