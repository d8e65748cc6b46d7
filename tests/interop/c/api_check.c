/* A tour through ZooKeeper's C client. Each check uses it as programs do.
 *
 *   api_check HOST TIMEOUT_MS             the tour
 *   api_check HOST TIMEOUT_MS hold PATH   a session with the ephemeral PATH: prints "ID PASSWORD"
 *                                         in hexadecimal and waits to be killed
 *
 * The server has extendedTypesEnabled, and looks for containers a few times a second. */
#include <inttypes.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tour.h"

#define ROOT "/c-api"
#define OPEN_ACL (&ZOO_OPEN_ACL_UNSAFE)

static const char *host;
static int timeout_ms;
static struct events events_a, events_b;
static zhandle_t *a, *b;

static zhandle_t *open_session(struct events *e, const clientid_t *id)
{
	zhandle_t *zh;

	events_init(e);
	zh = zookeeper_init(host, events_tell, timeout_ms, id, e, 0);
	if (!zh) {
		perror("zookeeper_init");
		exit(1);
	}
	return zh;
}

static zhandle_t *connect_session(struct events *e)
{
	zhandle_t *zh = open_session(e, NULL);

	events_await(e, ZOO_CONNECTED_STATE);
	return zh;
}

static void make_as(const char *path, int mode)
{
	want(zoo_create(a, path, "", 0, OPEN_ACL, mode, NULL, 0) == ZOK);
}

static void make(const char *path)
{
	make_as(path, ZOO_PERSISTENT);
}

static void set_data(zhandle_t *zh, const char *path, const char *text)
{
	want(zoo_set(zh, path, text, (int)strlen(text), -1) == ZOK);
}

static bool has_data(zhandle_t *zh, const char *path, const char *text)
{
	char got[64];
	int len = sizeof(got);

	return zoo_get(zh, path, 0, got, &len, NULL) == ZOK && len == (int)strlen(text) &&
	       memcmp(got, text, (size_t)len) == 0;
}

static bool is_there(zhandle_t *zh, const char *path)
{
	return zoo_exists(zh, path, 0, NULL) == ZOK;
}

static bool is_served(const void *zh)
{
	return zoo_exists((zhandle_t *)zh, "/", 0, NULL) == ZOK;
}

static bool is_gone(const void *path)
{
	return zoo_exists(b, path, 0, NULL) == ZNONODE;
}

/* ---- znodes ---- */

static void check_crud(void)
{
	const char *path = ROOT "/crud";
	struct Stat stat = { 0 }, changed = { 0 }, again = { 0 };
	char name[64], data[16];
	int len = sizeof(data);

	want(zoo_create(a, path, "one", 3, OPEN_ACL, ZOO_PERSISTENT, name, sizeof(name)) == ZOK);
	want(strcmp(name, path) == 0);
	want(zoo_get(b, path, 0, data, &len, &stat) == ZOK && len == 3 &&
	     memcmp(data, "one", 3) == 0);
	want(stat.version == 0 && stat.czxid > 0 && stat.czxid == stat.mzxid &&
	     stat.czxid == stat.pzxid);
	want(stat.ctime == stat.mtime && stat.dataLength == 3 && stat.ephemeralOwner == 0);
	want(zoo_set2(b, path, "four", 4, 0, &changed) == ZOK);
	want(changed.version == 1 && changed.mzxid > stat.mzxid && changed.czxid == stat.czxid);
	want(zoo_exists(a, path, 0, &again) == ZOK && again.mzxid == changed.mzxid &&
	     again.dataLength == 4);
	want(zoo_delete(a, path, 1) == ZOK);
	want(zoo_exists(b, path, 0, NULL) == ZNONODE);
}

