/* A registry for each test, its first client, and requests that wait for their reply. */
#ifndef TESTS_UNIT_REGISTRY_FIXTURE_H
#define TESTS_UNIT_REGISTRY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/lib/headless.h"

enum { TIMEOUT_MS = 30000 };

static struct headless h;
static struct headless_client *c;
static int32_t xid;
static struct headless_reply last;

static inline int set_up(void **state)
{
	(void)state;
	headless_init(&h, NULL);
	headless_start(&h);
	xid = 0;
	c = headless_new_session(&h, TIMEOUT_MS);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	headless_fini(&h);
	return 0;
}

#define REGISTRY_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* --- requests: send, wait for the disk, leave the reply in last, return its error --- */

static inline int32_t finish(struct headless_client *by)
{
	last = headless_reply_to(by, xid);
	/* An error comes alone. */
	if (last.header.err != ZERR_OK)
		assert_int_equal(jute_reader_left(&last.body), 0);
	return last.header.err;
}

static inline int32_t create_with(struct headless_client *by, int32_t type, const char *path,
				  struct slice data, struct slice acls, int32_t flags)
{
	headless_create(by, ++xid, type, path, data, acls, flags);
	return finish(by);
}

static inline int32_t create(struct headless_client *by, const char *path, const char *data,
			     int32_t flags)
{
	return create_with(by, OP_CREATE, path, slice_of(data), headless_world(), flags);
}

static inline int32_t delete_version(struct headless_client *by, const char *path, int32_t version)
{
	headless_delete(by, ++xid, path, version);
	return finish(by);
}

static inline int32_t delete_any(struct headless_client *by, const char *path)
{
	return delete_version(by, path, PROTO_VERSION_ANY);
}

static inline int32_t set_version(struct headless_client *by, const char *path, const char *data,
				  int32_t version)
{
	headless_set_data(by, ++xid, path, slice_of(data), version);
	return finish(by);
}

static inline int32_t set(struct headless_client *by, const char *path, const char *data)
{
	return set_version(by, path, data, PROTO_VERSION_ANY);
}

static inline int32_t ask(struct headless_client *by, int32_t type, const char *path, bool watch)
{
	headless_read(by, ++xid, type, path, watch);
	return finish(by);
}

static inline int32_t exists(struct headless_client *by, const char *path)
{
	return ask(by, OP_EXISTS, path, false);
}

static inline int32_t get_acl(struct headless_client *by, const char *path)
{
	headless_begin(by, ++xid, OP_GET_ACL);
	jute_write_buffer(&by->w, slice_of(path));
	assert_int_equal(headless_send(by), DISPATCH_DONE);
	return finish(by);
}

static inline int32_t set_acl(struct headless_client *by, const char *path, struct slice acls,
			      int32_t version)
{
	headless_begin(by, ++xid, OP_SET_ACL);
	jute_write_buffer(&by->w, slice_of(path));
	jute_write_raw(&by->w, acls.data, acls.len);
	jute_write_int(&by->w, version);
	assert_int_equal(headless_send(by), DISPATCH_DONE);
	return finish(by);
}

static inline void send_auth(struct headless_client *by, const char *scheme, struct slice auth)
{
	headless_begin(by, XID_AUTH, OP_AUTH);
	jute_write_int(&by->w, 0);
	jute_write_buffer(&by->w, slice_of(scheme));
	jute_write_buffer(&by->w, auth);
	assert_int_equal(headless_send(by), DISPATCH_DONE);
}

static inline int32_t authenticate(struct headless_client *by, const char *scheme, const char *auth)
{
	send_auth(by, scheme, slice_of(auth));
	last = headless_reply_to(by, XID_AUTH);
	return last.header.err;
}

/* --- what the reply says --- */

static inline void expect_end(void)
{
	assert_false(last.body.bad);
	assert_int_equal(jute_reader_left(&last.body), 0);
}

static inline void expect_text(const char *text)
{
	struct slice s = jute_read_buffer(&last.body);

	assert_non_null(s.data);
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.data, text, s.len);
}

static inline struct proto_stat take_stat(void)
{
	struct proto_stat s = headless_read_stat(&last.body);

	expect_end();
	return s;
}

static inline struct proto_stat stat_of(const char *path)
{
	assert_int_equal(exists(c, path), ZERR_OK);
	return take_stat();
}

static inline void expect_stat(struct proto_stat s, struct proto_stat wanted)
{
	assert_int_equal(s.czxid, wanted.czxid);
	assert_int_equal(s.mzxid, wanted.mzxid);
	assert_int_equal(s.pzxid, wanted.pzxid);
	assert_int_equal(s.ctime, wanted.ctime);
	assert_int_equal(s.mtime, wanted.mtime);
	assert_int_equal(s.version, wanted.version);
	assert_int_equal(s.cversion, wanted.cversion);
	assert_int_equal(s.aversion, wanted.aversion);
	assert_int_equal(s.ephemeral_owner, wanted.ephemeral_owner);
	assert_int_equal(s.data_length, wanted.data_length);
	assert_int_equal(s.num_children, wanted.num_children);
}

static inline void expect_data(const char *path, const char *data)
{
	assert_int_equal(ask(c, OP_GET_DATA, path, false), ZERR_OK);
	expect_text(data);
	(void)take_stat();
}

static inline int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a reply, sorted, with spaces between; valid until the next call. */
static inline const char *take_names(void)
{
	static char text[65536];
	char *names[4096];
	int32_t count = jute_read_int(&last.body);
	size_t len = 0;

	assert_in_range(count, 0, 4096);
	for (int32_t i = 0; i < count; i++) {
		struct slice s = jute_read_buffer(&last.body);

		assert_non_null(s.data);
		names[i] = strndup(s.data, s.len);
	}
	qsort(names, (size_t)count, sizeof(*names), by_text);
	text[0] = 0;
	for (int32_t i = 0; i < count; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
					names[i]);
		free(names[i]);
	}
	assert_true(len < sizeof(text));
	return text;
}

static inline const char *children(const char *path)
{
	const char *names;

	assert_int_equal(ask(c, OP_GET_CHILDREN, path, false), ZERR_OK);
	names = take_names();
	expect_end();
	return names;
}

/* --- events --- */

static inline void expect_event(struct headless_client *by, enum event_type type, const char *path,
				int64_t zxid)
{
	struct headless_event e;

	headless_flush(&h);
	assert_true(headless_receive_event(by, &e));
	assert_int_equal(e.type, type);
	assert_int_equal(e.state, EVENT_STATE_SYNC_CONNECTED);
	assert_int_equal(e.path.len, strlen(path));
	assert_memory_equal(e.path.data, path, e.path.len);
	assert_int_equal(e.zxid, zxid);
}

static inline void expect_silence(struct headless_client *by)
{
	struct slice frame;

	headless_flush(&h);
	assert_false(headless_receive(by, &frame));
}

#endif
