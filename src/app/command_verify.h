/* Whether a snapshot or a data directory is whole (app/command.h). */
#ifndef APP_COMMAND_VERIFY_H
#define APP_COMMAND_VERIFY_H

#include <stddef.h>

/* FILE|zoo.cfg: one line "good: …" or lines "bad: …", then what there is in it. */
int command_verify(char *const arguments[], size_t count);
/* What the server calls for a snapshot that it has just written: the same, behind everything else
 * that the machine has to do, after having the file on disk. */
int command_verify_part(char *const arguments[], size_t count);

#endif
