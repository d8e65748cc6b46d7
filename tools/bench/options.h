/* The command line. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cdefs.h"

struct options {
	const char *case_name;
	char *host;
	char *port;
	bool plain;
	const char *ca_file;
	const char *cert_file;
	const char *key_file;
	unsigned connections;
	unsigned depth;   /* requests under way on each connection */
	unsigned opening; /* connections being opened at a time */
	double seconds;   /* 0: not given, the case's own default */
	double warm_up;
	unsigned value_size;
	unsigned keys;
	unsigned count;       /* znodes that fill makes */
	unsigned preload;     /* znodes that hot makes besides its keys */
	unsigned batch;       /* creates in a multi */
	unsigned directories; /* that creates go to; 0: the case's own number */
	unsigned read_percent;
	double zipf;        /* exponent; 0: all keys alike */
	double rate;        /* requests a second by a fixed schedule; 0: as fast as replies come */
	int32_t timeout_ms; /* of the sessions */
	const char *root;
	pid_t server_pid; /* 0: unknown */
	bool json;
};

/* Parse, or print what is wrong and end with status 2 (or the help asked for and 0). */
void options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);

#endif
