#include "core/access_x509.h"

#include <ctype.h>
#include <stdint.h>

static bool is_type_char(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '-';
}

/* Past "  type  =", or NULL. */
static const char *skip_type(const char *p, const char *end)
{
	const char *start;

	while (p < end && *p == ' ')
		p++;
	start = p;
	while (p < end && is_type_char(*p))
		p++;
	if (p == start)
		return NULL;
	while (p < end && *p == ' ')
		p++;
	return p < end && *p == '=' ? p + 1 : NULL;
}

/* Past a value in quotes; p stands on the opening one. */
static const char *skip_quoted(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\\' && ++p == end)
			return NULL;
	}
	return NULL;
}

/* Up to the separator behind a value, or NULL. */
static const char *skip_value(const char *p, const char *end)
{
	while (p < end && *p == ' ')
		p++;
	if (p < end && *p == '"') {
		p = skip_quoted(p, end);
		while (p && p < end && *p == ' ')
			p++;
		return p && (p == end || strchr(",;+", *p)) ? p : NULL;
	}
	for (; p < end && !strchr(",;+", *p); p++) {
		if (*p == '"' || (*p == '\\' && ++p == end))
			return NULL;
	}
	return p;
}

bool access_x509_is_valid(struct slice name)
{
	const char *p = name.data;
	const char *end = name.data + name.len;

	if (name.len == 0)
		return true;
	for (;;) {
		p = skip_type(p, end);
		p = p ? skip_value(p, end) : NULL;
		if (!p)
			return false;
		if (p == end)
			return true;
		p++;
	}
}
