/* --export. See app/command.h. */
#ifndef APP_COMMAND_EXPORT_H
#define APP_COMMAND_EXPORT_H

#include <stddef.h>

int command_export(char *const arguments[], size_t count);

#endif
