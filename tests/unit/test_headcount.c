/* getAllChildrenNumber where a policy shows a part: that it is what exists would answer, that it
 * takes a share of each turn, and what becomes of a count that cannot go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "app/policy_file.h"
#include "core/registry.h"
#include "tests/unit/registry_fixture.h"

enum { MANY = 5000 };

static void take_policy(const char *text)
{
	char reason[POLICY_REASON_LEN];
	struct policy_limits limits;
	struct policy *p = NULL;

	policy_limits_init(&limits);
	if (text && !(p = policy_file_parse(slice_of(text), "p", &limits, reason)))
		fail_msg("%s", reason);
	registry_take_policy(h.registry, p);
}

static enum dispatch_result begin(struct headless_client *by, const char *path)
{
	headless_begin(by, ++xid, OP_GET_ALL_CHILDREN_NUMBER);
	jute_write_buffer(&by->w, slice_of(path));
	return headless_send(by);
}

/* What the connection does: it offers the same frame in the next turn. */
static enum dispatch_result go_on(struct headless_client *by)
{
	headless_turn(&h);
	return headless_send(by);
}

static int32_t number(struct headless_client *by)
{
	last = headless_reply_to(by, jute_get_int((const uint8_t *)buf_head(&by->request)));
	if (last.header.err != ZERR_OK)
		return last.header.err;
	return jute_read_int(&last.body);
}

/* Whatever turns it takes. */
static int32_t finish_count(struct headless_client *by)
{
	enum dispatch_result result;

	do
		result = go_on(by);
	while (result == DISPATCH_AGAIN);
	assert_int_equal(result, DISPATCH_DONE);
	return number(by);
}

static int32_t count(const char *path)
{
	enum dispatch_result result = begin(c, path);

	if (result == DISPATCH_AGAIN)
		return finish_count(c);
	assert_int_equal(result, DISPATCH_DONE);
	return number(c);
}

static const char *const tree[] = {
	"/zookeeper",
	"/zookeeper/config",
	"/zookeeper/quota",
	"/a",
	"/a/1",
	"/a/1/x",
	"/a/1/y",
	"/a/2",
	"/a/2/x",
	"/a/2/x/z",
	"/a-b",
	"/a/3",
	"/b",
	"/b/1",
};

static int32_t seen_below(const char *path)
{
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);
	int32_t seen = 0;

	for (size_t i = 0; i < sizeof(tree) / sizeof(*tree); i++)
		if (strncmp(tree[i], path, len) == 0 && tree[i][len] == '/' &&
		    exists(c, tree[i]) == ZERR_OK)
			seen++;
	return seen;
}

static void compare(void)
{
	static const char *const policies[] = {
		"role r anyone\nallow r read /\ndeny r read /a/1\n",
		"role r anyone\nallow r read /\nallow r none /a\nallow r read /a/*/x\n"
		"allow r read /a only\n",
		"role r anyone\nallow r read / only\nallow r read /a only\nallow r read /a/2\n",
		"role r anyone\nallow r read /\ndeny r read /a/**\n",
		"role r anyone\nallow r read /\n",
		NULL,
	};
	static const char *const paths[] = { "/", "/a", "/a/1", "/a/2", "/a/3", "/b" };

	for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++) {
		take_policy(policies[i]);
		for (size_t k = 0; k < sizeof(paths) / sizeof(*paths); k++) {
			int32_t seen = exists(c, paths[k]);

			if (seen == ZERR_OK)
				seen = seen_below(paths[k]);
			assert_int_equal(count(paths[k]), seen);
		}
		/* By this name the root is below itself. */
		assert_int_equal(count(""), seen_below("/") + 1);
	}
}

/* In tree.db, changed since then, only in memory, and gone. */
static void test_as_exists_answers(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	create(c, "/a-b", "", 0);
	create(c, "/a/1", "", 0);
	create(c, "/a/1/x", "", 0);
	create(c, "/a/1/y", "", 0);
	create(c, "/a/2", "", 0);
	create(c, "/a/2/x", "", 0);
	compare();
	headless_replay(&h);
	compare();
	assert_int_equal(delete_any(c, "/a/1/y"), ZERR_OK);
	assert_int_equal(set(c, "/a/2/x", "x"), ZERR_OK);
	create(c, "/a/2/x/z", "", 0);
	create(c, "/a/3", "", CREATE_EPHEMERAL);
	create(c, "/b", "", 0);
	compare();
	headless_replay(&h);
	compare();
	headless_restart(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	compare();
}

/* One of them is hidden. */
static void make_many(void)
{
	char path[32];
	struct slice frame;
	int made = 0;

	create(c, "/m", "", 0);
	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "/m/%d", i);
		headless_create(c, ++xid, OP_CREATE, path, slice_of(""), headless_world(), 0);
	}
	headless_flush(&h);
	while (headless_receive(c, &frame))
		made++;
	assert_int_equal(made, MANY);
}