static void check_errors(void)
{
	const char *path = ROOT "/errors";
	struct ACL_vector none = { 0, NULL };
	struct String_vector names = { 0, NULL };
	int len = 0;

	make(path);
	want(zoo_create(a, path, "", 0, OPEN_ACL, ZOO_PERSISTENT, NULL, 0) == ZNODEEXISTS);
	want(zoo_create(a, ROOT "/errors/no/x", "", 0, OPEN_ACL, ZOO_PERSISTENT, NULL, 0) ==
	     ZNONODE);
	want(zoo_get(a, ROOT "/errors/no", 0, NULL, &len, NULL) == ZNONODE);
	want(zoo_get_children(a, ROOT "/errors/no", 0, &names) == ZNONODE);
	want(zoo_set(a, ROOT "/errors/no", "", 0, -1) == ZNONODE);
	want(zoo_delete(a, ROOT "/errors/no", -1) == ZNONODE);
	want(zoo_set(a, path, "", 0, 7) == ZBADVERSION);
	want(zoo_delete(a, path, 7) == ZBADVERSION);
	make_as(ROOT "/errors/e", ZOO_EPHEMERAL);
	want(zoo_delete(a, path, -1) == ZNOTEMPTY);
	want(zoo_create(a, ROOT "/errors/e/x", "", 0, OPEN_ACL, ZOO_PERSISTENT, NULL, 0) ==
	     ZNOCHILDRENFOREPHEMERALS);
	want(zoo_create(a, ROOT "/errors/x", "", 0, &none, ZOO_PERSISTENT, NULL, 0) == ZINVALIDACL);
	want(zoo_create(a, "errors", "", 0, OPEN_ACL, ZOO_PERSISTENT, NULL, 0) == ZBADARGUMENTS);
}

static void check_data(void)
{
	static char sent[900 * 1024], got[sizeof(sent)];
	static const int sizes[] = { 0, 1, 1023, 65536, sizeof(sent) };
	const char *path = ROOT "/data";
	struct Stat stat = { 0 };
	int len = sizeof(got);

	want(zoo_create(a, path, NULL, -1, OPEN_ACL, ZOO_PERSISTENT, NULL, 0) == ZOK);
	want(zoo_get(b, path, 0, got, &len, &stat) == ZOK && len == -1 && stat.dataLength == 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(sent, 'a' + (int)i, sizeof(sent));
		want(zoo_set(a, path, sent, sizes[i], -1) == ZOK);
		len = sizeof(got);
		want(zoo_get(b, path, 0, got, &len, NULL) == ZOK && len == sizes[i]);
		want(memcmp(sent, got, (size_t)sizes[i]) == 0);
	}
}

static void check_modes(void)
{
	char name[64];
	struct Stat stat = { 0 };

	make(ROOT "/modes");
	make_as(ROOT "/modes/e", ZOO_EPHEMERAL);
	want(zoo_exists(b, ROOT "/modes/e", 0, &stat) == ZOK);
	want(stat.ephemeralOwner == zoo_client_id(a)->client_id);
	want(zoo_create(a, ROOT "/modes/s-", "", 0, OPEN_ACL, ZOO_PERSISTENT_SEQUENTIAL, name,
			sizeof(name)) == ZOK);
	want(strcmp(name, ROOT "/modes/s-0000000001") == 0);
	want(zoo_create2(b, ROOT "/modes/s-", "x", 1, OPEN_ACL, ZOO_EPHEMERAL_SEQUENTIAL, name,
			 sizeof(name), &stat) == ZOK);
	want(strcmp(name, ROOT "/modes/s-0000000002") == 0);
	want(stat.ephemeralOwner == zoo_client_id(b)->client_id && stat.dataLength == 1);
	want(zoo_delete(a, name, -1) == ZOK);
	want(zoo_create(a, ROOT "/modes/s-", "", 0, OPEN_ACL, ZOO_PERSISTENT_SEQUENTIAL, name,
			sizeof(name)) == ZOK);
	want(strcmp(name, ROOT "/modes/s-0000000003") == 0);
}

