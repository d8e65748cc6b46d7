#include "app/print.h"

#include <stdarg.h>
#include <stdio.h>

void print(struct buf *out, const char *format, ...)
{
	char text[1024];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len > 0)
		print_slice(out,
			    (struct slice){ text, (size_t)len < sizeof(text) ? (size_t)len
									     : sizeof(text) - 1 });
}

void print_slice(struct buf *out, struct slice text)
{
	if (buf_append(out, text.data, text.len) != 0)
		return;
}

void print_rounded(struct buf *out, double value)
{
	char text[64];
	size_t len = (size_t)snprintf(text, sizeof(text), "%.4f", value);

	while (text[len - 1] == '0' && text[len - 2] != '.')
		text[--len] = 0;
	print_slice(out, slice_of(text));
}
