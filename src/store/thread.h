/* Threads of the store. */
#ifndef STORE_THREAD_H
#define STORE_THREAD_H

#include <pthread.h>

/* Begin a thread that takes no signals (they are the core thread's). Ends the process where that
 * fails. */
void thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg);
/* A condition variable whose timed waits go by the monotonic clock. */
void thread_init_cond(pthread_cond_t *cond);

#endif
