/* Numbers are read whole or not at all. */
#include "tools/bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tools/bench/workload.h"

enum {
	STATUS_USAGE = 2,
	MOST_CONNECTIONS = 200000,
	MOST_DEPTH = 10000,
	MOST_VALUE = 900 * 1024, /* below ZooKeeper's jute.maxbuffer */
	MOST_KEYS = 10 * 1000 * 1000,
	MOST_COUNT = 100 * 1000 * 1000,
	MOST_ROOT = 128,
	MOST_BATCH = 1000,
	MOST_DIRECTORIES = 100000,
	MOST_ZIPF = 10,
	PERCENT = 100,
};

enum {
	OPTION_PLAIN = 256,
	OPTION_CA,
	OPTION_CERT,
	OPTION_KEY,
	OPTION_PID,
	OPTION_TIMEOUT,
	OPTION_ROOT,
	OPTION_OPENING,
	OPTION_PRELOAD,
	OPTION_BATCH,
	OPTION_DIRECTORIES,
	OPTION_ZIPF
};

static const struct option longs[] = {
	{ "connections", required_argument, NULL, 'c' },
	{ "depth", required_argument, NULL, 'd' },
	{ "seconds", required_argument, NULL, 's' },
	{ "warm-up", required_argument, NULL, 'w' },
	{ "value-size", required_argument, NULL, 'v' },
	{ "keys", required_argument, NULL, 'k' },
	{ "count", required_argument, NULL, 'n' },
	{ "mix", required_argument, NULL, 'm' },
	{ "rate", required_argument, NULL, 'r' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "plain", no_argument, NULL, OPTION_PLAIN },
	{ "ca", required_argument, NULL, OPTION_CA },
	{ "cert", required_argument, NULL, OPTION_CERT },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ "server-pid", required_argument, NULL, OPTION_PID },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "root", required_argument, NULL, OPTION_ROOT },
	{ "opening", required_argument, NULL, OPTION_OPENING },
	{ "preload", required_argument, NULL, OPTION_PRELOAD },
	{ "batch", required_argument, NULL, OPTION_BATCH },
	{ "directories", required_argument, NULL, OPTION_DIRECTORIES },
	{ "zipf", required_argument, NULL, OPTION_ZIPF },
	{ 0 },
};

static const char usage[] =
	"usage: zoolite-bench [OPTION...] CASE HOST:PORT\n"
	"Put load on a server that speaks ZooKeeper's protocol, and measure it.\n"
	"What is created stays below --root: use a server that may be thrown away.\n"
	"\n"
	"how to come in:\n"
	"  --ca FILE             TLS; PEM with the CA of the server's certificate\n"
	"  --cert FILE           PEM with our certificate\n"
	"  --key FILE            PEM with our key\n"
	"  --plain               instead of all these\n"
	"what to do:\n"
	"  -c, --connections N   sessions, one connection each [50]\n"
	"  -d, --depth N         requests under way on each [1]\n"
	"  -s, --seconds S       measure for so long [10]; idle, storm: hold [until told]\n"
	"  -w, --warm-up S       the same load before, not measured [3]\n"
	"  -v, --value-size N    bytes of a znode [128]\n"
	"  -k, --keys N          znodes that are read and written [1000]\n"
	"  -n, --count N         znodes to fill in [100000]\n"
	"  --preload N           znodes beside the keys of hot [100000]\n"
	"  --zipf EXPONENT       which keys, by Zipf's law [all alike]\n"
	"  --batch N             creates in a multi [10]\n"
	"  --directories N       where creates go, or locks are [create, multi: one for each\n"
	"                        connection; others: 1]\n"
	"  -m, --mix PERCENT     reads among the requests of mixed [90]\n"
	"  -r, --rate N          requests a second by a fixed schedule [as fast as replies come]\n"
	"  --opening N           connections opened at a time [64]\n"
	"  --timeout MS          of the sessions [30000]\n"
	"  --root PATH           where to work [/bench]\n"
	"what to say:\n"
	"  --server-pid PID      measure its CPU time and memory too\n"
	"  -j, --json            one line of JSON\n"
	"\n"
	"cases:\n";

static void print_help(void)
{
	fputs(usage, stdout);
	for (const struct workload_case *c = workload_cases; c->name != NULL; c++)
		printf("  %-10s %s\n", c->name, c->help);
	printf("  %-10s %s\n", "idle",
	       "open -c sessions and hold them until standard input ends or SIGTERM");
	printf("  %-10s %s\n", "connects",
	       "open sessions and close them, -c at a time, one after the other");
	printf("  %-10s %s\n", "storm",
	       "hold -c sessions, each with an ephemeral znode and watches, that come back\n"
	       "             whenever they lose the server, all at once, until told; says how\n"
	       "             long that took, and whether each was told all it watches, once");
	printf("  %-10s %s\n", "first",
	       "wait for the first session of a server that starts, at most -s seconds");
}