static void check_container(void)
{
	struct Stat stat = { .ephemeralOwner = 1 };
	const char *path = ROOT "/container";

	want(zoo_create2(a, path, "x", 1, OPEN_ACL, ZOO_CONTAINER, NULL, 0, &stat) == ZOK);
	want(stat.ephemeralOwner == 0 && stat.dataLength == 1);
	make(ROOT "/container/child");
	want(zoo_exists(a, path, 1, NULL) == ZOK);
	want(zoo_delete(b, ROOT "/container/child", -1) == ZOK);
	events_next(&events_a, ZOO_DELETED_EVENT, path);
	want(!is_there(a, path));
}

static void check_ttl(void)
{
	struct Stat stat = { .ephemeralOwner = 1 };
	char name[64] = "";

	want(zoo_create_ttl(a, ROOT "/ttl", "", 0, OPEN_ACL, ZOO_PERSISTENT_WITH_TTL, 100, NULL,
			    0) == ZOK);
	want(zoo_create2_ttl(a, ROOT "/ttl-", "x", 1, OPEN_ACL, ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL,
			     1000000, name, sizeof(name), &stat) == ZOK);
	want(stat.ephemeralOwner == 0 && stat.dataLength == 1);
	want(soon(is_gone, ROOT "/ttl"));
	want(is_there(b, name));
	want(zoo_delete(b, name, 0) == ZOK);
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void check_children(void)
{
	enum { COUNT = 300 };
	const char *path = ROOT "/children";
	struct String_vector names = { 0, NULL };
	struct Stat stat = { 0 };
	char name[128];

	make(path);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "%s/dubbo%%3A%%2F%%2F10.0.0.%03d%%3A20880\xc3\xbc",
			 path, i);
		make(name);
	}
	want(zoo_get_children2(b, path, 0, &names, &stat) == ZOK);
	want(names.count == COUNT && stat.numChildren == COUNT && stat.cversion == COUNT);
	qsort(names.data, (size_t)names.count, sizeof(names.data[0]), compare_names);
	want(strcmp(names.data[7], "dubbo%3A%2F%2F10.0.0.007%3A20880\xc3\xbc") == 0);
	deallocate_String_vector(&names);
	want(zoo_get_children(b, path, 0, &names) == ZOK && names.count == COUNT);
	deallocate_String_vector(&names);
}

/* ---- watches ---- */

static void check_watches(void)
{
	const char *path = ROOT "/watches", *child = ROOT "/watches/child";
	struct events own;
	struct String_vector names = { 0, NULL };
	struct Stat stat;
	char data[8];
	int len = sizeof(data);

	events_init(&own);
	make(path);
	want(zoo_exists(b, child, 1, NULL) == ZNONODE);
	want(zoo_wget_children(b, path, events_tell, &own, &names) == ZOK);
	deallocate_String_vector(&names);
	make(child);
	events_next(&events_b, ZOO_CREATED_EVENT, child);
	events_next(&own, ZOO_CHILD_EVENT, path);
	set_data(a, child, "1"); /* one-shot: nobody is told */
	want(zoo_wget(b, child, events_tell, &own, data, &len, NULL) == ZOK);
	set_data(b, child, "2"); /* on the watcher's own connection */
	events_next(&own, ZOO_CHANGED_EVENT, child);
	want(zoo_wexists(b, child, events_tell, &own, NULL) == ZOK);
	want(zoo_wget_children2(b, path, events_tell, &own, &names, &stat) == ZOK);
	deallocate_String_vector(&names);
	want(zoo_delete(a, child, -1) == ZOK);
	events_next(&own, ZOO_DELETED_EVENT, child);
	events_next(&own, ZOO_CHILD_EVENT, path);
	want(is_there(b, path));
	events_none(&own);
	events_none(&events_b);
	events_fini(&own);
}

