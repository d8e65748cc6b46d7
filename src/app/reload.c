#include "app/reload.h"

#include "app/print.h"
#include "app/rules.h"
#include "app/setup.h"
#include "app/sweep.h"
#include "app/validity.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/audit.h"
#include "core/policy.h"
#include "core/registry.h"

enum {
	SETTLING_MS = 1000, /* from a look that found a change to the next one */
	MOST_UNSETTLED = 5, /* looks; what is written all the time is taken all the same */
};

/* On the audit trail. op: what brought it about; told: why it was refused, or what waits for a
 * restart. */
static void record(struct reload *r, const char *op, bool is_taken, const struct buf *told)
{
	struct slice text = buf_len(told) > 0 ? buf_slice(told) : (struct slice){ 0 };
	const struct audit_event e = {
		.kind = "reload",
		.op = slice_of(op),
		.result = is_taken    ? (struct slice){ 0 }
			  : text.data ? text
				      : slice_of("refused"),
		.detail = is_taken ? text : (struct slice){ 0 },
	};

	audit_record(r->audit, &e);
}

static unsigned line_in(const struct config_report *report, const char *property)
{
	return report ? config_line(report, property) : CONFIG_NO_LINE;
}

/* Read it and put it in force. -1 with fault: nothing has changed. */
int reload_policy(struct reload *r, const struct config *c, struct setup_fault *fault)
{
	const char *const file = c->policy_file;
	struct policy *policy;

	/* Before it is read: what changes meanwhile is seen the next time. */
	stamps_take(&r->policy_stamp, &file, 1);
	policy = setup_policy(c, fault);
	if (!policy)
		return -1;
	metrics_add(METRIC_policy_loaded, 1);
	log_info("policy.loaded", LOG_TEXT("file", c->policy_file),
		 LOG_INT("roles", policy_role_count(policy)),
		 LOG_INT("rules", policy_rule_count(policy)));
	registry_take_policy(r->registry, policy);
	return 0;
}

static void refuse_reload(struct buf *told, unsigned line, const char *property, const char *reason)
{
	if (property && line == CONFIG_NO_LINE)
		log_error("reload.refused", LOG_TEXT("property", property),
			  LOG_TEXT("reason", reason));
	else if (property)
		log_error("reload.refused", LOG_INT("line", line), LOG_TEXT("property", property),
			  LOG_TEXT("reason", reason));
	else
		log_error("reload.refused", LOG_INT("line", line), LOG_TEXT("reason", reason));
	if (buf_len(told) > 0)
		print(told, "; ");
	if (line != CONFIG_NO_LINE)
		print(told, "line %u: ", line);
	print(told, "%s%s%s", property ? property : "", property ? ": " : "", reason);
}

/* For those who come from now on; what was there stays, all of it, where anything new is bad. c is
 * as r->config but for what a reload takes; report NULL: nobody knows the lines. */
static bool renew_rules(struct reload *r, const struct config *c,
			const struct config_report *report, struct buf *told)
{
	struct setup_fault fault;
	struct stamps stamps;
	struct rules rules;

	/* Before they are read: what changes meanwhile is seen the next time. Where c is not taken
	 * it is the files of the other one that are looked at. */
	rules_stamp(c, &stamps);
	rules_stamp(r->config, &r->stamps);
	if (rules_load(c, r->tls != NULL, &rules, &fault) != 0) {
		refuse_reload(told, line_in(report, fault.property), fault.property, fault.reason);
		return false;
	}
	r->stamps = stamps;
	rules_set(&rules, c, r->gate);
	if (rules.tls) {
		tls_context_unref(r->tls);
		r->tls = rules.tls;
		if (setup_is_out_of_date(c, r->tls, &fault))
			log_warn("config.doubtful", LOG_TEXT("property", fault.property),
				 LOG_INT("line", line_in(report, fault.property)),
				 LOG_TEXT("reason", fault.reason));
	}
	validity_take(r->validity, r->tls);
	sweep_begin(r->sweep, r->tls);
	log_info("reload.done", LOG_TEXT("certificate", rules.tls ? c->cert_file : "none"));
	return true;
}

/* Where the new one is bad, the old one stays. fresh is r->config where the file alone is new. */
static bool renew_policy(struct reload *r, struct config *fresh, const struct config_report *report,
			 struct buf *told)
{
	bool has_policy = registry_options(r->registry)->access.policy != NULL;
	struct setup_fault fault;

	if (!fresh->policy_file && has_policy) {
		log_warn("policy.kept", LOG_TEXT("reason", "a restart takes it away"));
		fresh->policy_file = mem_strdup(r->config->policy_file);
	}
	if (!fresh->policy_file)
		return true;
	if (reload_policy(r, fresh, &fault) != 0) {
		metrics_add(METRIC_policy_errors, 1);
		refuse_reload(told, line_in(report, fault.property), fault.property, fault.reason);
		return false;
	}
	/* It is in force from there, whatever becomes of the rest. */
	if (fresh != r->config) {
		mem_free(r->config->policy_file);
		r->config->policy_file = mem_strdup(fresh->policy_file);
	}
	return true;
}

