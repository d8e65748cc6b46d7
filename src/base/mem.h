/* Memory. mem_new: small and of our own sizing, a failure ends the process. mem_try: a peer
 * decides how much, a failure is an answer (NULL), counted, and the peer pays for it. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cdefs.h"

/* Call once, before any thread is there: what is large is then given back to the system when it is
 * freed. By its own rule glibc takes the size of what was freed first as the one from which on it
 * would do that (mallopt(3), M_MMAP_THRESHOLD), and keeps holes between large buffers. */
void mem_setup(void);
/* Give back to the system what others freed since the last call, where it is much: small pieces
 * stay with glibc as long as one behind them is in use. Takes some milliseconds then. Call now and
 * then, on one thread. True where it did. */
bool mem_trim(void);
/* Zeroed memory, never NULL. */
must_check void *mem_new(size_t size);
/* Zeroed memory, or NULL where there is none. */
must_check void *mem_try(size_t size);
/* Resize to size bytes (new bytes are not zeroed); mem_grow never returns NULL, mem_try_grow
 * leaves ptr as it was then. */
must_check void *mem_grow(void *ptr, size_t size);
must_check void *mem_try_grow(void *ptr, size_t size);
/* A copy of len bytes with a NUL behind them. */
must_check char *mem_dup(const void *src, size_t len);
must_check char *mem_strdup(const char *text);
void mem_free(void *ptr);

/* Tests: let the n-th mem_try or mem_try_grow from now (1 is the next) fail; 0 switches that
 * off. */
void mem_fail_after(unsigned n);

#endif
