#include "base/private_file.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_BITS = 07777 };

static const char *fault_of(const struct stat *st)
{
	mode_t group_may = st->st_uid == 0 ? S_IRGRP : 0;

	if ((st->st_mode & S_IRWXO) != 0)
		return "others than its owner may use it";
	if ((st->st_mode & S_IRWXG & ~group_may) != 0)
		return st->st_uid == 0 ? "its group may do more than read it"
				       : "its group may use it, and it is not root's";
	if (geteuid() != 0 && st->st_uid != geteuid() && st->st_uid != 0)
		return "it belongs to another user";
	return NULL;
}

int private_file_check(const char *path, char reason[PRIVATE_FILE_REASON_LEN])
{
	const char *fault;
	struct stat st;

	if (stat(path, &st) != 0)
		return 0;
	fault = fault_of(&st);
	if (!fault)
		return 0;
	snprintf(reason, PRIVATE_FILE_REASON_LEN, "holds a secret, but %s (mode %04o)", fault,
		 (unsigned)(st.st_mode & MODE_BITS));
	return -1;
}
