#include "app/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/control_commands.h"
#include "app/control_socket.h"
#include "base/mem.h"

enum { PATH_SHOWN = 300, CHUNK = 4096, SECOND_MS = 1000 };

int control_client_line(char *const words[], size_t count, char line[CONTROL_LINE_MAX],
			char reason[CONTROL_REASON_LEN])
{
	struct control_line parsed;
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		/* A blank before each but the first, the line's end and a NUL. */
		if (len + strlen(words[i]) + 3 > CONTROL_LINE_MAX) {
			snprintf(reason, CONTROL_REASON_LEN, "the line is longer than %d bytes",
				 CONTROL_LINE_MAX);
			return -1;
		}
		len += (size_t)snprintf(line + len, CONTROL_LINE_MAX - len, "%s%s",
					i == 0 ? "" : " ", words[i]);
	}
	if (control_line_parse((struct slice){ line, len }, &parsed, reason) != 0)
		return -1;
	line[len] = '\n';
	line[len + 1] = '\0';
	return 0;
}

/* A server that is stopped (SIGSTOP) or stuck would let us wait for ever. */
static int read_answer(int fd, int64_t silence_ms, struct buf *answer)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	ssize_t got;
	int ready;

	do {
		ready = poll(&poller, 1, (int)silence_ms);
		if (ready <= 0) {
			errno = ready == 0 ? ETIMEDOUT : errno;
			return -1;
		}
		if (buf_reserve(answer, CHUNK) != 0) {
			errno = EFBIG;
			return -1;
		}
		got = recv(fd, buf_tail(answer), CHUNK, 0);
		if (got > 0)
			buf_commit(answer, (size_t)got);
	} while (got > 0);
	/* It may end the connection with something of ours unread. */
	return got == 0 || (errno == ECONNRESET && buf_len(answer) > 0) ? 0 : -1;
}

/* How long the server may be silent: it keeps its own deadline, then says so. */
static int64_t silence_ms(const struct config *c, const char *line)
{
	char reason[CONTROL_REASON_LEN];
	struct control_line parsed;
	struct slice text = { line, strcspn(line, "\n") };
	bool is_snapshot = control_line_parse(text, &parsed, reason) == 0 &&
			   parsed.command == CONTROL_SNAPSHOT;

	return (is_snapshot ? CONTROL_SNAPSHOT_TIMES * c->snapshot_timeout_ms : c->control_ms) +
	       25 * SECOND_MS;
}

static int ask(const struct config *c, const char *path, const char *line, struct buf *answer,
	       char reason[CONTROL_CLIENT_REASON_LEN])
{
	const char *what = "nobody answers at";
	int fd = control_socket_connect(path);
	int rc = -1;

	/* A server that is full has answered already, and hears no more. */
	if (fd >= 0 && (send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line) ||
			errno == EPIPE)) {
		what = "no answer from";
		rc = read_answer(fd, silence_ms(c, line), answer);
	}
	if (rc != 0)
		snprintf(reason, CONTROL_CLIENT_REASON_LEN, "%s %.*s: %s", what, PATH_SHOWN, path,
			 strerror(errno));
	if (fd >= 0)
		close(fd);
	if (rc == 0 && buf_len(answer) == 0) {
		snprintf(reason, CONTROL_CLIENT_REASON_LEN,
			 "%s %.*s: it was closed (another user's server?)", what, PATH_SHOWN, path);
		rc = -1;
	}
	return rc;
}

int control_client_ask(const struct config *c, const char *line, struct buf *answer,
		       char reason[CONTROL_CLIENT_REASON_LEN])
{
	char *path = control_socket_path(c);
	int rc;

	if (!path) {
		snprintf(reason, CONTROL_CLIENT_REASON_LEN, "zoolite.controlSocket is none");
		return -1;
	}
	rc = ask(c, path, line, answer, reason);
	mem_free(path);
	return rc;
}

bool control_client_is_ok(const struct buf *answer)
{
	return buf_len(answer) >= 3 && memcmp(buf_head(answer), "ok\n", 3) == 0;
}