static void check_remove_watches(void)
{
	const char *path = ROOT "/remove-watches";
	struct events first, second;
	struct String_vector names = { 0, NULL };

	events_init(&first);
	events_init(&second);
	make(path);
	want(zoo_wexists(b, path, events_tell, &first, NULL) == ZOK);
	want(zoo_wexists(b, path, events_tell, &second, NULL) == ZOK);
	want(zoo_wget_children(b, path, events_tell, &first, &names) == ZOK);
	deallocate_String_vector(&names);
	want(zoo_remove_watches(b, path, ZWATCHTYPE_CHILD, events_tell, &second, 0) == ZNOWATCHER);
	want(zoo_remove_watches(b, path, ZWATCHTYPE_DATA, events_tell, &first, 0) == ZOK);
	want(zoo_remove_watches(b, path, ZWATCHTYPE_DATA, events_tell, &first, 0) == ZNOWATCHER);
	set_data(a, path, "x");
	events_next(&second, ZOO_CHANGED_EVENT, path);
	want(zoo_wexists(b, path, events_tell, &second, NULL) == ZOK);
	want(zoo_remove_all_watches(b, path, ZWATCHTYPE_ANY, 0) == ZOK);
	want(zoo_remove_all_watches(b, path, ZWATCHTYPE_ANY, 0) == ZNOWATCHER);
	make(ROOT "/remove-watches/child");
	set_data(a, path, "y");
	want(is_there(b, path));
	events_none(&first);
	events_none(&second);
	events_fini(&first);
	events_fini(&second);
}

/* ---- several at once ---- */

static void check_multi(void)
{
	char name[64] = "", sequential[64] = "";
	struct Stat set = { 0 }, stat = { 0 };
	zoo_op_t ops[6];
	zoo_op_result_t results[6];

	make(ROOT "/multi");
	zoo_create_op_init(&ops[0], ROOT "/multi/a", "a", 1, OPEN_ACL, ZOO_PERSISTENT, name,
			   sizeof(name));
	zoo_set_op_init(&ops[1], ROOT "/multi/a", "aa", 2, 0, &set);
	zoo_create_op_init(&ops[2], ROOT "/multi/a/s-", "", 0, OPEN_ACL, ZOO_EPHEMERAL_SEQUENTIAL,
			   sequential, sizeof(sequential));
	zoo_check_op_init(&ops[3], ROOT "/multi/a", 1);
	zoo_create_op_init(&ops[4], ROOT "/multi/b", "", 0, OPEN_ACL, ZOO_PERSISTENT, NULL, 0);
	zoo_delete_op_init(&ops[5], ROOT "/multi/b", 0);
	want(zoo_multi(a, 6, ops, results) == ZOK);
	for (int i = 0; i < 6; i++)
		want(results[i].err == ZOK);
	want(strcmp(name, ROOT "/multi/a") == 0 &&
	     strcmp(sequential, ROOT "/multi/a/s-0000000000") == 0);
	want(set.version == 1 && set.czxid == set.mzxid && set.dataLength == 2);
	want(zoo_exists(b, ROOT "/multi", 0, &stat) == ZOK && stat.numChildren == 1 &&
	     stat.cversion == 3);
	want(has_data(b, ROOT "/multi/a", "aa"));
}

static void check_multi_fails(void)
{
	struct Stat stat = { 0 };
	zoo_op_t ops[3];
	zoo_op_result_t results[3];

	make(ROOT "/multi-fails");
	zoo_create_op_init(&ops[0], ROOT "/multi-fails/a", "", 0, OPEN_ACL, ZOO_PERSISTENT, NULL,
			   0);
	zoo_check_op_init(&ops[1], ROOT "/multi-fails", 9);
	zoo_delete_op_init(&ops[2], ROOT "/multi-fails", -1);
	want(zoo_multi(a, 3, ops, results) == ZBADVERSION);
	want(results[0].err == ZOK && results[1].err == ZBADVERSION &&
	     results[2].err == ZRUNTIMEINCONSISTENCY);
	want(zoo_exists(b, ROOT "/multi-fails", 0, &stat) == ZOK && stat.numChildren == 0 &&
	     stat.cversion == 0);
}

