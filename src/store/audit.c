#include "store/audit.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/mem.h"

struct audit_key {
	struct crypto_hmac *hmac;
	uint8_t id[AUDIT_KEY_ID_LEN];
	size_t id_len;
};

static void name_key(struct audit_key *k, const uint8_t *key)
{
	static const char label[] = "zoolite audit key";
	char text[sizeof(label) + AUDIT_KEY_LEN];
	uint8_t hash[CRYPTO_SHA256_LEN];

	memcpy(text, label, sizeof(label));
	memcpy(text + sizeof(label), key, AUDIT_KEY_LEN);
	crypto_sha256((struct slice){ text, sizeof(text) }, hash);
	explicit_bzero(text, sizeof(text));
	memcpy(k->id, hash, sizeof(k->id));
	k->id_len = sizeof(k->id);
}

struct audit_key *audit_key_new(const uint8_t *key)
{
	static const uint8_t known_to_all[AUDIT_KEY_LEN];
	struct audit_key *k = mem_new(sizeof(*k));

	k->hmac = crypto_hmac_new(key != NULL ? key : known_to_all, AUDIT_KEY_LEN);
	if (key != NULL)
		name_key(k, key);
	return k;
}

void audit_key_free(struct audit_key *k)
{
	if (k == NULL)
		return;
	crypto_hmac_free(k->hmac);
	mem_free(k);
}

struct slice audit_key_id(const struct audit_key *k)
{
	return (struct slice){ (const char *)k->id, k->id_len };
}

/* ---- the bytes that are signed: every field with its length, so that none flows into another */

/* Numbers are gathered, so that most rows take few calls. */
struct signing {
	struct crypto_hmac *hmac;
	uint8_t room[256];
	size_t len;
};

static void sign_bytes(struct signing *s, const void *in, size_t len)
{
	if (len > sizeof(s->room) - s->len) {
		crypto_hmac_add(s->hmac, s->room, s->len);
		s->len = 0;
	}
	if (len > sizeof(s->room)) {
		crypto_hmac_add(s->hmac, in, len);
		return;
	}
	if (len > 0)
		memcpy(s->room + s->len, in, len);
	s->len += len;
}

static void sign_int(struct signing *s, int64_t v)
{
	uint64_t big_endian = htobe64((uint64_t)v);

	sign_bytes(s, &big_endian, sizeof(big_endian));
}

static void sign_slice(struct signing *s, struct slice text)
{
	sign_int(s, text.data == NULL ? -1 : (int64_t)text.len);
	sign_bytes(s, text.data, text.data == NULL ? 0 : text.len);
}

static void sign_change(struct signing *s, const struct record_head *head, struct slice record)
{
	sign_int(s, head->zxid);
	sign_int(s, head->prev);
	sign_int(s, head->time_ms);
	sign_int(s, head->session);
	sign_slice(s, head->identity);
	sign_slice(s, head->address);
	sign_slice(s, slice_of(head->op));
	sign_slice(s, head->path);
	sign_slice(s, record.data != NULL ? record : slice_of(""));
}

static void sign_event(struct signing *s, const struct audit_row *row)
{
	sign_int(s, row->time_ms);
	sign_int(s, row->session);
	sign_slice(s, row->address);
	sign_slice(s, row->op);
	sign_slice(s, row->path);
}

void audit_chain(struct audit_key *k, const struct audit_head *head, const struct audit_row *row,
		 struct audit_head *out)
{
	struct signing s = { .hmac = k->hmac };

	crypto_hmac_begin(k->hmac);
	sign_bytes(&s, head->mac, sizeof(head->mac));
	sign_int(&s, row->number);
	sign_slice(&s, slice_of(row->kind));
	sign_int(&s, row->change != NULL);
	if (row->change != NULL)
		sign_change(&s, row->change, row->record);
	else
		sign_event(&s, row);
	sign_slice(&s, row->note.who);
	sign_int(&s, row->note.old_version);
	sign_int(&s, row->note.version);
	sign_slice(&s, row->result);
	sign_int(&s, row->count);
	sign_slice(&s, row->note.detail);
	crypto_hmac_add(k->hmac, s.room, s.len);
	out->number = row->number;
	crypto_hmac_end(k->hmac, out->mac);
}

/* ---- heads as texts ---- */

void audit_head_format(const struct audit_head *head, char out[AUDIT_HEAD_TEXT_LEN])
{
	int len = snprintf(out, AUDIT_HEAD_TEXT_LEN, "%" PRId64 ":", head->number);

	for (size_t i = 0; i < AUDIT_MAC_LEN; i++)
		len += snprintf(out + len, AUDIT_HEAD_TEXT_LEN - (size_t)len, "%02x", head->mac[i]);
}

bool audit_head_parse(const char *text, struct audit_head *head)
{
	char *end;

	errno = 0;
	head->number = strtoll(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != ':')
		return false;
	return crypto_unhex(end + 1, head->mac, AUDIT_MAC_LEN);
}
