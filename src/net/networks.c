/* For each family the ranges of addresses that the networks cover: sorted, none touches the next
 * one, so that a search among halves tells. Addresses are 16 bytes in network order, of which an
 * IPv4 address takes the first four, and compare as memory does. */
#include "net/networks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/address.h"

enum {
	ADDRESS_LEN = 16,
	IPV4_LEN = 4,
	MAPPED_LEN = 12, /* of ::ffff:0:0/96, before the IPv4 address */
	BITS = 8,
	WORD_LEN = 64, /* the longest network has fewer bytes */
	FILE_MAX_LEN = 16 * 1024 * 1024,
	READ_LEN = 64 * 1024,
	NAME_SHOWN = 96, /* of a file in a reason, which goes on behind it */
	TEXT_SHOWN = 60,
};

struct range {
	uint8_t first[ADDRESS_LEN], last[ADDRESS_LEN];
};

struct ranges {
	struct range *all;
	size_t count, room;
};

struct networks {
	struct ranges ipv4, ipv6;
	size_t lines;
};

/* ---- reading ---- */

static int printf_like(3, 4)
	fail(char reason[NETWORKS_REASON_LEN], unsigned line, const char *format, ...)
{
	int len = snprintf(reason, NETWORKS_REASON_LEN, "line %u: ", line);
	va_list args;

	va_start(args, format);
	vsnprintf(reason + len, NETWORKS_REASON_LEN - (size_t)len, format, args);
	va_end(args);
	return -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(struct slice *s)
{
	while (s->len > 0 && is_blank(s->data[s->len - 1]))
		s->len--;
	while (s->len > 0 && is_blank(s->data[0])) {
		s->data++;
		s->len--;
	}
}

/* The next line without comment and blanks; false at the end. */
static bool next_line(struct slice *text, struct slice *line)
{
	const char *end, *comment;

	if (text->len == 0)
		return false;
	end = memchr(text->data, '\n', text->len);
	*line = (struct slice){ text->data, end ? (size_t)(end - text->data) : text->len };
	text->data += line->len + (end ? 1 : 0);
	text->len -= line->len + (end ? 1 : 0);
	comment = memchr(line->data, '#', line->len);
	if (comment)
		line->len = (size_t)(comment - line->data);
	trim(line);
	return true;
}

/* The number of bits behind the slash. */
static int parse_bits(const char *text, unsigned most, unsigned *bits)
{
	*bits = 0;
	if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		*bits = *bits * 10 + (unsigned)(*text - '0');
		if (*bits > most)
			return -1;
	}
	return 0;
}

static bool is_mapped(const uint8_t address[ADDRESS_LEN])
{
	static const uint8_t prefix[MAPPED_LEN] = { [10] = 0xff, [11] = 0xff };

	return memcmp(address, prefix, sizeof(prefix)) == 0;
}

/* From the first address to the last one. -1: the first one has bits behind its prefix. */
static int fill_range(struct range *r, const uint8_t *address, size_t len, unsigned bits)
{
	for (size_t i = 0; i < len; i++) {
		unsigned fixed =
			bits >= (i + 1) * BITS ? BITS : (bits > i * BITS ? bits % BITS : 0);
		uint8_t mask = (uint8_t)(0xff00U >> fixed);

		if (address[i] & (uint8_t)~mask)
			return -1;
		r->first[i] = address[i];
		r->last[i] = address[i] | (uint8_t)~mask;
	}
	return 0;
}

static void add_range(struct ranges *to, const struct range *r)
{
	if (to->count == to->room) {
		to->room = to->room == 0 ? 16 : 2 * to->room;
		to->all = mem_grow(to->all, to->room * sizeof(*to->all));
	}
	to->all[to->count++] = *r;
}

static int take_network(struct networks *n, struct slice line, unsigned number, char *reason)
{
	uint8_t address[ADDRESS_LEN] = { 0 };
	char word[WORD_LEN] = "", *slash;
	struct range r = { 0 };
	unsigned most = IPV4_LEN * BITS, bits;
	const uint8_t *from = address;

	if (line.len < sizeof(word))
		memcpy(word, line.data, line.len);
	slash = strchr(word, '/');
	if (slash)
		*slash = '\0';
	/* A NUL inside would hide what stands behind it. */
	if (word[0] == '\0' || memchr(line.data, '\0', line.len))
		goto no_network;
	if (inet_pton(AF_INET, word, address) != 1) {
		most = ADDRESS_LEN * BITS;
		if (inet_pton(AF_INET6, word, address) != 1)
			goto no_network;
	}
	bits = most;
	if (slash && parse_bits(slash + 1, most, &bits) != 0)
		goto no_network;
	if (most != IPV4_LEN * BITS && bits >= MAPPED_LEN * BITS && is_mapped(address)) {
		from = address + MAPPED_LEN;
		bits -= MAPPED_LEN * BITS;
		most = IPV4_LEN * BITS;
	}
	if (fill_range(&r, from, most / BITS, bits) != 0)
		return fail(reason, number, "\"%.*s\" has bits behind its prefix", (int)line.len,
			    line.data);
	add_range(most == IPV4_LEN * BITS ? &n->ipv4 : &n->ipv6, &r);
	n->lines++;
	return 0;
no_network:
	return fail(reason, number, "\"%.*s\" is no address or network",
		    (int)(line.len < TEXT_SHOWN ? line.len : TEXT_SHOWN), line.data);
}

