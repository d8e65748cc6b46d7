#include "core/dn.h"

#include <ctype.h>

#include "base/hex.h"
#include "base/mem.h"

/* What is read, and where the next value's bytes go. */
struct reading {
	struct slice text;
	size_t at;
	char *out;
};

static bool take_type(struct reading *r, struct slice *type)
{
	size_t start = r->at;

	while (r->at < r->text.len &&
	       (isalnum((unsigned char)r->text.data[r->at]) || r->text.data[r->at] == '.'))
		r->at++;
	*type = (struct slice){ r->text.data + start, r->at - start };
	return type->len > 0 && r->at < r->text.len && r->text.data[r->at++] == '=';
}

/* Behind a backslash: two digits, or a character that stands for itself. */
static bool take_escaped(struct reading *r)
{
	const char *text = r->text.data + r->at;
	size_t left = r->text.len - r->at;

	if (left == 0)
		return false;
	if (hex_value(text[0]) >= 0) {
		if (left < 2 || hex_value(text[1]) < 0)
			return false;
		*r->out++ = (char)(hex_value(text[0]) << 4 | hex_value(text[1]));
		r->at += 2;
		return true;
	}
	*r->out++ = text[0];
	r->at++;
	return true;
}

/* Up to a separator that is not escaped, which stays. */
static bool take_value(struct reading *r, struct dn_attribute *a)
{
	a->value.data = r->out;
	a->is_text = r->at == r->text.len || r->text.data[r->at] != '#';
	while (r->at < r->text.len) {
		char c = r->text.data[r->at];

		if (c == ',' || c == '+')
			break;
		/* What has to be escaped and is not was written by nobody we know. */
		if (c == '"' || c == '<' || c == '>' || c == ';' || c == 0)
			return false;
		r->at++;
		if (c != '\\')
			*r->out++ = c;
		else if (!take_escaped(r))
			return false;
	}
	a->value.len = (size_t)(r->out - a->value.data);
	return true;
}

int dn_parse(struct dn *d, struct slice text)
{
	struct reading r = { .text = text };
	size_t room = 0;

	*d = (struct dn){ .bytes = mem_new(text.len + 1) };
	r.out = d->bytes;
	while (text.len > 0) {
		if (d->count == room) {
			room = room ? 2 * room : 8;
			d->items = mem_grow(d->items, room * sizeof(*d->items));
		}
		d->items[d->count] = (struct dn_attribute){ 0 };
		if (!take_type(&r, &d->items[d->count].type) ||
		    !take_value(&r, &d->items[d->count]))
			break;
		d->count++;
		if (r.at == text.len)
			return 0;
		r.at++;
	}
	dn_fini(d);
	return -1;
}

void dn_fini(struct dn *d)
{
	mem_free(d->items);
	mem_free(d->bytes);
	*d = (struct dn){ 0 };
}