/* A text that is cut off may read like a good one that allows more. */
static bool is_settled(struct reload *r, const char *file, bool is_as_seen)
{
	if (is_as_seen || r->unsettled == MOST_UNSETTLED)
		return true;
	log_info("reload.settling", LOG_TEXT("file", file));
	return false;
}

/* False: later. */
static bool look_at_policy(struct reload *r)
{
	const char *const file = r->config->policy_file;
	struct stamps now, seen = r->policy_seen;
	struct buf told;

	stamps_take(&now, &file, 1);
	if (!file || stamps_compare(&r->policy_stamp, &now, 1) == 1)
		return true;
	r->policy_seen = now;
	if (!is_settled(r, file, stamps_compare(&seen, &now, 1) == 1))
		return false;
	log_info("reload.noticed", LOG_TEXT("file", file));
	buf_init(&told, RELOAD_TOLD_MAX);
	record(r, "file", renew_policy(r, r->config, NULL, &told), &told);
	buf_fini(&told);
	return true;
}

static bool take_fresh(struct reload *r, struct config *fresh, const struct config_report *report,
		       struct buf *told)
{
	char names[CONFIG_NAMES_LEN];
	bool waits, is_good;

	log_set_level(fresh->log_level);
	waits = config_waits(r->config, fresh, names);
	if (waits)
		log_warn("reload.waits", LOG_TEXT("properties", names),
			 LOG_TEXT("reason", "a restart takes them"));
	/* Who is let in, and by which protocol, is no matter of a certificate. */
	fresh->client_auth = r->config->client_auth;
	fresh->tls_1_2 = r->config->tls_1_2;
	fresh->tls_1_3 = r->config->tls_1_3;
	/* Of both the good one is taken, whatever becomes of the other. */
	is_good = renew_policy(r, fresh, report, told);
	if (!renew_rules(r, fresh, report, told))
		return false;
	config_take_reloaded(r->config, fresh);
	if (is_good && waits)
		print_slice(told, slice_of(names));
	return is_good;
}

static bool reload_configuration(struct reload *r, struct buf *told)
{
	struct config_report report;
	struct config fresh;
	bool is_taken;

	is_taken = config_load(r->config_path, &fresh, &report) == 0;
	if (is_taken)
		is_taken = take_fresh(r, &fresh, &report, told);
	else
		refuse_reload(told, report.line, NULL, report.reason);
	config_fini(&fresh);
	config_report_fini(&report);
	return is_taken;
}

bool reload_all(struct reload *r, const char *op, struct buf *told)
{
	bool is_taken = reload_configuration(r, told);

	record(r, op, is_taken, told);
	return is_taken;
}

/* A file that the rules come from looks another way: they are read anew, the configuration is
 * not. */
static void reload_rules(struct reload *r, const char *file)
{
	char reason[CONFIG_REASON_LEN];
	bool is_taken = false;
	struct buf told;

	log_info("reload.noticed", LOG_TEXT("file", file));
	buf_init(&told, RELOAD_TOLD_MAX);
	if (config_read_password(r->config, reason) == 0) {
		is_taken = renew_rules(r, r->config, NULL, &told);
	} else {
		rules_stamp(r->config, &r->stamps);
		refuse_reload(&told, CONFIG_NO_LINE, NULL, reason);
	}
	record(r, "file", is_taken, &told);
	buf_fini(&told);
}

/* False: later. */
static bool look_at_rules(struct reload *r)
{
	struct stamps now, seen = r->seen;
	const char *file;

	rules_stamp(r->config, &now);
	file = rules_changed(r->config, &r->stamps, &now);
	if (!file)
		return true;
	r->seen = now;
	if (!is_settled(r, file, !rules_changed(r->config, &seen, &now)))
		return false;
	reload_rules(r, file);
	return true;
}

static void on_look(struct timer *t)
{
	struct reload *r = container_of(t, struct reload, look);
	int64_t wait = r->config->reload_interval_ms;
	bool are_rules_settled = look_at_rules(r), is_policy_settled = look_at_policy(r);

	if (are_rules_settled && is_policy_settled) {
		r->unsettled = 0;
	} else {
		r->unsettled++;
		wait = wait < SETTLING_MS ? wait : SETTLING_MS;
	}
	timer_arm(r->wheel, t, clock_now_ms() + wait);
}

int reload_lists(struct reload *r, struct setup_fault *fault)
{
	struct rules rules;

	rules_stamp(r->config, &r->stamps);
	if (rules_load(r->config, false, &rules, fault) != 0)
		return -1;
	rules_set(&rules, r->config, r->gate);
	return 0;
}

void reload_watch(struct reload *r)
{
	timer_init(&r->look, on_look);
	if (r->config->reload_interval_ms > 0)
		timer_arm(r->wheel, &r->look, clock_now_ms() + r->config->reload_interval_ms);
}