struct pipeline {
	pthread_mutex_t lock;
	pthread_cond_t all;
	int done;
	int wrong;
};

enum { PIPELINE = 1000 };
static struct pipeline pipeline = { .lock = PTHREAD_MUTEX_INITIALIZER,
				    .all = PTHREAD_COND_INITIALIZER };

/* Answers come in the order of the requests. */
static void pipeline_done(bool ok, intptr_t number)
{
	pthread_mutex_lock(&pipeline.lock);
	if (!ok || number != pipeline.done)
		pipeline.wrong++;
	pipeline.done++;
	pthread_cond_signal(&pipeline.all);
	pthread_mutex_unlock(&pipeline.lock);
}

static void pipeline_set(int rc, const struct Stat *stat, const void *data)
{
	intptr_t number = (intptr_t)data;

	pipeline_done(rc == ZOK && stat->version == number / 2 + 1, number);
}

static void pipeline_get(int rc, const char *value, int len, const struct Stat *stat,
			 const void *data)
{
	intptr_t number = (intptr_t)data;

	(void)stat;
	pipeline_done(rc == ZOK && len > 0 && atoi(value) == number / 2, number);
}

static void check_pipeline(void)
{
	const char *path = ROOT "/pipeline";
	struct timespec end;
	char text[16];

	make(path);
	for (intptr_t i = 0; i < PIPELINE; i++) {
		/* With its end, so that atoi finds one. */
		int len = snprintf(text, sizeof(text), "%d", (int)i) + 1;

		want(zoo_aset(a, path, text, len, (int)i, pipeline_set, (void *)(2 * i)) == ZOK);
		want(zoo_aget(a, path, 0, pipeline_get, (void *)(2 * i + 1)) == ZOK);
	}
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&pipeline.lock);
	while (pipeline.done < 2 * PIPELINE)
		if (pthread_cond_timedwait(&pipeline.all, &pipeline.lock, &end) != 0)
			break;
	want(pipeline.done == 2 * PIPELINE && pipeline.wrong == 0);
	pthread_mutex_unlock(&pipeline.lock);
}

/* ---- access ---- */

static sem_t *answered;
static int answer;

static void tell_answer(int rc, const void *data)
{
	(void)data;
	answer = rc;
	sem_post(answered);
}

static int add_auth(zhandle_t *zh, const char *credentials)
{
	sem_t done;

	sem_init(&done, 0, 0);
	answered = &done;
	want(zoo_add_auth(zh, "digest", credentials, (int)strlen(credentials), tell_answer, NULL) ==
	     ZOK);
	while (sem_wait(&done) != 0)
		;
	sem_destroy(&done);
	return answer;
}

static void check_acl_digest(void)
{
	const char *path = ROOT "/digest";
	struct ACL_vector acl = { 0, NULL };
	struct Stat stat = { 0 };
	struct events own;
	zhandle_t *c = connect_session(&own);
	int len = 0;

	want(add_auth(c, "anna:secret") == ZOK);
	want(zoo_create(c, path, "x", 1, &ZOO_CREATOR_ALL_ACL, ZOO_PERSISTENT, NULL, 0) == ZOK);
	want(zoo_get(b, path, 0, NULL, &len, NULL) == ZNOAUTH);
	want(zoo_set(b, path, "y", 1, -1) == ZNOAUTH);
	want(zoo_set_acl(b, path, -1, OPEN_ACL) == ZNOAUTH);
	want(zoo_create(b, ROOT "/digest/x", "", 0, OPEN_ACL, ZOO_PERSISTENT, NULL, 0) == ZNOAUTH);
	want(has_data(c, path, "x"));
	want(zoo_get_acl(c, path, &acl, &stat) == ZOK && acl.count == 1 && stat.aversion == 0);
	want(acl.count == 1 && strcmp(acl.data[0].id.scheme, "digest") == 0);
	want(acl.count == 1 && strncmp(acl.data[0].id.id, "anna:", 5) == 0);
	deallocate_ACL_vector(&acl);
	want(zoo_set_acl(c, path, 5, &ZOO_READ_ACL_UNSAFE) == ZBADVERSION);
	want(zoo_set_acl(c, path, 0, &ZOO_READ_ACL_UNSAFE) == ZOK);
	want(has_data(b, path, "x"));
	want(zoo_set(c, path, "y", 1, -1) == ZNOAUTH);
	zookeeper_close(c);
	events_fini(&own);
}

