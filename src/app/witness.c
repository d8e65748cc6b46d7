#include "app/witness.h"

#include "base/buf.h"
#include "base/quote.h"
#include "core/audit.h"

enum { NAMES_LIMIT = 1024 * 1024 };

/* who is initialised here; the caller frees it. */
static struct audit_event event_of(const struct arrival *from, const char *kind, const char *op,
				   struct buf *who)
{
	struct audit_event e = {
		.kind = kind,
		.host = slice_of(from->host),
		.address = slice_of(from->address),
		.op = slice_of(op),
	};

	buf_init(who, NAMES_LIMIT);
	if (from->identity.subject) {
		buf_put(who, slice_of("["));
		quote_json(who, slice_of(from->identity.subject));
		buf_put(who, slice_of("]"));
		e.who = e.owner = buf_slice(who);
	}
	return e;
}

void witness_connect(struct audit *audit, const struct arrival *from)
{
	static const char *const listeners[] = {
		[GATE_PLAIN] = "clientPort",         [GATE_TLS] = "secureClientPort",
		[GATE_MONITOR] = "monitorPort",      [GATE_ADMIN] = "admin.serverPort",
		[GATE_METRICS] = "metrics.httpPort",
	};
	struct audit_event e;
	struct buf who;

	if (!audit)
		return;
	e = event_of(from, "connect", listeners[from->kind], &who);
	audit_connect(audit, &e);
	buf_fini(&who);
}

void witness_refuse(struct audit *audit, const struct arrival *from, const char *op,
		    const char *why)
{
	struct audit_event e;
	struct buf who;

	if (!audit)
		return;
	e = event_of(from, "refuse", op, &who);
	e.result = slice_of(why);
	audit_refuse(audit, &e);
	buf_fini(&who);
}

void witness_command(struct audit *audit, const struct arrival *from, const char *op)
{
	struct audit_event e;
	struct buf who;

	if (!audit)
		return;
	e = event_of(from, "control", op, &who);
	audit_command(audit, &e);
	buf_fini(&who);
}
