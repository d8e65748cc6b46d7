#include "app/print.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/metrics.h"

enum { LOG_BURST = 20 };

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
	buf_put(out, text);
}

void print_rounded(struct buf *out, double value)
{
	char text[64];
	size_t len = (size_t)snprintf(text, sizeof(text), "%.4f", value);

	while (text[len - 1] == '0' && text[len - 2] != '.')
		text[--len] = 0;
	print_slice(out, slice_of(text));
}

bool print_too_large(struct buf *out, const char *what)
{
	static struct log_limit log_limit;
	uint32_t suppressed;

	if (!out->is_cut)
		return false;
	buf_clear(out);
	metrics_add(METRIC_answers_too_large, 1);
	if (log_limit_pass(&log_limit, LOG_BURST, &suppressed))
		log_warn("answer.too_large", LOG_TEXT("to", what),
			 LOG_INT("limit", (int64_t)out->limit), LOG_INT("suppressed", suppressed));
	return true;
}
