/* Who may do what: identities, ACLs as clients give them, the check. */
#include "core/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/metrics.h"

static struct access_ids ids;
static struct access_limits limits;
static struct buf given, fixed;
static struct acl_table table;

static int set_up(void **state)
{
	(void)state;
	access_limits_init(&limits);
	access_ids_init(&ids, &limits);
	acl_table_init(&table);
	buf_init(&given, 1 << 20);
	buf_init(&fixed, 1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	access_ids_fini(&ids);
	buf_fini(&given);
	buf_fini(&fixed);
	acl_table_fini(&table);
	return 0;
}

static int32_t given_count;

static void give(int32_t perms, struct slice scheme, struct slice id)
{
	struct proto_acl entry = { perms, scheme, id };
	struct jute_writer w;

	jute_writer_init(&w, &given);
	proto_write_acl(&w, &entry);
	given_count++;
}

static void give_text(int32_t perms, const char *scheme, const char *id)
{
	give(perms, slice_of(scheme), slice_of(id));
}

static void give_nothing(void)
{
	buf_clear(&given);
	buf_clear(&fixed);
	given_count = 0;
}

static enum zerr fix(void)
{
	struct proto_acls acls = { given_count, buf_slice(&given) };

	buf_clear(&fixed);
	return access_fix_acls(&ids, &acls, &fixed);
}

/* Whether one entry alone is taken. */
static bool is_taken(const char *scheme, const char *id)
{
	enum zerr err;

	give_nothing();
	give_text(PERM_ALL, scheme, id);
	err = fix();
	assert_true(err == ZERR_OK || err == ZERR_INVALID_ACL);
	return err == ZERR_OK;
}

/* The entries of fixed as "perms:scheme:id ...". */
static const char *fixed_text(void)
{
	static char text[4096];
	struct jute_reader r;
	struct proto_acls acls;
	size_t len = 0;

	jute_reader_init(&r, buf_slice(&fixed));
	acls = proto_read_acls(&r);
	assert_false(r.bad);
	assert_int_equal(jute_reader_left(&r), 0);
	jute_reader_init(&r, acls.raw);
	text[0] = 0;
	for (int32_t i = 0; i < acls.count; i++) {
		struct proto_acl e = proto_read_acl(&r);

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d:%.*s:%.*s",
					i ? " " : "", e.perms, (int)e.scheme.len, e.scheme.data,
					(int)e.id.len, e.id.data);
	}
	return text;
}

static bool permits(int32_t perms)
{
	struct acl *acl = acl_take(&table, buf_slice(&fixed));
	bool result = access_permits(acl, &ids, perms);

	acl_unref(&table, acl);
	return result;
}

/* --- identities --- */

static void test_identities(void **state)
{
	char id[16];

	(void)state;
	assert_int_equal(access_ids_add(&ids, "ip", slice_of("10.0.0.1")), 0);
	assert_int_equal(access_ids_add(&ids, "ip", slice_of("10.0.0.1")), 0);
	assert_int_equal(ids.count, 1);
	assert_int_equal(access_ids_add(&ids, "digest", slice_of("10.0.0.1")), 0);
	assert_int_equal(ids.count, 2);
	for (int i = 2; i < (int)limits.max_ids; i++) {
		snprintf(id, sizeof(id), "u%d", i);
		assert_int_equal(access_ids_add(&ids, "digest", slice_of(id)), 0);
	}
	assert_int_equal(access_ids_add(&ids, "digest", slice_of("one more")), -1);
	/* One that is there needs no room. */
	assert_int_equal(access_ids_add(&ids, "digest", slice_of("u5")), 0);
	assert_int_equal(ids.count, limits.max_ids);
	assert_string_equal(ids.items[1].scheme, "digest");
	assert_string_equal(ids.items[5].id, "u5");
}

