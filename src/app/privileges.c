#include "app/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NAME_SHOWN = 64 };

static int fail(char reason[PRIVILEGES_REASON_LEN], const char *user, const char *why)
{
	snprintf(reason, PRIVILEGES_REASON_LEN, "%.*s: %s", NAME_SHOWN, user, why);
	return -1;
}

static const struct passwd *find(const char *user, char reason[PRIVILEGES_REASON_LEN])
{
	const struct passwd *who;

	errno = 0;
	who = getpwnam(user);
	if (!who)
		(void)fail(reason, user, errno != 0 ? strerror(errno) : "there is no such user");
	return who;
}

int privileges_check(const char *user, char reason[PRIVILEGES_REASON_LEN])
{
	const struct passwd *who = find(user, reason);

	if (!who)
		return -1;
	if (who->pw_uid == 0 || who->pw_gid == 0)
		return fail(reason, user, "is root, or of root's group");
	if (geteuid() != 0 && geteuid() != who->pw_uid)
		return fail(reason, user, "only root can become another user");
	return 0;
}

int privileges_find(const char *user, uid_t *uid, gid_t *gid, char reason[PRIVILEGES_REASON_LEN])
{
	const struct passwd *who = find(user, reason);

	if (!who)
		return -1;
	*uid = who->pw_uid;
	*gid = who->pw_gid;
	return 0;
}

/* Whatever was asked for, this is what counts. Who began as that user may have any group. */
static bool is_dropped(const struct passwd *who)
{
	uid_t uid, effective_uid, saved_uid;
	gid_t gid, effective_gid, saved_gid;

	if (getresuid(&uid, &effective_uid, &saved_uid) != 0 ||
	    getresgid(&gid, &effective_gid, &saved_gid) != 0)
		return false;
	return uid == who->pw_uid && effective_uid == uid && saved_uid == uid &&
	       effective_gid == gid && saved_gid == gid && gid != 0 && setuid(0) != 0 &&
	       seteuid(0) != 0 && setgid(0) != 0;
}

int privileges_drop(const char *user, char reason[PRIVILEGES_REASON_LEN])
{
	const struct passwd *who = find(user, reason);

	if (!who)
		return -1;
	/* Root's groups go first, while there is the right to change them. */
	if (geteuid() == 0 && (initgroups(user, who->pw_gid) != 0 ||
			       setresgid(who->pw_gid, who->pw_gid, who->pw_gid) != 0 ||
			       setresuid(who->pw_uid, who->pw_uid, who->pw_uid) != 0))
		return fail(reason, user, strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return fail(reason, user, strerror(errno));
	if (!is_dropped(who))
		return fail(reason, user, "root's privileges could not be given up");
	return 0;
}
