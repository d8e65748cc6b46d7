/* What is told of what runs out, and when. Plays net/tls. */
#include "app/validity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "net/tls.h"
#include "tests/unit/capture.h"

#define DAY_S INT64_C(86400)

static const int64_t begin_s = 1800000000; /* 2027-01-15T08:00:00Z */

static struct tls_validity held[8];
static size_t held_count;
static struct validity *v;
static char log_text[8192];

void tls_context_foreach_validity(const struct tls_context *c,
				  void (*each)(void *ctx, const struct tls_validity *one),
				  void *ctx)
{
	(void)c;
	for (size_t i = 0; i < held_count; i++)
		each(ctx, &held[i]);
}

static void hold(enum tls_part part, const char *name, int64_t days)
{
	held[held_count++] = (struct tls_validity){ part, name, begin_s - 100 * DAY_S,
						    begin_s + days * DAY_S + 1 };
}

static int set_up(void **state)
{
	(void)state;
	clock_fake_start(5000, begin_s * 1000);
	metrics_reset();
	held_count = 0;
	v = validity_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	validity_free(v);
	clock_fake_stop();
	return 0;
}

static const char *taking(void)
{
	struct capture capture;

	capture_begin(&capture);
	validity_take(v, (struct tls_context *)(void *)held);
	capture_end(&capture, log_text, sizeof(log_text));
	return log_text;
}

/* What is said after so many days more. */
static const char *after(int64_t days)
{
	struct capture capture;

	clock_fake_advance(days * DAY_S * 1000);
	capture_begin(&capture);
	validity_look(v);
	capture_end(&capture, log_text, sizeof(log_text));
	return log_text;
}

static void assert_told(const char *said, const char *line)
{
	if (!strstr(said, line))
		fail_msg("not \"%s\", but \"%s\"", line, said);
}

static void assert_days(enum validity_part part, int64_t expected)
{
	int64_t days;

	assert_true(validity_days(v, part, &days));
	assert_int_equal(days, expected);
}

static void test_each_step_once(void **state)
{
	int64_t days;

	(void)state;
	hold(TLS_PART_CERT, "CN=server", 40);
	assert_string_equal(taking(), "");
	assert_days(VALIDITY_SERVER, 40);
	assert_false(validity_days(v, VALIDITY_CA, &days));
	assert_string_equal(after(9), "");
	assert_told(after(2), "level=warn event=validity.ends part=server name=\"CN=server\" "
			      "until=2027-02-24T08:00:01Z days=29\n");
	assert_string_equal(after(1), "");
	assert_string_equal(after(20), "");
	assert_told(after(2), "days=6\n");
	assert_string_equal(after(4), "");
	assert_told(after(2), "days=0\n");
	assert_string_equal(after(0), "");
	assert_told(after(1), "event=validity.ended part=server name=\"CN=server\" "
			      "until=2027-02-24T08:00:01Z days=-1\n");
	assert_string_equal(after(1), "");
	assert_days(VALIDITY_SERVER, -2);
	assert_int_equal(metrics_get(METRIC_validity_warnings), 4);
}

/* At a start they are told as they stand; a reload tells what is new. */
static void test_parts_and_reload(void **state)
{
	const char *said;

	(void)state;
	hold(TLS_PART_CERT, "CN=server", 29);
	hold(TLS_PART_TRUST, "CN=far", 300);
	hold(TLS_PART_TRUST, "CN=near", 6);
	hold(TLS_PART_CRL, "CN=near", 0);
	said = taking();
	assert_told(said, "part=server name=\"CN=server\"");
	assert_told(said, "part=ca name=\"CN=near\" until=2027-01-21T08:00:01Z days=6\n");
	assert_told(said, "part=crl name=\"CN=near\" until=2027-01-15T08:00:01Z days=0\n");
	assert_null(strstr(said, "far"));
	assert_days(VALIDITY_CA, 6);
	assert_days(VALIDITY_CRL, 0);
	assert_string_equal(taking(), "");
	held[3].until_s += 2 * DAY_S;
	said = taking();
	assert_told(said, "part=crl name=\"CN=near\" until=2027-01-17T08:00:01Z days=2\n");
	assert_null(strstr(said, "part=ca"));
	held_count = 1;
	assert_string_equal(taking(), "");
	assert_int_equal(metrics_get(METRIC_validity_warnings), 4);
}

/* What lives for a day never was further from its end. */
static void test_short_lived(void **state)
{
	(void)state;
	hold(TLS_PART_CERT, "CN=server", 0);
	held[0].until_s = begin_s + DAY_S / 2;
	held[0].from_s = held[0].until_s - DAY_S;
	assert_string_equal(taking(), "");
	assert_told(after(1), "event=validity.ended part=server");
}

static const char *round_of(const struct arrival *arrivals, unsigned *told, size_t count)
{
	struct capture capture;

	capture_begin(&capture);
	validity_peers_begin(v);
	for (size_t i = 0; i < count; i++)
		validity_peer(v, &arrivals[i], &told[i]);
	validity_peers_end(v);
	capture_end(&capture, log_text, sizeof(log_text));
	return log_text;
}

static void test_peers(void **state)
{
	struct arrival arrivals[4] = { 0 };
	unsigned told[4] = { 0 };
	const char *said;
	int64_t days;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct arrival *a = &arrivals[i];

		snprintf(a->address, sizeof(a->address), "10.0.0.%d:7", i);
		a->identity.subject = (char *)(uintptr_t) "CN=client";
		a->cert_from_s = begin_s - 100 * DAY_S;
		a->cert_until_s = begin_s + 5 * DAY_S;
		strcpy(a->identity.fingerprint, i == 1 ? "other" : "same");
	}
	arrivals[3].cert_until_s = arrivals[3].cert_from_s = INT64_MAX;
	arrivals[3].identity.subject = NULL;
	assert_false(validity_days(v, VALIDITY_PEER, &days));
	said = round_of(arrivals, told, 4);
	assert_told(said, "event=validity.ends part=peer name=\"CN=client\" "
			  "until=2027-01-20T08:00:00Z days=5 peer=10.0.0.0:7\n");
	assert_told(said, "peer=10.0.0.1:7\n");
	assert_null(strstr(said, "10.0.0.2"));
	assert_null(strstr(said, "10.0.0.3"));
	assert_days(VALIDITY_PEER, 5);
	assert_string_equal(round_of(arrivals, told, 4), "");
	/* Who comes again is known. */
	told[0] = 0;
	assert_string_equal(round_of(arrivals, told, 4), "");
	clock_fake_advance(4 * DAY_S * 1000);
	assert_told(round_of(arrivals, told, 4), "days=1 peer=10.0.0.0:7\n");
	round_of(arrivals, told, 0);
	assert_false(validity_days(v, VALIDITY_PEER, &days));
}

#define VALIDITY_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VALIDITY_TEST(test_each_step_once),
		VALIDITY_TEST(test_parts_and_reload),
		VALIDITY_TEST(test_short_lived),
		VALIDITY_TEST(test_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
