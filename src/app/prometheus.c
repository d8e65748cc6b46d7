#include "app/prometheus.h"

#include "app/print.h"
#include "app/stats.h"
#include "app/view.h"
#include "base/summary.h"

static void print_quantile(struct buf *out, const struct stat_value *s, double share)
{
	print(out, "%s{quantile=\"%g\"} ", s->name, share);
	if (s->summary->count == 0)
		print(out, "NaN\n");
	else
		print(out, "%.10g\n", (double)summary_quantile(s->summary, share) / stats_unit(s));
}

static void print_summary(struct buf *out, const struct stat_value *s)
{
	print_quantile(out, s, 0.5);
	if (s->type == STAT_FULL) {
		print_quantile(out, s, 0.9);
		print_quantile(out, s, 0.99);
	}
	print(out, "%s_count %llu\n", s->name, (unsigned long long)s->summary->count);
	print(out, "%s_sum %.15g\n", s->name, (double)s->summary->sum / stats_unit(s));
}

static const char *type_name(enum stat_type type)
{
	switch (type) {
	case STAT_GAUGE:
	case STAT_REAL:
		return "gauge";
	case STAT_COUNTER:
		return "counter";
	case STAT_COUNTS:
	case STAT_BASIC:
	case STAT_FULL:
		return "summary";
	}
	return "untyped";
}

static void print_family(void *ctx, const struct stat_value *s)
{
	struct buf *out = ctx;

	/* No help holds a backslash or a line end, which would want escapes. */
	print(out, "# HELP %s %s\n", s->name, s->help);
	print(out, "# TYPE %s %s\n", s->name, type_name(s->type));
	if (s->summary)
		print_summary(out, s);
	else if (s->type == STAT_REAL)
		print(out, "%s %.10g\n", s->name, s->real);
	else
		print(out, "%s %lld\n", s->name, (long long)s->number);
}

void prometheus_print(const struct view *v, struct buf *out)
{
	if (v->registry)
		stats_foreach(v, print_family, out);
	else
		print(out, "# " VIEW_NOT_SERVING "\n");
}
