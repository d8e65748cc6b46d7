#include "core/access_san.h"

#include <stddef.h>
#include <string.h>

static bool has_prefix(struct slice name, const char *prefix)
{
	size_t len = strlen(prefix);

	return name.len > len && memcmp(name.data, prefix, len) == 0;
}

bool access_san_is_valid(struct slice name)
{
	bool is_cn = has_prefix(name, "CN:");

	if (!is_cn && !has_prefix(name, "URI:") && !has_prefix(name, "DNS:") &&
	    !has_prefix(name, "EMAIL:"))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if (c < ' ' || c == 0x7f || (c > 0x7f && !is_cn))
			return false;
	}
	return true;
}
