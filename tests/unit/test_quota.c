/* Quotas as clients see them: statistics that move with every change, limits that are logged or
 * enforced; and getAllChildrenNumber, which counts the same way. */
#include "base/metrics.h"
#include "core/quota.h"
#include "core/session.h"
#include "tests/unit/registry_fixture.h"

#define LIMITS "/zookeeper/quota/a/zookeeper_limits"
#define STATS "/zookeeper/quota/a/zookeeper_stats"

static void expect_stats(const char *text)
{
	expect_data(STATS, text);
}

static void make_quota(const char *limits)
{
	create(c, "/zookeeper/quota/a", "", 0);
	assert_int_equal(create(c, LIMITS, limits, 0), ZERR_OK);
	assert_int_equal(create(c, STATS, "count=0,bytes=0", 0), ZERR_OK);
}

static void restart_with(bool enforce)
{
	headless_stop(&h);
	h.registry_options.enforce_quota = enforce;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
}

/* They begin with what is there, whoever makes them, and follow every kind of change. */
static void test_statistics(void **state)
{
	struct proto_stat before;

	(void)state;
	create(c, "/a", "12345", 0);
	create(c, "/a/b", "123", 0);
	create(c, "/a/b/c", "1", 0);
	create(c, "/ab", "not below", 0);
	headless_replay(&h);
	create(c, "/a/e", "12", CREATE_EPHEMERAL);
	set(c, "/a/b", "1234");
	make_quota("count=-1,bytes=-1");
	expect_stats("count=4,bytes=12");
	before = stat_of(STATS);
	create(c, "/a/b/d", "1234567890", CREATE_SEQUENTIAL);
	expect_stats("count=5,bytes=22");
	set(c, "/a", "");
	expect_stats("count=5,bytes=17");
	delete_any(c, "/a/b/c");
	expect_stats("count=4,bytes=16");
	create(c, "/ab/c", "x", 0);
	set_version(c, "/a", "wrong version", 7);
	delete_any(c, "/a/b");
	expect_stats("count=4,bytes=16");
	/* No Stat moves with them. */
	before.data_length = (int32_t)strlen("count=4,bytes=16");
	expect_stat(stat_of(STATS), before);
}

static void test_statistics_when_a_session_ends(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	make_quota("count=-1,bytes=-1");
	create(c, "/a/e", "12", CREATE_EPHEMERAL);
	create(c, "/a/f", "345", CREATE_EPHEMERAL);
	expect_stats("count=3,bytes=5");
	headless_close_session(c, ++xid);
	assert_int_equal(finish(c), ZERR_OK);
	c = headless_new_session(&h, TIMEOUT_MS);
	expect_stats("count=1,bytes=0");
}

static void add_create(const char *path, const char *data)
{
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ OP_CREATE, false, -1 });
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_buffer(&c->w, slice_of(data));
	jute_write_raw(&c->w, headless_world().data, headless_world().len);
	jute_write_int(&c->w, 0);
}

static void add_delete(const char *path)
{
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ OP_DELETE, false, -1 });
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_int(&c->w, -1);
}

/* A multi that fails leaves nothing, a quota that it made neither. */
static void test_statistics_and_multi(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	create(c, "/zookeeper/quota/a", "", 0);
	for (int fails = 1; fails >= 0; fails--) {
		headless_begin(c, ++xid, OP_MULTI);
		for (int i = 0; i < 3; i++) {
			static const char *const paths[] = { LIMITS, STATS, "/a/b" };

			add_create(paths[i], "count=1,bytes=1");
		}
		proto_write_multi_header(&c->w,
					 &(struct proto_multi_header){ OP_CHECK, false, -1 });
		jute_write_buffer(&c->w, slice_of("/a"));
		jute_write_int(&c->w, fails ? 5 : 0);
		proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
		headless_send(c);
		assert_int_equal(finish(c), ZERR_OK);
		assert_int_equal(quota_count(registry_quotas(h.registry)), !fails);
	}
	expect_stats("count=2,bytes=15");
	/* The same with one that would take it away. */
	headless_begin(c, ++xid, OP_MULTI);
	add_delete(LIMITS);
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ OP_CHECK, false, -1 });
	jute_write_buffer(&c->w, slice_of("/none"));
	jute_write_int(&c->w, 0);
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_OK);
	assert_int_equal(quota_count(registry_quotas(h.registry)), 1);
	create(c, "/a/c", "", 0);
	expect_stats("count=3,bytes=15");
}