static const char some[] = "role r anyone\nallow r all /\nallow r none /m/1\n";

static void test_a_share_in_each_turn(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);
	struct headless_client *third = headless_new_session(&h, TIMEOUT_MS);
	int turns = 0;

	(void)state;
	make_many();
	take_policy(some);
	for (int replayed = 0; replayed < 2; replayed++) {
		assert_int_equal(begin(c, "/m"), DISPATCH_AGAIN);
		/* Nobody else waits, but who asks for the same. */
		assert_int_equal(exists(other, "/m/2"), ZERR_OK);
		assert_int_equal(begin(other, "/m"), DISPATCH_AGAIN);
		assert_int_equal(begin(third, "/zookeeper"), DISPATCH_DONE);
		assert_int_equal(number(third), 2);
		for (turns = 1; go_on(c) == DISPATCH_AGAIN; turns++)
			assert_in_range(turns, 0, 5);
		assert_int_equal(number(c), MANY - 1);
		assert_in_range(turns, 2, 5);
		assert_int_equal(finish_count(other), MANY - 1);
		headless_replay(&h);
	}
}

/* While c counts. */
static void let_wait(struct headless_client *other)
{
	make_many();
	take_policy(some);
	assert_int_equal(begin(c, "/m"), DISPATCH_AGAIN);
	assert_int_equal(begin(other, "/m"), DISPATCH_AGAIN);
}

static void test_who_waits_is_next(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);

	(void)state;
	let_wait(other);
	headless_disconnect(c);
	assert_int_equal(finish_count(other), MANY - 1);
}

/* However fast it asks again. */
static void test_who_had_one_stands_behind(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);

	(void)state;
	let_wait(other);
	while (go_on(c) == DISPATCH_AGAIN)
		assert_int_equal(headless_send(other), DISPATCH_AGAIN);
	assert_int_equal(number(c), MANY - 1);
	assert_int_equal(begin(c, "/m"), DISPATCH_AGAIN);
	for (int turns = 0; go_on(other) == DISPATCH_AGAIN; turns++) {
		assert_int_equal(headless_send(c), DISPATCH_AGAIN);
		assert_in_range(turns, 0, 5);
	}
	assert_int_equal(number(other), MANY - 1);
	assert_int_equal(finish_count(c), MANY - 1);
}

/* Its connection does not offer the frame any more: too much that it does not take waits there. */
static void test_who_does_not_come_is_passed_over(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);

	(void)state;
	let_wait(other);
	assert_int_equal(go_on(other), DISPATCH_AGAIN);
	headless_advance(&h, 1500);
	assert_int_equal(finish_count(other), MANY - 1);
	/* It begins anew. */
	assert_int_equal(finish_count(c), MANY - 1);
}

static void test_another_policy_counts_anew(void **state)
{
	(void)state;
	make_many();
	headless_replay(&h);
	take_policy(some);
	assert_int_equal(begin(c, "/m"), DISPATCH_AGAIN);
	take_policy("role r anyone\nallow r all /m only\nallow r all /m/7\n");
	assert_int_equal(finish_count(c), 1);
	take_policy(some);
	assert_int_equal(begin(c, "/m"), DISPATCH_AGAIN);
	take_policy("role r anyone\nallow r none /m\n");
	assert_int_equal(go_on(c), DISPATCH_DONE);
	assert_int_equal(number(c), ZERR_NO_AUTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGISTRY_TEST(test_as_exists_answers),
		REGISTRY_TEST(test_a_share_in_each_turn),
		REGISTRY_TEST(test_who_waits_is_next),
		REGISTRY_TEST(test_who_had_one_stands_behind),
		REGISTRY_TEST(test_who_does_not_come_is_passed_over),
		REGISTRY_TEST(test_another_policy_counts_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
