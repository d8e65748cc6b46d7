#include "app/setup.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/policy_file.h"
#include "app/privileges.h"
#include "base/mem.h"
#include "base/private_file.h"
#include "app/audit_secret.h"
#include "net/listen.h"

enum { FILE_SHOWN = 300 };

/* The property that named the file. */
static const char *property_of(const struct config *c, enum tls_part part)
{
	switch (part) {
	case TLS_PART_CERT:
		return c->key_store_file ? "ssl.keyStore.location" : "zoolite.certFile";
	case TLS_PART_KEY:
		return c->key_store_file ? "ssl.keyStore.location" : "zoolite.keyFile";
	case TLS_PART_TRUST:
		return c->trust_store_file ? "ssl.trustStore.location" : "zoolite.trustFile";
	case TLS_PART_CRL:
		return "zoolite.crlFile";
	case TLS_PART_CIPHERS:
		return "ssl.ciphersuites";
	case TLS_PART_LIBRARY:
		break;
	}
	return "secureClientPort";
}

static void tell_tls(const struct config *c, const struct tls_fault *found,
		     struct setup_fault *fault)
{
	fault->property = property_of(c, found->part);
	snprintf(fault->reason, sizeof(fault->reason), "%s", found->reason);
}

static int check_key(const struct config *c, struct setup_fault *fault)
{
	char why[PRIVATE_FILE_REASON_LEN];

	if (!c->key_file || private_file_check(c->key_file, why) == 0)
		return 0;
	fault->property = property_of(c, TLS_PART_KEY);
	snprintf(fault->reason, sizeof(fault->reason), "%.*s: %s", FILE_SHOWN, c->key_file, why);
	return -1;
}

struct tls_context *setup_tls(const struct config *c, struct setup_fault *fault)
{
	struct tls_options o = {
		.cert_file = c->cert_file,
		.key_file = c->key_file,
		.key_password = c->key_password,
		.trust_file = c->trust_file,
		.crl_file = c->crl_file,
		.may_lack_crl = c->may_lack_crl,
		.client_auth = c->client_auth,
		.ciphers = c->ciphers,
		.no_tls_1_2 = !c->tls_1_2,
		.no_tls_1_3 = !c->tls_1_3,
	};
	struct tls_fault found;
	struct tls_context *tls;

	if (check_key(c, fault) != 0)
		return NULL;
	tls = tls_context_new(&o, &found);
	if (!tls)
		tell_tls(c, &found, fault);
	return tls;
}

bool setup_is_out_of_date(const struct config *c, const struct tls_context *tls,
			  struct setup_fault *fault)
{
	fault->property = property_of(c, TLS_PART_CERT);
	return tls_context_is_out_of_date(tls, fault->reason);
}

static int load_networks(const char *property, const char *file, struct networks **list,
			 struct setup_fault *fault)
{
	char reason[NETWORKS_REASON_LEN];

	*list = NULL;
	if (!file)
		return 0;
	*list = networks_load(file, reason);
	if (*list)
		return 0;
	fault->property = property;
	snprintf(fault->reason, sizeof(fault->reason), "%s", reason);
	return -1;
}

int setup_networks(const struct config *c, struct gate_networks *n, struct setup_fault *fault)
{
	*n = (struct gate_networks){ 0 };
	if (load_networks("zoolite.denyList", c->deny_list, &n->deny, fault) == 0 &&
	    load_networks("zoolite.allowList", c->allow_list, &n->allow, fault) == 0 &&
	    load_networks("zoolite.proxyFrom", c->proxy_from, &n->balancers, fault) == 0)
		return 0;
	gate_networks_free(n);
	return -1;
}

static enum setup_rc check_networks(const struct config *c, struct setup_fault *fault)
{
	struct gate_networks n;

	if (setup_networks(c, &n, fault) != 0)
		return SETUP_WRONG;
	gate_networks_free(&n);
	return SETUP_GOOD;
}

static enum setup_rc check_host(const char *property, const char *host, struct setup_fault *fault)
{
	fault->property = property;
	if (!host)
		return SETUP_GOOD;
	switch (listen_check_host(host, fault->reason, sizeof(fault->reason))) {
	case LISTEN_HOST_GOOD:
		return SETUP_GOOD;
	case LISTEN_HOST_UNKNOWN:
		return SETUP_FAILED;
	case LISTEN_HOST_BAD:
		break;
	}
	return SETUP_WRONG;
}

static enum setup_rc check_tls(const struct config *c, struct tls_context **tls,
			       struct setup_fault *fault)
{
	struct config checked = *c; /* borrows */
	struct tls_fault found;

	if (!c->cert_file && !c->trust_file)
		return SETUP_GOOD;
	if (!c->cert_file) {
		if (tls_check_trust(c->trust_file, c->crl_file, &found) == 0)
			return SETUP_GOOD;
		tell_tls(c, &found, fault);
		return SETUP_WRONG;
	}
	/* Without a port nobody comes who would have to be judged. */
	if (c->secure_port == CONFIG_NO_PORT && !c->trust_file)
		checked.client_auth = TLS_CLIENT_AUTH_NONE;
	*tls = setup_tls(&checked, fault);
	if (!*tls)
		return SETUP_WRONG;
	return setup_is_out_of_date(c, *tls, fault) ? SETUP_DOUBTFUL : SETUP_GOOD;
}

static enum setup_rc check_user(const struct config *c, struct setup_fault *fault)
{
	char why[PRIVILEGES_REASON_LEN];

