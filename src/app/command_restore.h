/* From a snapshot back to a data directory, and the drill for it (app/command.h). */
#ifndef APP_COMMAND_RESTORE_H
#define APP_COMMAND_RESTORE_H

#include <stddef.h>

/* FILE DIR|zoo.cfg [LOGDIR] */
int command_restore(char *const arguments[], size_t count);
/* FILE|zoo.cfg: restore a snapshot (of a configuration: the newest) to a directory that goes again,
 * look whether all is there, begin a store on it, and report. */
int command_drill(char *const arguments[], size_t count);

#endif
