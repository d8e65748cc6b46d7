/* Commands for the running server (app/command.h). */
#ifndef APP_COMMAND_CONTROL_H
#define APP_COMMAND_CONTROL_H

#include <stddef.h>

int command_control(char *const arguments[], size_t count);
/* "--control kick", for those in a hurry. */
int command_kick(char *const arguments[], size_t count);

#endif