static void test_the_longest_path_counts(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	create(c, "/a/b", "", 0);
	make_quota("count=-1,bytes=-1");
	create(c, "/zookeeper/quota/a/b", "", 0);
	create(c, "/zookeeper/quota/a/b/zookeeper_limits", "count=-1,bytes=-1", 0);
	create(c, "/zookeeper/quota/a/b/zookeeper_stats", "", 0);
	create(c, "/a/b/c", "xyz", 0);
	expect_stats("count=2,bytes=0");
	expect_data("/zookeeper/quota/a/b/zookeeper_stats", "count=2,bytes=3");
	/* Without limits it is no quota any more. */
	delete_any(c, "/zookeeper/quota/a/b/zookeeper_limits");
	create(c, "/a/b/d", "xy", 0);
	expect_stats("count=4,bytes=5");
	assert_int_equal(quota_count(registry_quotas(h.registry)), 1);
}

/* The quota above takes over what the one below counted, be it more or less than at its begin. */
static void test_a_quota_below_goes(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	create(c, "/a/b", "", 0);
	create(c, "/a/b/old", "1", 0);
	make_quota("count=-1,bytes=-1");
	expect_stats("count=3,bytes=1");
	create(c, "/zookeeper/quota/a/b", "", 0);
	create(c, "/zookeeper/quota/a/b/zookeeper_limits", "count=-1,bytes=-1", 0);
	create(c, "/zookeeper/quota/a/b/zookeeper_stats", "", 0);
	create(c, "/a/b/c", "xyz", 0);
	create(c, "/a/b/d", "xy", 0);
	delete_any(c, "/a/b/old");
	expect_stats("count=3,bytes=1");
	delete_any(c, "/zookeeper/quota/a/b/zookeeper_limits");
	expect_stats("count=4,bytes=5");
	delete_any(c, "/a/b/c");
	delete_any(c, "/a/b/d");
	delete_any(c, "/a/b");
	expect_stats("count=1,bytes=0");
}

static void add_set(const char *path, const char *data)
{
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ OP_SET_DATA, false, -1 });
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_buffer(&c->w, slice_of(data));
	jute_write_int(&c->w, -1);
}

/* However often statistics begin anew in one change, what is there is looked at once, and they are
 * exact all the same. */
static void test_one_change_counts_once(void **state)
{
	uint64_t counted;

	(void)state;
	create(c, "/a", "", 0);
	create(c, "/a/b", "12", 0);
	make_quota("count=-1,bytes=-1");
	counted = metrics_get(METRIC_quotas_counted);
	headless_begin(c, ++xid, OP_MULTI);
	for (int i = 0; i < 50; i++) {
		add_delete(LIMITS);
		add_delete("/a/b");
		add_create("/a/c", "345");
		add_set("/a", i % 2 ? "" : "6789");
		add_create("/ab", "not below");
		add_create(LIMITS, "");
		add_delete(STATS);
		add_delete("/a/c");
		add_delete("/ab");
		add_create("/a/b", "1");
		add_create(STATS, "");
	}
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_OK);
	expect_stats("count=2,bytes=1");
	assert_int_equal(metrics_get(METRIC_quotas_counted), counted + 1);
	/* The next change knows nothing of it. */
	delete_any(c, LIMITS);
	delete_any(c, "/a/b");
	create(c, LIMITS, "", 0);
	expect_stats("count=1,bytes=0");
	assert_int_equal(metrics_get(METRIC_quotas_counted), counted + 2);
}