/* ---- the rest ---- */

static void tell_sync(int rc, const char *path, const void *data)
{
	want(path && strcmp(path, ROOT) == 0);
	tell_answer(rc, data);
}

static void check_sync(void)
{
	sem_t done;

	sem_init(&done, 0, 0);
	answered = &done;
	want(zoo_async(a, ROOT, tell_sync, NULL) == ZOK);
	while (sem_wait(&done) != 0)
		;
	want(answer == ZOK);
	sem_destroy(&done);
}

static void check_config(void)
{
	struct Stat stat = { .version = -1 };
	char data[64];
	int len = sizeof(data);

	want(zoo_getconfig(a, 0, data, &len, &stat) == ZOK && len == 0 && stat.version == 0);
	len = sizeof(data);
	want(zoo_reconfig(a, "server.2=127.0.0.1:1:2;3", NULL, NULL, -1, data, &len, &stat) ==
	     ZRECONFIGDISABLED);
	want(is_there(a, ROOT));
}

/* ---- sessions ---- */

/* What happened while the line was cut comes with the resumed session, and the client is who it
 * was. */
static void check_reconnect(void)
{
	struct Stat stat = { 0 };
	struct events own;
	zhandle_t *c = connect_session(&own);
	int64_t session = zoo_client_id(c)->client_id;

	want(add_auth(c, "carl:secret") == ZOK);
	make(ROOT "/cut");
	make(ROOT "/cut/set");
	make(ROOT "/cut/delete");
	want(zoo_create(c, ROOT "/cut/own", "s", 1, &ZOO_CREATOR_ALL_ACL, ZOO_EPHEMERAL, NULL, 0) ==
	     ZOK);
	want(zoo_exists(c, ROOT "/cut/set", 1, NULL) == ZOK);
	want(zoo_exists(c, ROOT "/cut/delete", 1, NULL) == ZOK);
	want(zoo_exists(c, ROOT "/cut/create", 1, NULL) == ZNONODE);
	ask("cut", "\"set\":\"" ROOT "/cut/set\",\"delete\":\"" ROOT
		   "/cut/delete\",\"create\":\"" ROOT "/cut/create\"");
	events_await(&own, ZOO_CONNECTED_STATE);
	events_next(&own, ZOO_CHANGED_EVENT, ROOT "/cut/set");
	events_next(&own, ZOO_DELETED_EVENT, ROOT "/cut/delete");
	events_next(&own, ZOO_CREATED_EVENT, ROOT "/cut/create");
	want(zoo_client_id(c)->client_id == session);
	want(zoo_exists(c, ROOT "/cut/own", 0, &stat) == ZOK && stat.ephemeralOwner == session);
	want(has_data(c, ROOT "/cut/own", "s")); /* authenticated again */
	zookeeper_close(c);
	events_fini(&own);
	want(soon(is_served, a) && soon(is_served, b)); /* their lines were cut too */
}