static void test_long_identities(void **state)
{
	uint64_t refused = metrics_get(METRIC_identities_refused);
	char auth[65];

	(void)state;
	limits.max_id_bytes = 60;
	memset(auth, 'u', sizeof(auth));
	memcpy(auth + 60, ":xyz", 5);
	assert_int_equal(access_authenticate(&ids, slice_of("digest"), slice_of(auth)), ZERR_OK);
	memcpy(auth + 60, "u:yz", 5);
	assert_int_equal(access_authenticate(&ids, slice_of("digest"), slice_of(auth)),
			 ZERR_AUTH_FAILED);
	assert_int_equal(ids.count, 1);
	assert_int_equal(metrics_get(METRIC_identities_refused), refused + 1);
	assert_string_equal(ids.refusal, "identity too long");
}

/* The verdict that is remembered is of this ACL, these permissions and these identities alone. */
static void test_verdicts_are_not_mixed_up(void **state)
{
	struct acl *open, *closed;

	(void)state;
	give_nothing();
	give_text(PERM_READ, "world", "anyone");
	assert_int_equal(fix(), ZERR_OK);
	open = acl_take(&table, buf_slice(&fixed));
	give_nothing();
	give_text(PERM_ALL, "digest", "me:x");
	assert_int_equal(fix(), ZERR_OK);
	closed = acl_take(&table, buf_slice(&fixed));
	for (int i = 0; i < 2; i++) {
		assert_true(access_permits(open, &ids, PERM_READ));
		assert_false(access_permits(open, &ids, PERM_WRITE));
		assert_true(access_permits(open, &ids, PERM_READ));
		assert_false(access_permits(closed, &ids, PERM_READ));
	}
	assert_int_equal(access_ids_add(&ids, "digest", slice_of("me:x")), 0);
	assert_true(access_permits(closed, &ids, PERM_READ));
	acl_unref(&table, closed);
	acl_unref(&table, open);
}

