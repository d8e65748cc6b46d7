#include "core/acl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct acl_table table;
static char bytes[2][64];

static struct slice encoded(int which, int32_t perms)
{
	struct buf b = { .data = (uint8_t *)bytes[which],
			 .cap = sizeof(bytes[0]),
			 .limit = sizeof(bytes[0]) };
	struct proto_acl entry = { perms, slice_of("world"), slice_of("anyone") };
	struct jute_writer w;

	jute_writer_init(&w, &b);
	jute_write_int(&w, 1);
	proto_write_acl(&w, &entry);
	return buf_slice(&b);
}

static int set_up(void **state)
{
	(void)state;
	acl_table_init(&table);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	acl_table_fini(&table);
	return 0;
}

/* Kept once, whoever brings it; the bytes are the table's own. */
static void test_shared_by_content(void **state)
{
	struct acl *a = acl_take(&table, encoded(0, PERM_READ));
	struct acl *b = acl_take(&table, encoded(1, PERM_READ));
	struct acl *other = acl_take(&table, encoded(1, PERM_WRITE));

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, other);
	assert_int_equal(a->refs, 2);
	memset(bytes, 0, sizeof(bytes));
	assert_true(slice_equal(acl_encoded(a), encoded(0, PERM_READ)));
	assert_true(slice_equal(acl_encoded(other), encoded(0, PERM_WRITE)));
	acl_unref(&table, a);
	assert_ptr_equal(acl_take(&table, encoded(0, PERM_READ)), b);
	acl_unref(&table, b);
	acl_unref(&table, b);
	assert_int_equal(table.entries.count, 1);
	acl_unref(&table, other);
	assert_int_equal(table.entries.count, 0);
}

static void test_ref(void **state)
{
	struct acl *a = acl_take(&table, encoded(0, PERM_ALL));

	(void)state;
	assert_ptr_equal(acl_ref(&table, a), a);
	acl_unref(&table, a);
	assert_int_equal(table.entries.count, 1);
	acl_unref(&table, a);
	assert_int_equal(table.entries.count, 0);
	acl_unref(&table, NULL);
}

/* What the cache alone has can go, so it does not count. */
static void test_room(void **state)
{
	struct acl *a = acl_take(&table, encoded(0, PERM_READ));
	struct acl *b = acl_take(&table, encoded(0, PERM_WRITE));

	(void)state;
	assert_int_equal(table.held, 2);
	assert_true(acl_has_room(&table, encoded(0, PERM_ALL), 3));
	assert_false(acl_has_room(&table, encoded(0, PERM_ALL), 2));
	/* One more for what is there is none more. */
	assert_true(acl_has_room(&table, encoded(0, PERM_READ), 2));
	acl_rest(&table, a);
	assert_int_equal(table.held, 1);
	assert_true(acl_has_room(&table, encoded(0, PERM_ALL), 2));
	assert_false(acl_has_room(&table, encoded(0, PERM_READ), 1));
	/* Somebody else takes it too, and lets it go. */
	assert_ptr_equal(acl_take(&table, encoded(0, PERM_READ)), a);
	assert_int_equal(table.held, 2);
	assert_true(acl_has_room(&table, encoded(0, PERM_READ), 1));
	acl_unref(&table, a);
	assert_int_equal(table.held, 1);
	acl_wake(&table, a);
	assert_int_equal(table.held, 2);
	acl_unref(&table, a);
	acl_unref(&table, b);
	assert_int_equal(table.held, 0);
	assert_int_equal(table.entries.count, 0);
	acl_rest(&table, NULL);
	acl_wake(&table, NULL);
}

static void test_entries(void **state)
{
	struct acl *a = acl_take(&table, encoded(0, PERM_ADMIN));
	struct proto_acls entries = acl_entries(a);
	struct jute_reader r;
	struct proto_acl entry;

	(void)state;
	assert_int_equal(entries.count, 1);
	jute_reader_init(&r, entries.raw);
	entry = proto_read_acl(&r);
	assert_int_equal(entry.perms, PERM_ADMIN);
	assert_true(slice_is(entry.scheme, "world"));
	assert_true(slice_is(entry.id, "anyone"));
	assert_int_equal(jute_reader_left(&r), 0);
	acl_unref(&table, a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shared_by_content, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ref, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_entries, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