static no_return void refuse(const char *what, const char *why)
{
	fprintf(stderr, "zoolite-bench: %s: %s (--help tells more)\n", what, why);
	exit(STATUS_USAGE);
}

static double real(const char *name, const char *text, double least, double most)
{
	char *end;
	double value;

	errno = 0;
	value = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || !isfinite(value) || value < least ||
	    value > most)
		refuse(name, "not a number in its range");
	return value;
}

static unsigned whole(const char *name, const char *text, unsigned least, unsigned most)
{
	double value = real(name, text, least, most);

	if (value != floor(value))
		refuse(name, "not a whole number");
	return (unsigned)value;
}

static void take_option(struct options *o, int which, const char *value)
{
	enum { MOST_SECONDS = 1000000, MOST_MS = 1000000000, MOST_RATE = 100000000 };

	/* clang-format off */
	switch (which) {
	case 'c': o->connections = whole("-c", value, 1, MOST_CONNECTIONS); break;
	case 'd': o->depth = whole("-d", value, 1, MOST_DEPTH); break;
	case 's': o->seconds = real("-s", value, 0.01, MOST_SECONDS); break;
	case 'w': o->warm_up = real("-w", value, 0, MOST_SECONDS); break;
	case 'v': o->value_size = whole("-v", value, 0, MOST_VALUE); break;
	case 'k': o->keys = whole("-k", value, 1, MOST_KEYS); break;
	case 'n': o->count = whole("-n", value, 1, MOST_COUNT); break;
	case 'm': o->read_percent = whole("-m", value, 0, PERCENT); break;
	case 'r': o->rate = real("-r", value, 0.01, MOST_RATE); break;
	case 'j': o->json = true; break;
	case 'h': print_help(); exit(EXIT_SUCCESS);
	case OPTION_PLAIN: o->plain = true; break;
	case OPTION_CA: o->ca_file = value; break;
	case OPTION_CERT: o->cert_file = value; break;
	case OPTION_KEY: o->key_file = value; break;
	case OPTION_PID: o->server_pid = (pid_t)whole("--server-pid", value, 1, INT32_MAX); break;
	case OPTION_TIMEOUT: o->timeout_ms = (int32_t)whole("--timeout", value, 1, MOST_MS); break;
	case OPTION_ROOT: o->root = value; break;
	case OPTION_OPENING: o->opening = whole("--opening", value, 1, MOST_CONNECTIONS); break;
	case OPTION_PRELOAD: o->preload = whole("--preload", value, 0, MOST_COUNT); break;
	case OPTION_BATCH: o->batch = whole("--batch", value, 1, MOST_BATCH); break;
	case OPTION_DIRECTORIES:
		o->directories = whole("--directories", value, 1, MOST_DIRECTORIES);
		break;
	case OPTION_ZIPF: o->zipf = real("--zipf", value, 0, MOST_ZIPF); break;
	default: exit(STATUS_USAGE); /* getopt has said why */
	}
	/* clang-format on */
}

/* HOST:PORT, [::1]:PORT */
static void take_server(struct options *o, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (colon == NULL || colon == text || colon[1] == '\0')
		refuse(text, "not HOST:PORT");
	len = (size_t)(colon - text);
	if (text[0] == '[' && text[len - 1] == ']')
		o->host = mem_dup(text + 1, len - 2);
	else
		o->host = mem_dup(text, len);
	o->port = mem_strdup(colon + 1);
}

static void check(const struct options *o)
{
	size_t len = strlen(o->root);

	if (o->plain && (o->ca_file != NULL || o->cert_file != NULL || o->key_file != NULL))
		refuse("--plain", "has no use for certificates");
	if (!o->plain && o->ca_file == NULL)
		refuse("--ca", "is missing; or say --plain");
	if ((o->cert_file == NULL) != (o->key_file == NULL))
		refuse("--cert and --key", "come together");
	if (o->root[0] != '/' || len < 2 || len > MOST_ROOT || o->root[len - 1] == '/')
		refuse("--root", "not a path below /");
}

void options_parse(struct options *o, int argc, char **argv)
{
	int which;

	*o = (struct options){
		.connections = 50,
		.depth = 1,
		.opening = 64,
		.warm_up = 3,
		.value_size = 128,
		.keys = 1000,
		.count = 100000,
		.preload = 100000,
		.batch = 10,
		.read_percent = 90,
		.timeout_ms = 30000,
		.root = "/bench",
	};
	while ((which = getopt_long(argc, argv, "c:d:s:w:v:k:n:m:r:jh", longs, NULL)) != -1)
		take_option(o, which, optarg);
	if (argc - optind != 2)
		refuse("arguments", "CASE and HOST:PORT, after the options");
	o->case_name = argv[optind];
	take_server(o, argv[optind + 1]);
	check(o);
}

void options_free(struct options *o)
{
	mem_free(o->host);
	mem_free(o->port);
}
