/* Hexadecimal digits. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

/* What c stands for, a capital too; -1 where it is no digit. */
static inline int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
