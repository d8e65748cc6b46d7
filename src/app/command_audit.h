/* What there is to do with the audit trail (app/command.h). */
#ifndef APP_COMMAND_AUDIT_H
#define APP_COMMAND_AUDIT_H

#include <stddef.h>

int command_export_audit(char *const arguments[], size_t count);
int command_verify_audit(char *const arguments[], size_t count);

#endif
