/* --explain-access (app/command.h). */
#ifndef APP_COMMAND_EXPLAIN_H
#define APP_COMMAND_EXPLAIN_H

#include <stddef.h>

int command_explain(char *const arguments[], size_t count);

#endif