static void test_digest(void **state)
{
	(void)state;
	/* base64(sha1("user:password")), as ZooKeeper's DigestAuthenticationProvider prints it. */
	assert_int_equal(access_authenticate(&ids, slice_of("digest"), slice_of("user:password")),
			 ZERR_OK);
	assert_string_equal(ids.items[0].scheme, "digest");
	assert_string_equal(ids.items[0].id, "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=");
	/* The password may hold colons: the user ends at the first. */
	assert_int_equal(access_authenticate(&ids, slice_of("digest"), slice_of("a:b:c")), ZERR_OK);
	assert_memory_equal(ids.items[1].id, "a:", 2);
	assert_int_equal(strlen(ids.items[1].id), 2 + 28);
	/* Without a colon, and empty: odd, and fine. */
	assert_int_equal(access_authenticate(&ids, slice_of("digest"), slice_of("u")), ZERR_OK);
	assert_memory_equal(ids.items[2].id, "u:", 2);
	assert_int_equal(access_authenticate(&ids, slice_of("digest"), slice_of("")), ZERR_OK);
	/* sha1 of nothing */
	assert_string_equal(ids.items[3].id, ":2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
	/* A NUL would cut the name short and make another one of it. */
	assert_int_equal(
		access_authenticate(&ids, slice_of("digest"), (struct slice){ "us\0er:pw", 8 }),
		ZERR_AUTH_FAILED);
	assert_int_equal(ids.count, 4);
	mem_fail_after(1);
	assert_int_equal(access_authenticate(&ids, slice_of("digest"), slice_of("x:y")),
			 ZERR_AUTH_FAILED);
	mem_fail_after(0);
}

static void test_other_hashes(void **state)
{
	static const struct {
		enum crypto_hash hash;
		const char *id;
	} cases[] = {
		{ CRYPTO_SHA1, "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=" },
		{ CRYPTO_SHA256, "user:yRsdas04PETE7CDJcj51jDEYKh9PAjHWPZElmi6hS50=" },
		{ CRYPTO_SHA512, "user:jpg++2gII4jzID8eXmWBSuUbGt1jbK9iB9PlOOf0uNwG7O0rsNtKX7GP4vq+"
				 "QM0ncsfbzxZTuyf0xv2Xbkfz1Q==" },
		{ CRYPTO_SHA3_256, "user:NAR2RZ7JZxGXKOuQubzhytx9PjP71AWWZoOY+TVw1hw=" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		limits.digest_hash = cases[i].hash;
		assert_int_equal(
			access_authenticate(&ids, slice_of("digest"), slice_of("user:password")),
			ZERR_OK);
		assert_string_equal(ids.items[i].id, cases[i].id);
	}
}

static void test_digest_is_switched_off(void **state)
{
	struct proto_acls acls = { 1, { 0 } };

	(void)state;
	assert_true(is_taken("digest", "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY="));
	limits.has_digest = false;
	assert_int_equal(access_authenticate(&ids, slice_of("digest"), slice_of("user:password")),
			 ZERR_AUTH_FAILED);
	assert_int_equal(ids.count, 0);
	assert_false(is_taken("digest", "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY="));
	/* As any other scheme that nobody knows. */
	give_nothing();
	give(PERM_ALL, slice_of("digest"), (struct slice){ 0 });
	acls.raw = buf_slice(&given);
	assert_int_equal(access_fix_acls(&ids, &acls, &fixed), ZERR_INVALID_ACL);
}

static void test_other_schemes(void **state)
{
	(void)state;
	assert_int_equal(access_authenticate(&ids, slice_of("ip"), slice_of("10.0.0.1")), ZERR_OK);
	assert_int_equal(ids.count, 0);
	assert_int_equal(access_authenticate(&ids, slice_of("x509"), slice_of("CN=me")),
			 ZERR_AUTH_FAILED);
	assert_int_equal(access_ids_add(&ids, "x509", slice_of("CN=me")), 0);
	assert_int_equal(access_authenticate(&ids, slice_of("x509"), slice_of("CN=other")),
			 ZERR_OK);
	/* It gave nothing that the certificate does not. */
	assert_int_equal(ids.count, 1);
	assert_int_equal(access_authenticate(&ids, slice_of("world"), slice_of("anyone")),
			 ZERR_AUTH_FAILED);
	assert_int_equal(access_authenticate(&ids, slice_of("auth"), slice_of("")),
			 ZERR_AUTH_FAILED);
	assert_int_equal(access_authenticate(&ids, slice_of("super"), slice_of("x:y")),
			 ZERR_AUTH_FAILED);
	assert_int_equal(access_authenticate(&ids, slice_of("DIGEST"), slice_of("x:y")),
			 ZERR_AUTH_FAILED);
	assert_int_equal(access_authenticate(&ids, slice_of(""), slice_of("x:y")),
			 ZERR_AUTH_FAILED);
	assert_int_equal(access_authenticate(&ids, (struct slice){ 0 }, slice_of("x:y")),
			 ZERR_AUTH_FAILED);
	assert_int_equal(ids.count, 1);
}

static bool makes_super(const char *subject, const char *password)
{
	struct access_peer peer = { .host = "10.0.0.1", .subject = subject };
	bool is_super;

	assert_int_equal(access_ids_add_peer(&ids, &peer), 0);
	assert_int_equal(access_authenticate(&ids, slice_of("digest"), slice_of(password)),
			 ZERR_OK);
	is_super = ids.is_super;
	access_ids_fini(&ids);
	access_ids_init(&ids, &limits);
	return is_super;
}

/* Who has but the beginning of a subject or a hash, or more than it, is somebody else. */
static void test_the_whole_name_makes_super(void **state)
{
	(void)state;
	assert_false(makes_super("CN=root,O=us", "user:password"));
	limits.super_x509 = "CN=root,O=us";
	assert_true(makes_super("CN=root,O=us", "user:password"));
	assert_false(makes_super("CN=root,O=usurper", "user:password"));
	assert_false(makes_super("CN=root,O=u", "user:password"));
	assert_false(makes_super("cn=root,o=us", "user:password"));
	assert_false(makes_super("", "user:password"));
	assert_false(makes_super(NULL, "user:password"));
	limits.super_digest = "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=";
	assert_true(makes_super(NULL, "user:password"));
	assert_false(makes_super(NULL, "user:passwords"));
	limits.super_digest = "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=x";
	assert_false(makes_super(NULL, "user:password"));
	limits.super_digest = "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY";
	assert_false(makes_super(NULL, "user:password"));
}

/* --- ACLs as given --- */

static void test_ids_that_are_taken(void **state)
{
	(void)state;
	assert_true(is_taken("world", "anyone"));
	assert_false(is_taken("world", "someone"));
	assert_false(is_taken("world", ""));
	assert_false(is_taken("World", "anyone"));
	assert_false(is_taken("nonsense", "x"));
	assert_false(is_taken("", ""));
	/* "a:b".split(":") must have two parts in Java, which drops empty ones at the end. */
	assert_true(is_taken("digest", "user:hash="));
	assert_true(is_taken("digest", ":hash"));
	assert_true(is_taken("digest", "user:hash:"));
	assert_false(is_taken("digest", "user"));
	assert_false(is_taken("digest", "user:"));
	assert_false(is_taken("digest", ":"));
	assert_false(is_taken("digest", "user::"));
	assert_false(is_taken("digest", "a:b:c"));
	assert_false(is_taken("digest", "a::c"));
	assert_false(is_taken("digest", ""));
	assert_true(is_taken("ip", "10.0.0.0/8"));
	assert_false(is_taken("ip", "10.0.0.0/40"));
	assert_true(is_taken("x509", "CN=nobody"));
	assert_true(is_taken("x509", ""));
	assert_false(is_taken("x509", "no name"));
	assert_false(is_taken("auth", ""));
}

/* Where certificates give no such identities, the scheme is as unknown as in ZooKeeper. */
static void test_names_of_certificates(void **state)
{
	static const char *const good[] = { "URI:spiffe://d/svc", "DNS:a.example", "EMAIL:a@b",
					    "CN:j\xc3\xbcrgen", "CN:a, b" };
	static const char *const bad[] = {
		"",         "URI:",         "DNS:",           "EMAIL:",
		"CN:",      "IP:1::1",      "spiffe://d/svc", "dns:a.example",
		"DNS:a\nb", "DNS:\xc3\xbc", "CN:\x7f"
	};
	struct proto_acls acls = { 1, { 0 } };

	(void)state;
	assert_false(is_taken("san", good[0]));
	give_nothing();
	give(PERM_ALL, slice_of("san"), (struct slice){ 0 });
	acls.raw = buf_slice(&given);
	assert_int_equal(access_fix_acls(&ids, &acls, &fixed), ZERR_INVALID_ACL);
	limits.has_san = true;
	buf_clear(&fixed);
	assert_int_equal(access_fix_acls(&ids, &acls, &fixed), ZERR_MARSHALLING);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(is_taken("san", good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(is_taken("san", bad[i]));
	assert_true(is_taken("san", "DNS:a.example"));
	assert_false(permits(PERM_READ));
	assert_int_equal(access_authenticate(&ids, slice_of("san"), slice_of("DNS:a.example")),
			 ZERR_AUTH_FAILED);
	assert_int_equal(access_ids_add(&ids, "san", slice_of("DNS:a.example")), 0);
	assert_int_equal(access_authenticate(&ids, slice_of("san"), slice_of("DNS:b")), ZERR_OK);
	assert_int_equal(ids.count, 1);
	assert_true(permits(PERM_READ));
	assert_true(is_taken("san", "DNS:A.example"));
	assert_false(permits(PERM_READ));
}

static void test_odd_vectors(void **state)
{
	struct proto_acls null = { -1, { NULL, 0 } }, none = { 0, { "", 0 } };

	(void)state;
	assert_int_equal(access_fix_acls(&ids, &null, &fixed), ZERR_INVALID_ACL);
	assert_int_equal(access_fix_acls(&ids, &none, &fixed), ZERR_INVALID_ACL);
	give_nothing();
	give(PERM_ALL, (struct slice){ 0 }, slice_of("anyone"));
	assert_int_equal(fix(), ZERR_INVALID_ACL);
	give_nothing();
	give(PERM_ALL, slice_of("world"), (struct slice){ 0 });
	assert_int_equal(fix(), ZERR_MARSHALLING);
	give_nothing();
	give(PERM_ALL, slice_of("nonsense"), (struct slice){ 0 });
	assert_int_equal(fix(), ZERR_INVALID_ACL);
	give_nothing();
	give(PERM_ALL, slice_of("digest"), (struct slice){ "us\0er:x", 7 });
	assert_int_equal(fix(), ZERR_INVALID_ACL);
	/* One bad entry spoils them all, wherever it stands. */
	give_nothing();
	give_text(PERM_ALL, "world", "anyone");
	give_text(PERM_ALL, "nonsense", "");
	assert_int_equal(fix(), ZERR_INVALID_ACL);
}

/* Permissions are not looked at, order stays, the same entry counts once. */
static void test_order_and_duplicates(void **state)
{
	(void)state;
	give_nothing();
	give_text(32, "world", "anyone");
	give_text(PERM_READ, "digest", "a:b");
	give_text(32, "world", "anyone");
	give_text(-1, "world", "anyone");
	give_text(PERM_READ, "digest", "a:b");
	give_text(PERM_READ, "digest", "a:c");
	assert_int_equal(fix(), ZERR_OK);
	assert_string_equal(fixed_text(),
			    "32:world:anyone 1:digest:a:b -1:world:anyone 1:digest:a:c");
}

static void test_auth_stands_for_the_caller(void **state)
{
	(void)state;
	assert_int_equal(access_ids_add(&ids, "ip", slice_of("10.0.0.1")), 0);
	give_nothing();
	give_text(PERM_ALL, "auth", "whatever");
	/* An address proves nothing. */
	assert_int_equal(fix(), ZERR_INVALID_ACL);
	assert_int_equal(access_ids_add(&ids, "x509", slice_of("CN=me")), 0);
	assert_int_equal(access_ids_add(&ids, "digest", slice_of("u:h")), 0);
	/* Nor is the power of the super user an identity. */
	assert_int_equal(access_ids_add(&ids, "super", slice_of("")), 0);
	give_text(PERM_READ, "world", "anyone");
	give_text(PERM_READ, "auth", "");
	assert_int_equal(fix(), ZERR_OK);
	assert_string_equal(fixed_text(),
			    "31:x509:CN=me 31:digest:u:h 1:world:anyone 1:x509:CN=me 1:digest:u:h");
}

static void test_the_count_is_bounded(void **state)
{
	char id[32];

	(void)state;
	give_nothing();
	for (unsigned i = 0; i < limits.max_entries; i++) {
		snprintf(id, sizeof(id), "u:%u", i);
		give_text(PERM_READ, "digest", id);
	}
	assert_int_equal(fix(), ZERR_OK);
	give_text(PERM_READ, "digest", "u:more");
	assert_int_equal(fix(), ZERR_INVALID_ACL);
}

static void test_the_length_is_bounded(void **state)
{
	uint64_t refused = metrics_get(METRIC_acls_refused);

	(void)state;
	give_nothing();
	give_text(PERM_READ, "digest", "u:0123456789");
	assert_int_equal(fix(), ZERR_OK);
	limits.max_acl_bytes = buf_len(&fixed);
	assert_int_equal(fix(), ZERR_OK);
	limits.max_acl_bytes--;
	assert_int_equal(fix(), ZERR_INVALID_ACL);
	assert_int_equal(metrics_get(METRIC_acls_refused), refused + 1);
}

static void test_no_room(void **state)
{
	struct proto_acls acls;
	struct buf small;

	(void)state;
	give_nothing();
	give_text(PERM_ALL, "world", "anyone");
	acls = (struct proto_acls){ given_count, buf_slice(&given) };
	buf_init(&small, 20);
	assert_int_equal(access_fix_acls(&ids, &acls, &small), ZERR_INVALID_ACL);
	buf_fini(&small);
}

/* --- the check --- */

static void test_permits(void **state)
{
	(void)state;
	give_nothing();
	give_text(PERM_READ | PERM_WRITE, "world", "anyone");
	assert_int_equal(fix(), ZERR_OK);
	for (int32_t perms = 1; perms <= PERM_ALL; perms++)
		assert_int_equal(permits(perms), (perms & (PERM_READ | PERM_WRITE)) != 0);
	give_nothing();
	give_text(PERM_READ, "world", "anyone");
	give_text(PERM_WRITE, "digest", "u:h");
	give_text(PERM_CREATE, "ip", "10.0.0.0/8");
	give_text(PERM_DELETE, "x509", "CN=me");
	assert_int_equal(fix(), ZERR_OK);
	assert_true(permits(PERM_READ));
	assert_false(permits(PERM_WRITE | PERM_CREATE | PERM_DELETE | PERM_ADMIN));
	assert_int_equal(access_ids_add(&ids, "digest", slice_of("u:h")), 0);
	assert_true(permits(PERM_WRITE));
	assert_false(permits(PERM_CREATE | PERM_DELETE | PERM_ADMIN));
	assert_int_equal(access_ids_add(&ids, "ip", slice_of("10.200.0.1")), 0);
	assert_true(permits(PERM_CREATE));
	assert_false(permits(PERM_DELETE | PERM_ADMIN));
	/* The name as a whole, in its own scheme. */
	assert_int_equal(access_ids_add(&ids, "x509", slice_of("CN=me2")), 0);
	assert_int_equal(access_ids_add(&ids, "digest", slice_of("CN=me")), 0);
	assert_false(permits(PERM_DELETE));
	assert_int_equal(access_ids_add(&ids, "x509", slice_of("CN=me")), 0);
	assert_true(permits(PERM_DELETE));
	assert_false(permits(PERM_ADMIN));
}

/* No entry at all (imported, or from the start) is open, as in ZooKeeper. */
static void test_an_empty_acl_is_open(void **state)
{
	struct acl *empty = acl_take(&table, (struct slice){ "\0\0\0\0", 4 });
	struct acl *null = acl_take(&table, (struct slice){ "\xff\xff\xff\xff", 4 });

	(void)state;
	assert_true(access_permits(empty, &ids, PERM_ADMIN));
	assert_true(access_permits(null, &ids, PERM_ADMIN));
	acl_unref(&table, empty);
	acl_unref(&table, null);
}

static void test_masked(void **state)
{
	struct acl *acl;
	struct jute_writer w;

	(void)state;
	give_nothing();
	give_text(PERM_ALL, "digest", "user:secret");
	give_text(PERM_READ, "digest", ":secret");
	give_text(PERM_READ, "x509", "CN=a:b");
	give_text(PERM_READ, "world", "anyone");
	assert_int_equal(fix(), ZERR_OK);
	acl = acl_take(&table, buf_slice(&fixed));
	buf_clear(&fixed);
	jute_writer_init(&w, &fixed);
	access_write_masked(&w, acl);
	assert_string_equal(fixed_text(),
			    "31:digest:user:x 1:digest::x 1:x509:CN=a:b 1:world:anyone");
	acl_unref(&table, acl);
}

#define ACCESS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACCESS_TEST(test_identities),
		ACCESS_TEST(test_long_identities),
		ACCESS_TEST(test_verdicts_are_not_mixed_up),
		ACCESS_TEST(test_digest),
		ACCESS_TEST(test_other_hashes),
		ACCESS_TEST(test_digest_is_switched_off),
		ACCESS_TEST(test_other_schemes),
		ACCESS_TEST(test_the_whole_name_makes_super),
		ACCESS_TEST(test_ids_that_are_taken),
		ACCESS_TEST(test_names_of_certificates),
		ACCESS_TEST(test_odd_vectors),
		ACCESS_TEST(test_order_and_duplicates),
		ACCESS_TEST(test_auth_stands_for_the_caller),
		ACCESS_TEST(test_the_count_is_bounded),
		ACCESS_TEST(test_the_length_is_bounded),
		ACCESS_TEST(test_no_room),
		ACCESS_TEST(test_permits),
		ACCESS_TEST(test_an_empty_acl_is_open),
		ACCESS_TEST(test_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
