/* For test_x509_ids.sh: prints which names core/access_x509 takes, "name in hexadecimal<TAB>yes or
 * no" a line.
 *
 *   x509_ids table           the table of tests/lib/x509_ids.h, as it says itself
 *   x509_ids random SEED N   N names made of pieces that matter to the syntax */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/access_x509.h"
#include "tests/lib/random.h"
#include "tests/lib/x509_ids.h"

enum { MOST_LEN = 4096 };

static struct random dice;
static char name[MOST_LEN];

static void show(const char *text, bool is_valid)
{
	for (const char *c = text; *c; c++)
		printf("%02x", (unsigned char)*c);
	printf("\t%s\n", is_valid ? "yes" : "no");
}

static void add(const char *piece)
{
	strncat(name, piece, MOST_LEN - 1 - strlen(name));
}

#define ADD_ONE_OF(pieces) add((pieces)[random_below(&dice, sizeof(pieces) / sizeof(*(pieces)))])

static void add_type(void)
{
	static const char *const good[] = { "CN",    "cn",    " OU ",       "EmailAddress",
					    "\tT\n", "1.2.3", "OID.2.5.4.3" };
	static const char *const odd[] = { "email", "DNQ", "SN", "FOO",   "",      "CN ",
					   "C N",   "O.",  "IP", "OID.O", "oid.",  "\"CN\"",
					   "#CN",   "STR", "=",  "CN\\",  "title", "Street" };
	static const char *const arcs[] = {
		"0",  "1",          "2",           "3",
		"39", "40",         "-0",          "-1",
		"",   "x",          "02",          "2147483648",
		" 1", "999",        "-9",          "+1",
		"00", "0000000001", "-0000000000", "99999999999999999999"
	};

	if (random_percent(&dice, 70)) {
		ADD_ONE_OF(good);
	} else if (random_percent(&dice, 50)) {
		ADD_ONE_OF(odd);
	} else {
		add(random_percent(&dice, 30) ? "oId." : "");
		for (uint32_t n = random_below(&dice, 4);; n--) {
			ADD_ONE_OF(arcs);
			if (n == 0)
				break;
			add(".");
		}
	}
}

/* One to four pieces, of those that are no trouble or of all. */
static void add_text(bool in_quotes)
{
	static const char *const plain[] = { "a",    "B c",      "=",    "\\,",      "\\+", "\\;",
					     "\\\"", "\\\\",     "\\61", "\\C3\\bc", "\\#", "\\=",
					     "\\\n", "\xc3\xa9", " ",    "\n",       "#",   "0" };
	static const char *const odd[] = { ",",   ";",   "+",   "\"", "<",      ">",  "\\",
					   "\\6", "\\z", "\\ ", "\t", "\\\xc3", "\r", "\\\\\\" };
	static const char *const quoted[] = { ",", ";", "+", "<", ">", "\\\\", "\\\"" };

	for (uint32_t n = random_below(&dice, 5); n > 0; n--) {
		if (random_percent(&dice, 15))
			ADD_ONE_OF(odd);
		else if (in_quotes && random_percent(&dice, 50))
			ADD_ONE_OF(quoted);
		else
			ADD_ONE_OF(plain);
	}
}

/* A value in BER that may hold others, and may be wrong. */
static void add_octets(unsigned depth)
{
	static const char *const short_values[] = { "0400", "040161", "0c024142", "04810161",
						    "0482000161" };
	static const char *const odd[] = { "00", "80", "1f", "24", "0484ffffffff", "3f00", "4" };

	if (random_percent(&dice, 15))
		ADD_ONE_OF(odd);
	if (depth == 0 || random_percent(&dice, 40)) {
		ADD_ONE_OF(short_values);
		return;
	}
	add(random_percent(&dice, 90) ? "3080" : "0480");
	for (uint32_t n = random_below(&dice, 3); n > 0; n--)
		add_octets(depth - 1);
	add(random_percent(&dice, 90) ? "0000" : "00");
}

static void add_value(void)
{
	static const char *const blanks[] = { "", "", "", " ", "\n", " \n ", "\t" };

	ADD_ONE_OF(blanks);
	switch (random_below(&dice, 3)) {
	case 0:
		add("#");
		add_octets(2);
		return;
	case 1:
		add("\"");
		add_text(true);
		add(random_percent(&dice, 95) ? "\"" : "");
		ADD_ONE_OF(blanks);
		return;
	default:
		add_text(false);
	}
}

static void make_random(void)
{
	static const char *const separators[] = { ",", ";", "+", ", ", " + ", ",", ";", "+", ",," };

	name[0] = 0;
	for (uint32_t n = random_below(&dice, 3);; n--) {
		add_type();
		add(random_percent(&dice, 97) ? "=" : "");
		add_value();
		if (n == 0)
			return;
		ADD_ONE_OF(separators);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "table") == 0) {
		for (size_t i = 0; i < sizeof(x509_ids) / sizeof(*x509_ids); i++)
			show(x509_ids[i].name, x509_ids[i].is_valid);
	} else if (argc == 4 && strcmp(argv[1], "random") == 0) {
		dice.state = strtoull(argv[2], NULL, 10);
		for (unsigned long i = strtoul(argv[3], NULL, 10); i > 0; i--) {
			make_random();
			show(name, access_x509_is_valid(slice_of(name)));
		}
	} else {
		fprintf(stderr, "usage: x509_ids table | random SEED COUNT\n");
		return 2;
	}
	return 0;
}
