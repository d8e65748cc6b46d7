/* zoolited --recover: take what can be read out of a damaged data directory. */
#ifndef APP_RECOVER_H
#define APP_RECOVER_H

#include <stddef.h>

/* DIR [LOGDIR] NEWDIR. Returns the exit status (app/complain.h). */
int recover(char *const arguments[], size_t count);

#endif
