#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/slice.h"

struct item {
	char name;
	struct list link;
};

/* The names of a list in order, and whether the links back agree. */
static void assert_list(struct list *head, const char *names)
{
	size_t count = 0;

	list_foreach(pos, head) {
		assert_true(names[count] != '\0');
		assert_int_equal(container_of(pos, struct item, link)->name, names[count]);
		assert_ptr_equal(pos->next->prev, pos);
		assert_ptr_equal(pos->prev->next, pos);
		count++;
	}
	assert_int_equal(count, strlen(names));
	assert_int_equal(list_is_empty(head), count == 0);
}

static struct item a, b, c;

static int set_up(void **state)
{
	(void)state;
	a.name = 'a';
	b.name = 'b';
	c.name = 'c';
	list_init(&a.link);
	list_init(&b.link);
	list_init(&c.link);
	return 0;
}

static void test_order(void **state)
{
	struct list head;

	(void)state;
	list_init(&head);
	assert_list(&head, "");
	list_append(&head, &b.link);
	list_append(&head, &c.link);
	list_prepend(&head, &a.link);
	assert_list(&head, "abc");
	list_remove(&b.link);
	assert_list(&head, "ac");
	assert_true(list_is_empty(&b.link));
	list_remove(&b.link);
	list_insert_before(&c.link, &b.link);
	assert_list(&head, "abc");
}

static void test_take_first(void **state)
{
	struct list head;

	(void)state;
	list_init(&head);
	assert_null(list_take_first(&head));
	list_append(&head, &a.link);
	list_append(&head, &b.link);
	assert_ptr_equal(list_take_first(&head), &a.link);
	assert_true(list_is_empty(&a.link));
	assert_list(&head, "b");
	assert_ptr_equal(list_take_first(&head), &b.link);
	assert_list(&head, "");
}

static void test_splice(void **state)
{
	struct list to;
	struct list from;

	(void)state;
	list_init(&to);
	list_init(&from);
	list_splice(&to, &from);
	assert_list(&to, "");
	list_append(&from, &b.link);
	list_append(&from, &c.link);
	list_append(&to, &a.link);
	list_splice(&to, &from);
	assert_list(&to, "abc");
	assert_list(&from, "");
	list_splice(&to, &from);
	assert_list(&to, "abc");
	list_splice(&from, &to);
	assert_list(&from, "abc");
	assert_list(&to, "");
}

static void test_remove_while_walking(void **state)
{
	struct list head;

	(void)state;
	list_init(&head);
	list_append(&head, &a.link);
	list_append(&head, &b.link);
	list_append(&head, &c.link);
	list_foreach_safe(pos, &head)
		list_remove(pos);
	assert_list(&head, "");
}

static void test_slices(void **state)
{
	const struct slice null = { NULL, 0 };

	(void)state;
	assert_true(slice_is(slice_of("abc"), "abc"));
	assert_false(slice_is(slice_of("abc"), "abd"));
	assert_false(slice_is(slice_of("abc"), "abcd"));
	assert_false(slice_is(slice_of("abcd"), "abc"));
	assert_true(slice_equal((struct slice){ "a\0b", 3 }, (struct slice){ "a\0b", 3 }));
	assert_false(slice_equal((struct slice){ "a\0b", 3 }, (struct slice){ "a\0c", 3 }));
	/* No bytes are no bytes; whoever must tell null from empty looks at data. */
	assert_true(slice_equal(null, slice_of("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, set_up),
		cmocka_unit_test_setup(test_take_first, set_up),
		cmocka_unit_test_setup(test_splice, set_up),
		cmocka_unit_test_setup(test_remove_while_walking, set_up),
		cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
