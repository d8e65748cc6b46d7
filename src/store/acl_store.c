/* See the header. */
#include "store/acl_store.h"

#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"

/* What the batch does to one ACL. */
struct sum {
	struct hash_node by_key;
	uint8_t key[ACL_ROW_KEY_LEN];
	int64_t more; /* znodes that have it */
	bool stored;  /* its row is there */
};

struct acl_store {
	sqlite3 *db;
	sqlite3_stmt *insert;
	sqlite3_stmt *count;
	sqlite3_stmt *remove;
	struct hash sums;
	struct buf text; /* readable form */
	struct buf last; /* the ACL added last: mostly the next one is the same */
	uint8_t last_key[ACL_ROW_KEY_LEN];
	bool is_full;
};

struct acl_store *acl_store_new(sqlite3 *db)
{
	struct acl_store *s = mem_new(sizeof(*s));

	s->db = db;
	hash_init(&s->sums);
	buf_init(&s->text, SIZE_MAX);
	buf_init(&s->last, SIZE_MAX);
	return s;
}

static void clear(struct acl_store *s)
{
	struct hash_node *next;

	for (struct hash_node *n = hash_first(&s->sums); n != NULL; n = next) {
		next = hash_after(&s->sums, n);
		mem_free(container_of(n, struct sum, by_key));
	}
	hash_fini(&s->sums);
	hash_init(&s->sums);
}

void acl_store_free(struct acl_store *s)
{
	if (s == NULL)
		return;
	sqlite3_finalize(s->insert);
	sqlite3_finalize(s->count);
	sqlite3_finalize(s->remove);
	clear(s);
	hash_fini(&s->sums);
	buf_fini(&s->text);
	buf_fini(&s->last);
	mem_free(s);
}

static struct sum *find_sum(struct acl_store *s, const uint8_t key[ACL_ROW_KEY_LEN])
{
	uint64_t hash = hash_bytes(key, ACL_ROW_KEY_LEN);
	struct sum *sum;

	for (struct hash_node *n = hash_find(&s->sums, hash); n != NULL; n = hash_find_next(n)) {
		sum = container_of(n, struct sum, by_key);
		if (memcmp(sum->key, key, ACL_ROW_KEY_LEN) == 0)
			return sum;
	}
	sum = mem_new(sizeof(*sum));
	memcpy(sum->key, key, ACL_ROW_KEY_LEN);
	hash_insert(&s->sums, &sum->by_key, hash);
	return sum;
}

static struct slice key_of(const uint8_t key[ACL_ROW_KEY_LEN])
{
	return (struct slice){ (const char *)key, ACL_ROW_KEY_LEN };
}

static void store_row(struct acl_store *s, const struct sum *sum, struct slice acl)
{
	if (s->insert == NULL)
		s->insert = db_prepare(s->db, "INSERT INTO acl (key, acl, text, znodes) VALUES "
					      "(?1, ?2, ?3, 0) ON CONFLICT DO NOTHING");
	acl_row_text(acl, &s->text);
	db_bind_blob(s->insert, 1, key_of(sum->key));
	db_bind_blob(s->insert, 2, acl);
	db_bind_text(s->insert, 3, buf_len(&s->text) > 0 ? buf_slice(&s->text) : slice_of(""));
	s->is_full |= !db_run(s->db, s->insert);
}

void acl_store_add(struct acl_store *s, struct slice acl, uint8_t key[ACL_ROW_KEY_LEN])
{
	struct sum *sum;

	if (buf_len(&s->last) == 0 || !slice_equal(buf_slice(&s->last), acl)) {
		acl_row_key(acl, s->last_key);
		buf_clear(&s->last);
		if (buf_append(&s->last, acl.data, acl.len) != 0)
			buf_clear(&s->last);
	}
	sum = find_sum(s, s->last_key);
	if (!sum->stored && !s->is_full)
		store_row(s, sum, acl);
	sum->stored = true;
	sum->more++;
	memcpy(key, s->last_key, ACL_ROW_KEY_LEN);
}

void acl_store_drop(struct acl_store *s, struct slice key)
{
	if (key.len != ACL_ROW_KEY_LEN)
		die("store.tree_damaged", db_path(s->db));
	find_sum(s, (const uint8_t *)key.data)->more--;
}

static void write_sum(struct acl_store *s, const struct sum *sum)
{
	int64_t znodes = -1;
	int rc;

	db_bind_blob(s->count, 1, key_of(sum->key));
	db_bind_int(s->count, 2, sum->more);
	while ((rc = sqlite3_step(s->count)) == SQLITE_ROW)
		znodes = sqlite3_column_int64(s->count, 0);
	if (rc != SQLITE_DONE && (rc & 0xff) != SQLITE_FULL)
		db_die(s->db, "store.write_failed");
	db_reset(s->count);
	if (rc != SQLITE_DONE) {
		s->is_full = true;
		return;
	}
	/* No such row, or more znodes lost it than had it. */
	if (znodes < 0)
		die("store.tree_damaged", db_path(s->db));
	if (znodes > 0)
		return;
	db_bind_blob(s->remove, 1, key_of(sum->key));
	s->is_full |= !db_run(s->db, s->remove);
}

void acl_store_forget(struct acl_store *s)
{
	clear(s);
	s->is_full = false;
}

bool acl_store_is_full(const struct acl_store *s)
{
	return s->is_full;
}

bool acl_store_write(struct acl_store *s)
{
	if (s->sums.count == 0)
		return !s->is_full;
	if (s->count == NULL) {
		s->count = db_prepare(s->db, "UPDATE acl SET znodes = znodes + ?2 WHERE key = ?1 "
					     "RETURNING znodes");
		s->remove = db_prepare(s->db, "DELETE FROM acl WHERE key = ?1");
	}
	for (struct hash_node *n = hash_first(&s->sums); n != NULL; n = hash_after(&s->sums, n)) {
		const struct sum *sum = container_of(n, struct sum, by_key);

		if (sum->more != 0 && !s->is_full)
			write_sum(s, sum);
	}
	clear(s);
	return !s->is_full;
}
