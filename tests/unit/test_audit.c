/* The chain of the audit trail: every field of a row and of its change counts. */
#include "store/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t secret[AUDIT_KEY_LEN] = "a secret that is thirty-two long";

struct sample {
	struct record_head change;
	struct audit_row row;
};

/* An event, and a change. */
static struct sample *make(struct sample *s, bool is_change)
{
	*s = (struct sample){
		.change = { .zxid = 9,
			    .prev = 8,
			    .time_ms = 7,
			    .session = 6,
			    .identity = slice_of("CN=a"),
			    .address = slice_of("192.0.2.1:1"),
			    .op = "setData",
			    .path = slice_of("/a") },
		.row = { .number = 5,
			 .kind = "refuse",
			 .record = slice_of("record"),
			 .time_ms = 7,
			 .session = 6,
			 .address = slice_of("192.0.2.1:1"),
			 .op = slice_of("setData"),
			 .path = slice_of("/a"),
			 .note = { .who = slice_of("[\"x509:CN=a\"]"),
				   .old_version = 1,
				   .version = 2,
				   .detail = slice_of("detail") },
			 .result = slice_of("result"),
			 .count = 1 },
	};
	if (is_change)
		s->row.change = &s->change;
	return s;
}

static struct audit_head chain_with(const uint8_t *bytes, const struct audit_head *head,
				    const struct sample *s)
{
	struct audit_key *key = audit_key_new(bytes);
	struct audit_head out;

	audit_chain(key, head, &s->row, &out);
	audit_key_free(key);
	return out;
}

static void assert_differs(const struct sample *changed, bool is_change)
{
	const struct audit_head none = { 0 };
	struct sample s;
	struct audit_head as_it_was = chain_with(secret, &none, make(&s, is_change));
	struct audit_head now = chain_with(secret, &none, changed);

	assert_memory_not_equal(now.mac, as_it_was.mac, AUDIT_MAC_LEN);
}

#define DIFFERS(is_change, assignment)           \
	do {                                     \
		struct sample s;                 \
		make(&s, is_change)->assignment; \
		assert_differs(&s, is_change);   \
	} while (0)

static void test_every_field_counts(void **state)
{
	(void)state;
	for (int is_change = 0; is_change < 2; is_change++) {
		DIFFERS(is_change, row.number = 6);
		DIFFERS(is_change, row.kind = "refus");
		DIFFERS(is_change, row.note.who = slice_of("[]"));
		DIFFERS(is_change, row.note.who.data = NULL);
		DIFFERS(is_change, row.note.old_version = AUDIT_NO_VERSION);
		DIFFERS(is_change, row.note.version = 3);
		DIFFERS(is_change, row.note.detail = slice_of(""));
		DIFFERS(is_change, row.result.data = NULL);
		DIFFERS(is_change, row.count = 2);
	}
	DIFFERS(false, row.time_ms = 8);
	DIFFERS(false, row.session = 0);
	DIFFERS(false, row.address = slice_of("192.0.2.2:1"));
	DIFFERS(false, row.op = slice_of("delete"));
	DIFFERS(false, row.path = slice_of("/b"));
	DIFFERS(true, change.zxid = 10);
	DIFFERS(true, change.prev = 7);
	DIFFERS(true, change.time_ms = 8);
	DIFFERS(true, change.session = 0);
	DIFFERS(true, change.identity.data = NULL);
	DIFFERS(true, change.address = slice_of(""));
	DIFFERS(true, change.op = "delete");
	DIFFERS(true, change.path = slice_of("/b"));
	DIFFERS(true, row.record = slice_of("recorD"));
	DIFFERS(true, row.change = NULL);
}

/* What moves from one field to the next is another row. */
static void test_fields_do_not_flow_together(void **state)
{
	const struct audit_head none = { 0 };
	struct sample a, b;
	struct audit_head x, y;

	(void)state;
	make(&a, false)->row.op = slice_of("ab");
	a.row.path = slice_of("c");
	make(&b, false)->row.op = slice_of("a");
	b.row.path = slice_of("bc");
	x = chain_with(secret, &none, &a);
	y = chain_with(secret, &none, &b);
	assert_memory_not_equal(x.mac, y.mac, AUDIT_MAC_LEN);
}

static void test_key_and_predecessor_count(void **state)
{
	const struct audit_head none = { 0 }, other = { .mac = { 1 } };
	uint8_t another[AUDIT_KEY_LEN] = { 0 };
	struct sample s;
	struct audit_head one, again, next;

	(void)state;
	one = chain_with(secret, &none, make(&s, true));
	again = chain_with(secret, &none, make(&s, true));
	assert_int_equal(one.number, 5);
	assert_memory_equal(one.mac, again.mac, AUDIT_MAC_LEN);
	next = chain_with(secret, &other, make(&s, true));
	assert_memory_not_equal(one.mac, next.mac, AUDIT_MAC_LEN);
	another[0] = 1;
	next = chain_with(another, &none, make(&s, true));
	assert_memory_not_equal(one.mac, next.mac, AUDIT_MAC_LEN);
	next = chain_with(NULL, &none, make(&s, true));
	assert_memory_not_equal(one.mac, next.mac, AUDIT_MAC_LEN);
}

/* Texts longer than what is gathered at once. */
static void test_long_texts(void **state)
{
	static char text[5000];
	const struct audit_head none = { 0 };
	struct sample s;
	struct audit_head one, other;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t len = 200; len < sizeof(text); len += 97) {
		make(&s, true)->row.record = (struct slice){ text, len };
		one = chain_with(secret, &none, &s);
		text[len - 1] = 'y';
		other = chain_with(secret, &none, &s);
		text[len - 1] = 'x';
		assert_memory_not_equal(one.mac, other.mac, AUDIT_MAC_LEN);
	}
}

static void test_key_ids(void **state)
{
	struct audit_key *a = audit_key_new(secret), *b = audit_key_new(NULL);

	(void)state;
	assert_int_equal(audit_key_id(a).len, AUDIT_KEY_ID_LEN);
	assert_int_equal(audit_key_id(b).len, 0);
	assert_memory_not_equal(audit_key_id(a).data, secret, AUDIT_KEY_ID_LEN);
	audit_key_free(a);
	audit_key_free(b);
	audit_key_free(NULL);
}

static void test_heads_as_texts(void **state)
{
	struct audit_head head = { .number = INT64_MAX }, read;
	char text[AUDIT_HEAD_TEXT_LEN];

	(void)state;
	memset(head.mac, 0xfe, sizeof(head.mac));
	audit_head_format(&head, text);
	assert_int_equal(strlen(text), sizeof(text) - 2);
	assert_true(audit_head_parse(text, &read));
	assert_true(read.number == head.number);
	assert_memory_equal(read.mac, head.mac, AUDIT_MAC_LEN);
	assert_false(audit_head_parse("", &read));
	assert_false(audit_head_parse("7", &read));
	assert_false(audit_head_parse("7:00", &read));
	assert_false(audit_head_parse("-7:", &read));
	assert_false(audit_head_parse("99999999999999999999:", &read));
	text[strlen(text) - 1] = 'g';
	assert_false(audit_head_parse(text, &read));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field_counts),
		cmocka_unit_test(test_fields_do_not_flow_together),
		cmocka_unit_test(test_key_and_predecessor_count),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_key_ids),
		cmocka_unit_test(test_heads_as_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
