/* The way in from ZooKeeper (app/command.h). */
#ifndef APP_COMMAND_IMPORT_H
#define APP_COMMAND_IMPORT_H

#include <stddef.h>

/* DIR [--with-sessions] [--despite-digest] zoo.cfg; DIR is ZooKeeper's dataDir, the version-2 in
 * it, or its own zoo.cfg, which names two. */
int command_import(char *const arguments[], size_t count);

#endif