/* ---- order ---- */

static int compare_ranges(const void *a, const void *b)
{
	const struct range *one = a, *other = b;
	int order = memcmp(one->first, other->first, ADDRESS_LEN);

	/* Of two that begin together the larger one comes first. */
	return order != 0 ? order : memcmp(other->last, one->last, ADDRESS_LEN);
}

/* Of networks one either holds the other or has nothing of it: those that are held go. */
static void settle(struct ranges *r)
{
	size_t kept = 0;

	if (r->count == 0)
		return;
	qsort(r->all, r->count, sizeof(*r->all), compare_ranges);
	for (size_t i = 1; i < r->count; i++) {
		if (memcmp(r->all[i].first, r->all[kept].last, ADDRESS_LEN) > 0)
			r->all[++kept] = r->all[i];
	}
	r->count = kept + 1;
}

static bool has(const struct ranges *r, struct slice address)
{
	uint8_t key[ADDRESS_LEN] = { 0 };
	size_t low = 0, high = r->count;

	memcpy(key, address.data, address.len);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(r->all[middle].last, key, ADDRESS_LEN) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->count && memcmp(r->all[low].first, key, ADDRESS_LEN) <= 0;
}

/* ---- the whole ---- */

struct networks *networks_parse(struct slice text, char reason[NETWORKS_REASON_LEN])
{
	struct networks *n = mem_new(sizeof(*n));
	struct slice line;

	for (unsigned number = 1; next_line(&text, &line); number++) {
		if (line.len > 0 && take_network(n, line, number, reason) != 0) {
			networks_free(n);
			return NULL;
		}
	}
	settle(&n->ipv4);
	settle(&n->ipv6);
	return n;
}

/* -1 with errno. */
static int read_all(const char *file, struct buf *text)
{
	/* To open a pipe may take for ever, but so: then it would read like an empty file. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), wrong = fd < 0 ? errno : 0;
	char *room = mem_new(READ_LEN);
	struct stat st;
	ssize_t got;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		wrong = EINVAL;
	while (wrong == 0 && (got = read(fd, room, READ_LEN)) != 0) {
		if (got < 0)
			wrong = errno;
		else if (buf_append(text, room, (size_t)got) != 0)
			wrong = EFBIG;
	}
	if (fd >= 0)
		close(fd);
	mem_free(room);
	errno = wrong;
	return wrong == 0 ? 0 : -1;
}

struct networks *networks_load(const char *file, char reason[NETWORKS_REASON_LEN])
{
	size_t len = strlen(file);
	const char *shown = len > NAME_SHOWN ? file + len - NAME_SHOWN : file;
	char why[NETWORKS_REASON_LEN];
	struct networks *n = NULL;
	struct buf text;

	buf_init(&text, FILE_MAX_LEN);
	if (read_all(file, &text) != 0) {
		snprintf(reason, NETWORKS_REASON_LEN, "%s: %s", shown, strerror(errno));
	} else {
		n = networks_parse(buf_slice(&text), why);
		if (!n)
			snprintf(reason, NETWORKS_REASON_LEN, "%s:%.*s", shown,
				 NETWORKS_REASON_LEN - NAME_SHOWN - 2, why + strlen("line "));
	}
	buf_fini(&text);
	return n;
}

void networks_free(struct networks *n)
{
	if (!n)
		return;
	mem_free(n->ipv4.all);
	mem_free(n->ipv6.all);
	mem_free(n);
}

bool networks_has(const struct networks *n, const struct sockaddr_storage *a)
{
	struct sockaddr_storage one = *a;
	struct slice bytes;

	address_normalise(&one);
	bytes = address_host_bytes(&one);
	switch (bytes.len) {
	case IPV4_LEN:
		return has(&n->ipv4, bytes);
	case ADDRESS_LEN:
		return has(&n->ipv6, bytes);
	default:
		return false;
	}
}

size_t networks_count(const struct networks *n)
{
	return n->lines;
}