/* Quotas that end with a session: the one above them is counted once. */
static void test_many_quotas_below_go(void **state)
{
	char path[96];
	uint64_t counted;

	(void)state;
	create(c, "/a", "1", 0);
	make_quota("count=-1,bytes=-1");
	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "/zookeeper/quota/a/%d", i);
		create(c, path, "", 0);
		snprintf(path, sizeof(path), "/zookeeper/quota/a/%d/zookeeper_limits", i);
		create(c, path, "", CREATE_EPHEMERAL);
		snprintf(path, sizeof(path), "/a/%d", i);
		create(c, path, "23", i % 2 ? CREATE_EPHEMERAL : 0);
	}
	expect_stats("count=1,bytes=1");
	counted = metrics_get(METRIC_quotas_counted);
	headless_close_session(c, ++xid);
	assert_int_equal(finish(c), ZERR_OK);
	c = headless_new_session(&h, TIMEOUT_MS);
	expect_stats("count=6,bytes=11");
	assert_int_equal(metrics_get(METRIC_quotas_counted), counted + 1);
}

/* Both what tree.db has and what only the log has. */
static void test_restart(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	make_quota("count=-1,bytes=-1");
	headless_replay(&h);
	create(c, "/a/b", "123", 0);
	create(c, "/zookeeper/quota/late", "", 0);
	create(c, "/zookeeper/quota/late/zookeeper_limits", "", 0);
	create(c, "/zookeeper/quota/gone", "", 0);
	create(c, "/zookeeper/quota/gone/zookeeper_limits", "", 0);
	delete_any(c, "/zookeeper/quota/gone/zookeeper_limits");
	restart_with(false);
	assert_int_equal(quota_count(registry_quotas(h.registry)), 2);
	expect_stats("count=2,bytes=3");
	create(c, "/a/c", "45", 0);
	expect_stats("count=3,bytes=5");
}

static void test_soft_limits_are_only_logged(void **state)
{
	uint64_t exceeded = metrics_get(METRIC_quotas_exceeded);
	uint64_t refused = metrics_get(METRIC_quotas_refused);

	(void)state;
	restart_with(true);
	create(c, "/a", "", 0);
	make_quota("count=2,bytes=4");
	assert_int_equal(create(c, "/a/b", "1234", 0), ZERR_OK);
	assert_int_equal(metrics_get(METRIC_quotas_exceeded), exceeded);
	assert_int_equal(create(c, "/a/c", "", 0), ZERR_OK);
	assert_int_equal(set(c, "/a/c", "1"), ZERR_OK);
	assert_int_equal(metrics_get(METRIC_quotas_exceeded), exceeded + 2);
	assert_int_equal(metrics_get(METRIC_quotas_refused), refused);
}

static void test_hard_limits(void **state)
{
	uint64_t refused = metrics_get(METRIC_quotas_refused);

	(void)state;
	create(c, "/a", "", 0);
	make_quota("count=-1,bytes=-1=;byteHardLimit=4;countHardLimit=2");
	/* Not enforced. */
	assert_int_equal(create(c, "/a/x", "12345", 0), ZERR_OK);
	delete_any(c, "/a/x");
	restart_with(true);
	assert_int_equal(create(c, "/a/b", "12345", 0), ZERR_QUOTA_EXCEEDED);
	assert_int_equal(create(c, "/a/b", "1234", 0), ZERR_OK);
	assert_int_equal(create(c, "/a/c", "", 0), ZERR_QUOTA_EXCEEDED);
	assert_int_equal(set(c, "/a", "1"), ZERR_QUOTA_EXCEEDED);
	/* The version is looked at later, as in ZooKeeper. */
	assert_int_equal(set_version(c, "/a", "1", 9), ZERR_QUOTA_EXCEEDED);
	assert_int_equal(metrics_get(METRIC_quotas_refused), refused + 4);
	assert_int_equal(set(c, "/a/b", "12"), ZERR_OK);
	assert_int_equal(set(c, "/a", "12"), ZERR_OK);
	expect_stats("count=2,bytes=4");
	delete_any(c, "/a/b");
	assert_int_equal(create(c, "/a/c", "", 0), ZERR_OK);
	/* Elsewhere there is no limit, and none where the statistics are gone. */
	assert_int_equal(create(c, "/elsewhere", "12345", 0), ZERR_OK);
	delete_any(c, STATS);
	assert_int_equal(create(c, "/a/d", "12345", 0), ZERR_OK);
}

