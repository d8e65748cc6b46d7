#include "app/rules.h"

#include "base/log.h"

enum { FILE_COUNT = 8 };

static void list_files(const struct config *c, const char *files[FILE_COUNT])
{
	files[0] = c->cert_file;
	files[1] = c->key_file;
	files[2] = c->key_password_file;
	files[3] = c->trust_file;
	files[4] = c->crl_file;
	files[5] = c->deny_list;
	files[6] = c->allow_list;
	files[7] = c->proxy_from;
}

int rules_load(const struct config *c, bool tls, struct rules *r, struct setup_fault *fault)
{
	r->tls = NULL;
	if (setup_networks(c, &r->networks, fault) != 0)
		return -1;
	if (!tls)
		return 0;
	r->tls = setup_tls(c, fault);
	if (r->tls)
		return 0;
	gate_networks_free(&r->networks);
	return -1;
}

static void log_networks(const char *property, const char *file, const struct networks *list)
{
	if (list)
		log_info("networks.loaded", LOG_TEXT("property", property), LOG_TEXT("file", file),
			 LOG_INT("networks", networks_count(list)));
}

void rules_set(const struct rules *r, const struct config *c, struct gate *g)
{
	log_networks("zoolite.denyList", c->deny_list, r->networks.deny);
	log_networks("zoolite.allowList", c->allow_list, r->networks.allow);
	log_networks("zoolite.proxyFrom", c->proxy_from, r->networks.balancers);
	gate_set_networks(g, &r->networks);
	if (r->tls)
		gate_set_tls(g, r->tls);
}

void rules_stamp(const struct config *c, struct stamps *s)
{
	const char *files[FILE_COUNT];

	list_files(c, files);
	stamps_take(s, files, FILE_COUNT);
}

const char *rules_changed(const struct config *c, const struct stamps *before,
			  const struct stamps *now)
{
	const char *files[FILE_COUNT];
	size_t which = stamps_compare(before, now, FILE_COUNT);

	list_files(c, files);
	return which < FILE_COUNT ? files[which] : NULL;
}