	if (!c->user || privileges_check(c->user, why) == 0)
		return SETUP_GOOD;
	fault->property = "zoolite.user";
	snprintf(fault->reason, sizeof(fault->reason), "%s", why);
	return SETUP_WRONG;
}

struct policy *setup_policy(const struct config *c, struct setup_fault *fault)
{
	char reason[POLICY_REASON_LEN];
	struct policy *policy = policy_file_load(c, reason);

	if (policy)
		return policy;
	fault->property = "zoolite.policyFile";
	snprintf(fault->reason, sizeof(fault->reason), "%.*s", SETUP_REASON_LEN - 1, reason);
	return NULL;
}

static enum setup_rc check_policy(const struct config *c, struct setup_fault *fault)
{
	struct policy *policy = c->policy_file ? setup_policy(c, fault) : NULL;

	policy_free(policy);
	return policy || !c->policy_file ? SETUP_GOOD : SETUP_WRONG;
}

/* Whether a file may be made there. */
static bool can_be_made(const char *file, char reason[SETUP_REASON_LEN])
{
	char *directory = mem_strdup(file), *slash = strrchr(directory, '/');
	bool can;

	if (slash)
		slash[slash == directory] = '\0';
	can = access(slash ? directory : ".", W_OK | X_OK) == 0;
	if (!can)
		snprintf(reason, SETUP_REASON_LEN, "%s: cannot be made: %s", file, strerror(errno));
	mem_free(directory);
	return can;
}

/* A key that is not there yet is made by the start. */
static enum setup_rc check_audit(const struct config *c, struct setup_fault *fault)
{
	struct audit_secret secret;

	fault->property = "zoolite.auditKey";
	if (!c->audit || !c->audit_key)
		return SETUP_GOOD;
	if (audit_secret_is_misplaced(c, fault->reason))
		return SETUP_WRONG;
	switch (audit_secret_read(c, &secret, fault->reason)) {
	case AUDIT_SECRET_GOOD:
		audit_secret_fini(&secret);
		return SETUP_GOOD;
	case AUDIT_SECRET_ABSENT:
		if (can_be_made(c->audit_key, fault->reason))
			return SETUP_GOOD;
		break;
	case AUDIT_SECRET_BAD:
		break;
	}
	return c->audit_fail_closed ? SETUP_WRONG : SETUP_DOUBTFUL;
}

/* One fault is told: what ends the start before what does not. */
static enum setup_rc add_audit(const struct config *c, enum setup_rc before,
			       struct setup_fault *fault)
{
	struct setup_fault other;
	enum setup_rc rc = check_audit(c, &other);

	if (rc == SETUP_GOOD || (rc == SETUP_DOUBTFUL && before == SETUP_DOUBTFUL))
		return before;
	*fault = other;
	return rc;
}

/* Whether dir/version-2 holds a ZooKeeper's snapshots or logs. */
static bool has_zookeepers_files(const char *dir)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/version-2", dir);
	d = opendir(path);
	while (d && !found && (entry = readdir(d)))
		found = strncmp(entry->d_name, "snapshot.", strlen("snapshot.")) == 0 ||
			strncmp(entry->d_name, "log.", strlen("log.")) == 0;
	if (d)
		closedir(d);
	return found;
}

/* Who starts us with his ZooKeeper's file must not find an empty tree. */
static enum setup_rc check_data(const struct config *c, struct setup_fault *fault)
{
	const char *log_dir = c->data_log_dir ? c->data_log_dir : c->data_dir, *dir = NULL;
	char tree[PATH_MAX];

	(void)snprintf(tree, sizeof(tree), "%s/tree.db", c->data_dir);
	if (access(tree, F_OK) == 0)
		return SETUP_GOOD;
	fault->property = "dataDir";
	if (has_zookeepers_files(c->data_dir))
		dir = c->data_dir;
	else if (has_zookeepers_files(log_dir))
		dir = log_dir;
	if (!dir)
		return SETUP_GOOD;
	(void)snprintf(fault->reason, sizeof(fault->reason),
		       "%.*s holds a ZooKeeper's data, and there is no registry yet: take it over "
		       "by zoolited --import, or name another directory",
		       FILE_SHOWN, dir);
	return SETUP_WRONG;
}

enum setup_rc setup_check(const struct config *c, struct tls_context **tls,
			  struct setup_fault *fault)
{
	enum setup_rc rc;

	*tls = NULL;
	rc = check_data(c, fault);
	if (rc == SETUP_GOOD)
		rc = check_host("clientPortAddress", c->client_host, fault);
	if (rc == SETUP_GOOD)
		rc = check_host("secureClientPortAddress", c->secure_host, fault);
	if (rc == SETUP_GOOD)
		rc = check_host("admin.serverAddress", c->admin_host, fault);
	if (rc == SETUP_GOOD)
		rc = check_host("metricsProvider.httpHost", c->metrics_host, fault);
	if (rc == SETUP_GOOD)
		rc = check_user(c, fault);
	if (rc == SETUP_GOOD)
		rc = check_networks(c, fault);
	if (rc == SETUP_GOOD)
		rc = check_policy(c, fault);
	if (rc == SETUP_GOOD)
		rc = check_tls(c, tls, fault);
	if (rc == SETUP_GOOD || rc == SETUP_DOUBTFUL)
		rc = add_audit(c, rc, fault);
	if (*tls && c->secure_port == CONFIG_NO_PORT) {
		tls_context_unref(*tls);
		*tls = NULL;
	}
	return rc;
}