/* Another process opens a session with an ephemeral, and is killed. */
static bool hold(const char *path, clientid_t *id)
{
	char timeout[16], line[128] = "";
	int ends[2];
	pid_t pid;
	ssize_t len;

	snprintf(timeout, sizeof(timeout), "%d", timeout_ms);
	if (pipe(ends) != 0)
		return false;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execl("/proc/self/exe", "api_check", host, timeout, "hold", path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	len = read(ends[0], line, sizeof(line) - 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	if (len <= 0 || sscanf(line, "%" SCNx64, (uint64_t *)&id->client_id) != 1)
		return false;
	for (size_t i = 0; i < sizeof(id->passwd); i++)
		if (sscanf(strchr(line, ' ') + 1 + 2 * i, "%2hhx",
			   (unsigned char *)&id->passwd[i]) != 1)
			return false;
	return true;
}

static _Noreturn void run_hold(const char *path)
{
	const clientid_t *id;

	a = connect_session(&events_a);
	make_as(path, ZOO_EPHEMERAL);
	id = zoo_client_id(a);
	printf("%" PRIx64 " ", (uint64_t)id->client_id);
	for (size_t i = 0; i < sizeof(id->passwd); i++)
		printf("%02x", (unsigned char)id->passwd[i]);
	printf("\n");
	fflush(stdout);
	for (;;)
		pause();
}

/* Who has the id and the password takes the session over, ephemerals and all. */
static void check_resume(void)
{
	const char *path = ROOT "/resume";
	struct Stat stat = { 0 };
	struct events own;
	clientid_t id;
	zhandle_t *c;

	want(hold(path, &id));
	want(is_there(b, path)); /* the session did not die with its connection */
	c = open_session(&own, &id);
	events_await(&own, ZOO_CONNECTED_STATE);
	want(zoo_client_id(c)->client_id == id.client_id);
	want(zoo_exists(c, path, 0, &stat) == ZOK && stat.ephemeralOwner == id.client_id);
	want(zoo_recv_timeout(c) == timeout_ms);
	zookeeper_close(c);
	want(!is_there(b, path));
	events_fini(&own);
}

static void check_resume_wrong_password(void)
{
	const char *path = ROOT "/resume-wrong";
	struct events own;
	clientid_t id;
	zhandle_t *c;

	want(hold(path, &id));
	id.passwd[0] ^= 1;
	c = open_session(&own, &id);
	events_await(&own, ZOO_EXPIRED_SESSION_STATE);
	want(is_unrecoverable(c) == ZINVALIDSTATE);
	zookeeper_close(c);
	events_fini(&own);
	want(is_there(b, path));
	id.passwd[0] ^= 1;
	c = open_session(&own, &id);
	events_await(&own, ZOO_CONNECTED_STATE);
	zookeeper_close(c);
	events_fini(&own);
}

static void check_close(void)
{
	const char *path = ROOT "/close";
	struct events own;
	zhandle_t *c = connect_session(&own);

	want(zoo_create(c, path, "", 0, OPEN_ACL, ZOO_EPHEMERAL, NULL, 0) == ZOK);
	want(zoo_exists(b, path, 1, NULL) == ZOK);
	want(zookeeper_close(c) == ZOK);
	events_next(&events_b, ZOO_DELETED_EVENT, path);
	events_fini(&own);
}

static const struct {
	const char *name;
	void (*run)(void);
} checks[] = {
	{ "crud", check_crud },
	{ "errors", check_errors },
	{ "data", check_data },
	{ "modes", check_modes },
	{ "container", check_container },
	{ "ttl", check_ttl },
	{ "children", check_children },
	{ "watches", check_watches },
	{ "remove_watches", check_remove_watches },
	{ "multi", check_multi },
	{ "multi_fails", check_multi_fails },
	{ "pipeline", check_pipeline },
	{ "acl_digest", check_acl_digest },
	{ "sync", check_sync },
	{ "config", check_config },
	{ "reconnect", check_reconnect },
	{ "resume", check_resume },
	{ "resume_wrong_password", check_resume_wrong_password },
	{ "close", check_close },
};

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: api_check HOST TIMEOUT_MS [hold PATH]\n");
		return 2;
	}
	host = argv[1];
	timeout_ms = atoi(argv[2]);
	zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
	if (argc == 5)
		run_hold(argv[4]);
	a = connect_session(&events_a);
	b = connect_session(&events_b);
	make(ROOT);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		run_check(checks[i].name, checks[i].run);
	zookeeper_close(a);
	zookeeper_close(b);
	say_done();
	return 0;
}
