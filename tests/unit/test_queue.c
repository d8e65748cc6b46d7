#include "base/queue.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

enum { THREADS = 4, ITEMS = 5000 };

struct item {
	struct list link;
	int thread;
	int number;
};

static bool is_readable(const struct queue *q, int wait_ms)
{
	struct pollfd p = { .fd = queue_fd(q), .events = POLLIN };

	return poll(&p, 1, wait_ms) == 1;
}

static void test_order_and_wake(void **state)
{
	struct queue *q = queue_new();
	struct item items[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
	struct list got;
	int next = 0;

	(void)state;
	list_init(&got);
	assert_false(is_readable(q, 0));
	queue_take_all(q, &got);
	assert_true(list_is_empty(&got));
	queue_push(q, &items[0].link);
	assert_true(is_readable(q, 0));
	queue_push(q, &items[1].link);
	assert_true(is_readable(q, 0));
	queue_take_all(q, &got);
	assert_false(is_readable(q, 0));
	queue_push(q, &items[2].link);
	assert_true(is_readable(q, 0));
	/* What was taken before stays in front. */
	queue_take_all(q, &got);
	list_foreach(pos, &got)
		assert_int_equal(container_of(pos, struct item, link)->number, next++);
	assert_int_equal(next, 3);
	queue_free(q);
	queue_free(NULL);
}

struct sender {
	struct queue *q;
	int thread;
	pthread_t id;
	struct item *items;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (int i = 0; i < ITEMS; i++) {
		s->items[i].thread = s->thread;
		s->items[i].number = i;
		queue_push(s->q, &s->items[i].link);
	}
	return NULL;
}

/* Nothing is lost, nothing comes twice, each sender's items come in its order, and the taker
 * that only looks when it is woken gets them all. */
static void test_many_senders(void **state)
{
	struct sender senders[THREADS];
	struct queue *q = queue_new();
	int next[THREADS] = { 0 };
	int got = 0;

	(void)state;
	for (int t = 0; t < THREADS; t++) {
		senders[t] = (struct sender){ .q = q, .thread = t };
		senders[t].items = calloc(ITEMS, sizeof(struct item));
		assert_int_equal(pthread_create(&senders[t].id, NULL, send_all, &senders[t]), 0);
	}
	while (got < THREADS * ITEMS) {
		struct list taken;
		struct list *link;

		assert_true(is_readable(q, 10000));
		list_init(&taken);
		queue_take_all(q, &taken);
		while ((link = list_take_first(&taken)) != NULL) {
			struct item *item = container_of(link, struct item, link);

			assert_int_equal(item->number, next[item->thread]++);
			got++;
		}
	}
	for (int t = 0; t < THREADS; t++) {
		pthread_join(senders[t].id, NULL);
		free(senders[t].items);
	}
	assert_false(is_readable(q, 0));
	queue_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_wake),
		cmocka_unit_test(test_many_senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
