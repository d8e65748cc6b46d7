#include "base/mem.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/metrics.h"
#include "capture.h"

static void test_new_is_zeroed(void **state)
{
	static const char zeros[100];
	void *ptr = mem_new(100);

	(void)state;
	assert_memory_equal(ptr, zeros, 100);
	mem_free(ptr);
	ptr = mem_try(100);
	assert_memory_equal(ptr, zeros, 100);
	mem_free(ptr);
	mem_free(NULL);
}

enum { PIECES = 8000, PIECE_LEN = 4000 };

static void take(void **pieces)
{
	for (size_t i = 0; i < PIECES; i++)
		pieces[i] = mem_new(PIECE_LEN);
}

static void give(void **pieces)
{
	for (size_t i = 0; i < PIECES; i++)
		mem_free(pieces[i]);
}

/* Much that was freed below a piece in use goes back, once. */
static void test_what_is_free_goes_back(void **state)
{
	void **pieces = mem_new(PIECES * sizeof(*pieces));
	void *above;
	bool is_known;

	(void)state;
	(void)mem_trim();
	take(pieces);
	above = mem_new(PIECE_LEN);
	assert_false(mem_trim());
	give(pieces);
	/* Sanitizers have an allocator of their own, of which malloc.h knows nothing. */
	is_known = mallinfo2().uordblks > 0;
	if (is_known)
		assert_true(mallinfo2().fordblks > (size_t)PIECES * PIECE_LEN / 2);
	assert_int_equal(mem_trim(), is_known);
	assert_false(mem_trim());
	/* What was used again and freed since then is as much, and free as before. */
	take(pieces);
	give(pieces);
	assert_int_equal(mem_trim(), is_known);
	assert_false(mem_trim());
	mem_free(above);
	mem_free(pieces);
}

static void test_nothing_is_something(void **state)
{
	void *a = mem_new(0);
	void *b = mem_try(0);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	a = mem_grow(a, 0);
	b = mem_try_grow(b, 0);
	assert_non_null(a);
	assert_non_null(b);
	mem_free(a);
	mem_free(b);
}

static void test_grow_keeps(void **state)
{
	char *ptr = mem_grow(NULL, 4);

	(void)state;
	memcpy(ptr, "abc", 4);
	ptr = mem_grow(ptr, 10000);
	assert_string_equal(ptr, "abc");
	ptr = mem_try_grow(ptr, 4);
	assert_string_equal(ptr, "abc");
	mem_free(ptr);
}

static void test_dup(void **state)
{
	char *copy = mem_dup("ab\0cd", 5);

	(void)state;
	assert_memory_equal(copy, "ab\0cd", 6);
	mem_free(copy);
	copy = mem_dup(NULL, 0);
	assert_string_equal(copy, "");
	mem_free(copy);
	copy = mem_strdup("text");
	assert_string_equal(copy, "text");
	mem_free(copy);
}

static void test_failure_is_an_answer(void **state)
{
	uint64_t refused = metrics_get(METRIC_memory_refused);
	char *ptr = mem_strdup("kept");
	void *other;

	(void)state;
	mem_fail_after(2);
	other = mem_try(10);
	assert_non_null(other);
	assert_null(mem_try_grow(ptr, 100));
	assert_string_equal(ptr, "kept");
	mem_free(other);
	/* Once only, and never for what we size ourselves. */
	mem_fail_after(1);
	other = mem_grow(mem_new(10), 20);
	mem_free(other);
	assert_null(mem_try(10));
	other = mem_try(10);
	assert_non_null(other);
	mem_free(other);
	mem_fail_after(1);
	mem_fail_after(0);
	other = mem_try(10);
	assert_non_null(other);
	mem_free(other);
	mem_free(ptr);
	assert_int_equal(metrics_get(METRIC_memory_refused), refused + 2);
}

/* The sanitizers end the process themselves at such a size. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#endif

#ifndef HAS_SANITIZER
/* More than any machine has; volatile, or the compiler would warn about it. */
static volatile size_t too_much = SIZE_MAX / 2;

static void new_too_much(void)
{
	mem_free(mem_new(too_much));
}

static void grow_too_much(void)
{
	mem_free(mem_grow(NULL, too_much));
}
#endif

static void dup_too_much(void)
{
	mem_free(mem_dup("", SIZE_MAX));
}

static void test_our_own_failure_ends_the_process(void **state)
{
	char text[1000];

	(void)state;
	capture_abort(dup_too_much, text, sizeof(text));
	assert_non_null(strstr(text, "level=error event=memory.out"));
#ifndef HAS_SANITIZER
	capture_abort(new_too_much, text, sizeof(text));
	assert_non_null(strstr(text, "level=error event=memory.out"));
	capture_abort(grow_too_much, text, sizeof(text));
	assert_non_null(strstr(text, "level=error event=memory.out"));
	assert_null(mem_try(too_much));
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_is_zeroed),
		cmocka_unit_test(test_what_is_free_goes_back),
		cmocka_unit_test(test_nothing_is_something),
		cmocka_unit_test(test_grow_keeps),
		cmocka_unit_test(test_dup),
		cmocka_unit_test(test_failure_is_an_answer),
		cmocka_unit_test(test_our_own_failure_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
