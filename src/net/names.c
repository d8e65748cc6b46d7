#include "net/names.h"

#include <string.h>

#include "base/slice.h"

static const struct {
	const char *word;
	const char *prefix; /* of a name in tls_identity.sans; NULL: stands elsewhere */
} kinds[NAMES_KINDS] = {
	[NAMES_URI] = { "uri", "URI:" },       [NAMES_DNS] = { "dns", "DNS:" },
	[NAMES_EMAIL] = { "email", "EMAIL:" }, [NAMES_CN] = { "cn", NULL },
	[NAMES_DN] = { "dn", NULL },
};

void names_chain_init(struct names_chain *c)
{
	*c = (struct names_chain){ .kinds = { NAMES_DN }, .count = 1, .max_names = NAMES_MOST };
}

static bool has_kind(const struct names_chain *c, enum names_kind kind)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->kinds[i] == kind)
			return true;
	return false;
}

/* NAMES_KINDS where there is no such. */
static enum names_kind find_kind(struct slice word)
{
	enum names_kind kind = 0;

	while (kind < NAMES_KINDS && !slice_is(word, kinds[kind].word))
		kind++;
	return kind;
}

int names_chain_parse(struct names_chain *c, const char *text)
{
	struct names_chain fresh = { .is_required = true, .max_names = c->max_names };

	for (;;) {
		size_t len = strcspn(text, ",");
		size_t lead = strspn(text, " ");
		struct slice word = { text + lead, len > lead ? len - lead : 0 };
		enum names_kind kind;

		while (word.len > 0 && word.data[word.len - 1] == ' ')
			word.len--;
		kind = find_kind(word);
		if (kind == NAMES_KINDS || has_kind(&fresh, kind))
			return -1;
		fresh.kinds[fresh.count++] = kind;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	*c = fresh;
	return 0;
}

bool names_chain_has_san(const struct names_chain *c)
{
	return c->count > (has_kind(c, NAMES_DN) ? 1U : 0U);
}

static void put(struct name names[NAMES_MOST], size_t *count, const char *scheme, const char *id)
{
	if (id && *id && *count < NAMES_MOST)
		names[(*count)++] = (struct name){ scheme, id };
}

static void put_sans(struct name names[NAMES_MOST], size_t *count, const char *prefix,
		     const struct tls_identity *id)
{
	size_t len = strlen(prefix);

	for (size_t i = 0; i < id->san_count; i++)
		/* An empty name names nobody. */
		if (strncmp(id->sans[i], prefix, len) == 0 && id->sans[i][len] != '\0')
			put(names, count, "san", id->sans[i]);
}

size_t names_list(const struct names_chain *c, const struct tls_identity *id,
		  struct name names[NAMES_MOST])
{
	size_t count = 0;

	for (unsigned i = 0; i < c->count; i++) {
		enum names_kind kind = c->kinds[i];

		if (kind == NAMES_DN)
			put(names, &count, "x509", id->subject);
		else if (kind == NAMES_CN)
			put(names, &count, "san", id->cn);
		else
			put_sans(names, &count, kinds[kind].prefix, id);
	}
	return count;
}

const char *names_owner(const struct names_chain *c, const struct tls_identity *id)
{
	struct name names[NAMES_MOST];

	/* No subject reads like another name: "URI:…" is none. */
	if (id->subject && *id->subject)
		return id->subject;
	return names_list(c, id, names) > 0 ? names[0].id : NULL;
}

const char *names_refusal(const struct names_chain *c, const struct tls_identity *id)
{
	struct name names[NAMES_MOST];
	size_t count;

	if (!id->subject)
		return NULL;
	count = names_list(c, id, names);
	if (count == 0 && c->is_required)
		return "the certificate has no name that zoolite.identity asks for";
	/* Less than all of them would be another identity to a rule that denies. */
	if (count > c->max_names || (id->has_more_sans && names_chain_has_san(c)))
		return "the certificate has more names than zoolite.maxIdentities";
	return NULL;
}