/* What is over a limit that came later may stay, and become small enough at once, not by and by. */
static void test_hard_limit_below_what_is_there(void **state)
{
	(void)state;
	restart_with(true);
	create(c, "/a", "123456", 0);
	make_quota("count=-1,bytes=-1=;byteHardLimit=4");
	assert_int_equal(set(c, "/a", "12345"), ZERR_QUOTA_EXCEEDED);
	assert_int_equal(set(c, "/a", "654321"), ZERR_OK);
	assert_int_equal(create(c, "/a/b", "", 0), ZERR_OK);
	assert_int_equal(set(c, "/a", "1234"), ZERR_OK);
	expect_stats("count=2,bytes=4");
}

/* Limits that are none stop every write below while they are enforced, as in ZooKeeper. */
static void test_malformed_limits(void **state)
{
	(void)state;
	create(c, "/a", "1", 0);
	make_quota("count=x");
	assert_int_equal(set(c, "/a", "12"), ZERR_OK);
	restart_with(true);
	assert_int_equal(set(c, "/a", "1"), ZERR_MARSHALLING);
	assert_int_equal(create(c, "/a/b", "", 0), ZERR_MARSHALLING);
	assert_int_equal(create(c, "/b", "", 0), ZERR_OK);
	expect_stats("count=1,bytes=2");
	assert_int_equal(set(c, LIMITS, "count=5"), ZERR_OK);
	assert_int_equal(set(c, "/a", "1"), ZERR_OK);
}

/* Nothing is counted without limits; when they come again the statistics are made right. */
static void test_limits_that_come_later(void **state)
{
	(void)state;
	create(c, "/a", "1", 0);
	create(c, "/zookeeper/quota/a", "", 0);
	assert_int_equal(create(c, STATS, "", 0), ZERR_OK);
	create(c, "/a/b", "23", 0);
	assert_int_equal(create(c, LIMITS, "count=-1,bytes=-1", 0), ZERR_OK);
	expect_stats("count=2,bytes=3");
	delete_any(c, LIMITS);
	delete_any(c, "/a/b");
	headless_replay(&h);
	restart_with(false);
	create(c, "/a/c", "4567", 0);
	assert_int_equal(create(c, LIMITS, "count=-1,bytes=-1", 0), ZERR_OK);
	expect_stats("count=2,bytes=5");
}

/* Whoever may write the statistics may write any number. */
static void test_statistics_at_the_end_of_numbers(void **state)
{
	(void)state;
	restart_with(true);
	create(c, "/a", "", 0);
	make_quota("count=0,bytes=0");
	set(c, STATS, "count=9223372036854775807,bytes=9223372036854775807");
	assert_int_equal(create(c, "/a/b", "1", 0), ZERR_OK);
	expect_stats("count=-9223372036854775808,bytes=-9223372036854775808");
	assert_int_equal(delete_any(c, "/a/b"), ZERR_OK);
	expect_stats("count=9223372036854775807,bytes=9223372036854775807");
}

/* Made as ephemeral znodes, they go with their session, and are charged to it until then. */
static void test_quota_of_a_session(void **state)
{
	int64_t id = c->client.session->id;

	(void)state;
	create(c, "/a", "", 0);
	create(c, "/zookeeper/quota/a", "", 0);
	assert_int_equal(create(c, LIMITS, "count=-1,bytes=-1", CREATE_EPHEMERAL), ZERR_OK);
	assert_int_equal(create(c, STATS, "", CREATE_EPHEMERAL), ZERR_OK);
	for (int i = 0; i < 20; i++)
		create(c, "/a/e", "0123456789", CREATE_EPHEMERAL_SEQUENTIAL);
	expect_stats("count=21,bytes=200");
	assert_int_equal(tree_owned_count(registry_tree(h.registry), id), 22);
	headless_close_session(c, ++xid);
	assert_int_equal(finish(c), ZERR_OK);
	assert_int_equal(quota_count(registry_quotas(h.registry)), 0);
	assert_int_equal(tree_owned_bytes(registry_tree(h.registry), id), 0);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(exists(c, STATS), ZERR_NO_NODE);
	assert_int_equal(create(c, "/a/x", "1", 0), ZERR_OK);
}

