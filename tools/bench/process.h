/* What another process has used, out of /proc. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/cdefs.h"

struct process_memory {
	int64_t rss_kib;
	int64_t pss_kib; /* what it shares is divided by those who share it */
};

/* CPU time of all its threads, ended ones too, user and system, in microseconds (in steps of a
 * kernel tick). -1: there is no such process. */
must_check int process_cpu_us(pid_t pid, int64_t *us);
/* Needs the right to trace it (the same user, as a rule). */
must_check int process_memory(pid_t pid, struct process_memory *memory);
/* CPU time of this process so far. */
int64_t process_own_cpu_us(void);

#endif
