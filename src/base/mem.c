/* Memory over malloc(3). The counter for tests is looked at in mem_try and mem_try_grow alone:
 * what mem_new and mem_grow give may not fail. */
#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"

enum {
	LARGE_BYTES = 256 * 1024,
	TRIM_BYTES = 8 * 1024 * 1024, /* free in pieces, and perhaps not given back yet */
};

static _Atomic unsigned fail_after;

/* Whether this call is the one that a test wants to fail. */
static bool must_fail(void)
{
	unsigned left = atomic_load_explicit(&fail_after, memory_order_relaxed);

	while (left > 0) {
		if (atomic_compare_exchange_weak(&fail_after, &left, left - 1))
			return left == 1;
	}
	return false;
}

/* malloc(0) may give NULL, which would look like a failure. */
static size_t at_least_one(size_t size)
{
	return size > 0 ? size : 1;
}

void mem_setup(void)
{
#ifdef M_MMAP_THRESHOLD
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
#endif
}

/* 0 where the system does not tell. */
static size_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	size_t all, pages;

	if (!file)
		return 0;
	if (fscanf(file, "%zu %zu", &all, &pages) != 2)
		pages = 0;
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

bool mem_trim(void)
{
	/* Resident after the last time, or less since. glibc does not tell what of that which is
	 * free was given back, nor whether it was used again in between. */
	static size_t known;
	size_t resident = resident_bytes();

	if (resident < known)
		known = resident;
	if (resident - known < TRIM_BYTES || mallinfo2().fordblks < TRIM_BYTES)
		return false;
	(void)malloc_trim(0);
	known = resident_bytes();
	return true;
}

void *mem_new(size_t size)
{
	void *ptr = calloc(1, at_least_one(size));

	if (ptr == NULL)
		die("memory.out", "no memory for a structure of the server");
	return ptr;
}

void *mem_try(size_t size)
{
	void *ptr = must_fail() ? NULL : calloc(1, at_least_one(size));

	if (ptr == NULL)
		metrics_add(METRIC_memory_refused, 1);
	return ptr;
}

void *mem_grow(void *ptr, size_t size)
{
	void *grown = realloc(ptr, at_least_one(size));

	if (grown == NULL)
		die("memory.out", "no memory to grow a structure of the server");
	return grown;
}

void *mem_try_grow(void *ptr, size_t size)
{
	void *grown = must_fail() ? NULL : realloc(ptr, at_least_one(size));

	if (grown == NULL)
		metrics_add(METRIC_memory_refused, 1);
	return grown;
}

char *mem_dup(const void *src, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		die("memory.out", "a copy as large as the address space");
	copy = mem_grow(NULL, len + 1);
	if (len > 0)
		memcpy(copy, src, len);
	copy[len] = '\0';
	return copy;
}

char *mem_strdup(const char *text)
{
	return mem_dup(text, strlen(text));
}

void mem_free(void *ptr)
{
	free(ptr);
}

void mem_fail_after(unsigned n)
{
	atomic_store(&fail_after, n);
}