static void test_most_quotas(void **state)
{
	(void)state;
	headless_stop(&h);
	h.registry_options.max_quotas = 1;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	make_quota("");
	create(c, "/zookeeper/quota/b", "", 0);
	assert_int_equal(create(c, "/zookeeper/quota/b/zookeeper_limits", "", 0),
			 ZERR_QUOTA_EXCEEDED);
	delete_any(c, LIMITS);
	assert_int_equal(create(c, "/zookeeper/quota/b/zookeeper_limits", "", 0), ZERR_OK);
}

/* --- getAllChildrenNumber --- */

static int32_t all_below(const char *path)
{
	headless_begin(c, ++xid, OP_GET_ALL_CHILDREN_NUMBER);
	jute_write_buffer(&c->w, slice_of(path));
	headless_send(c);
	if (finish(c) != ZERR_OK)
		return last.header.err;
	return jute_read_int(&last.body);
}

/* In tree.db, changed since then, only in memory, and gone. */
static void test_all_children_number(void **state)
{
	struct buf closed;

	(void)state;
	assert_int_equal(all_below("/"), 3);
	assert_int_equal(all_below(""), 4);
	create(c, "/a", "", 0);
	create(c, "/a/1", "", 0);
	create(c, "/a/1/2", "", 0);
	create(c, "/a/gone", "", 0);
	create(c, "/a0", "", 0);
	create(c, "/a-", "", 0);
	headless_replay(&h);
	assert_int_equal(all_below("/a"), 3);
	delete_any(c, "/a/gone");
	set(c, "/a/1", "x");
	create(c, "/a/1/3", "", 0);
	create(c, "/a/e", "", CREATE_EPHEMERAL);
	assert_int_equal(all_below("/a"), 4);
	headless_replay(&h);
	assert_int_equal(all_below("/a"), 4);
	assert_int_equal(all_below("/a/1"), 2);
	assert_int_equal(all_below("/a/1/2"), 0);
	assert_int_equal(all_below("/"), 3 + 7);
	assert_int_equal(all_below("/none"), ZERR_NO_NODE);
	buf_init(&closed, 256);
	headless_add_acl(&closed, PERM_CREATE, "world", "anyone");
	create_with(c, OP_CREATE, "/closed", slice_of(""), buf_slice(&closed), 0);
	assert_int_equal(all_below("/closed"), ZERR_NO_AUTH);
	buf_fini(&closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGISTRY_TEST(test_statistics),
		REGISTRY_TEST(test_statistics_when_a_session_ends),
		REGISTRY_TEST(test_statistics_and_multi),
		REGISTRY_TEST(test_the_longest_path_counts),
		REGISTRY_TEST(test_a_quota_below_goes),
		REGISTRY_TEST(test_one_change_counts_once),
		REGISTRY_TEST(test_many_quotas_below_go),
		REGISTRY_TEST(test_restart),
		REGISTRY_TEST(test_soft_limits_are_only_logged),
		REGISTRY_TEST(test_hard_limits),
		REGISTRY_TEST(test_hard_limit_below_what_is_there),
		REGISTRY_TEST(test_malformed_limits),
		REGISTRY_TEST(test_limits_that_come_later),
		REGISTRY_TEST(test_statistics_at_the_end_of_numbers),
		REGISTRY_TEST(test_quota_of_a_session),
		REGISTRY_TEST(test_most_quotas),
		REGISTRY_TEST(test_all_children_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
