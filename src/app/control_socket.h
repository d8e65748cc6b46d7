/* Where the control socket lies, how it is made, reached and removed. Prints nothing. */
#ifndef APP_CONTROL_SOCKET_H
#define APP_CONTROL_SOCKET_H

#include <sys/types.h>

#include "app/config.h"
#include "base/cdefs.h"

enum { CONTROL_SOCKET_REASON_LEN = 512 };

/* The file; NULL where there shall be none. The caller frees. */
must_check char *control_socket_path(const struct config *c);

struct control_socket {
	int fd; /* listens, non-blocking */
	char *path;
	dev_t device; /* the file that was made, */
	ino_t inode;  /* whatever stands at path later */
};

/* Make it, for its owner alone (mode 0600). What a dead server left at path is replaced; no other
 * file is, nor a socket at which somebody listens. -1 with a line in reason. */
must_check int control_socket_open(struct control_socket *s, const char *path,
				   char reason[CONTROL_SOCKET_REASON_LEN]);
/* Close it and remove the file, unless that is another one by now. */
void control_socket_close(struct control_socket *s);

/* Connect to it; the caller closes. -1 with errno. */
must_check int control_socket_connect(const char *path);

#endif
