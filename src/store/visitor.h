/* Who from outside reads one of our databases: a long read keeps its -wal from being begun anew.
 * Belongs to who owns the writing connection. */
#ifndef STORE_VISITOR_H
#define STORE_VISITOR_H

#include <sys/types.h>

struct visitor;

struct visitor *visitor_new(const char *db_path);
/* Only when no connection of this process has the database open: the system takes the locks of a
 * process on a file away when it closes any descriptor of it, SQLite's too. NULL is allowed. */
void visitor_free(struct visitor *v);
/* A process that is in the middle of a read, and is not ours; 0: none is seen. */
pid_t visitor_find(struct visitor *v);

#endif
