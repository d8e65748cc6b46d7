/* Facts of the process and the machine it runs on. Nothing from the process's environment, which
 * may hold secrets. */
#ifndef APP_MACHINE_H
#define APP_MACHINE_H

#include <stdint.h>

/* "3.9.5-zoolite-…, built on MM/DD/YYYY HH:MM TZ": told to clients; that of the ZooKeeper whose
 * features are here, then ours. */
const char *machine_version(void);
/* Descriptors that are open, and that may be. */
uint64_t machine_open_files(void);
uint64_t machine_max_files(void);
/* What ZooKeeper's envi tells, in its order; what only a Java machine has is "<NA>". */
void machine_environment(void (*each)(void *ctx, const char *key, const char *value), void *ctx);

#endif
