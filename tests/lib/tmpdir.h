/* A directory of a test's own under TMPDIR. */
#ifndef TESTS_LIB_TMPDIR_H
#define TESTS_LIB_TMPDIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Its real path; free with tmpdir_remove. */
static inline char *tmpdir_make(void)
{
	const char *tmp = getenv("TMPDIR");
	char template[4096];
	char *path;

	(void)snprintf(template, sizeof(template), "%s/zoolite-test-XXXXXX",
		       tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
	path = mkdtemp(template) != NULL ? realpath(template, NULL) : NULL;
	if (path == NULL) {
		perror(template);
		abort();
	}
	return path;
}

/* Remove path and all below it. */
static inline void tmpdir_remove_tree(const char *path)
{
	struct dirent *entry;
	DIR *d = opendir(path);

	while (d != NULL && (entry = readdir(d)) != NULL) {
		char *sub;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&sub, "%s/%s", path, entry->d_name) < 0)
			abort();
		if (unlink(sub) != 0)
			tmpdir_remove_tree(sub);
		free(sub);
	}
	if (d != NULL)
		closedir(d);
	(void)rmdir(path);
}

static inline void tmpdir_remove(char *path)
{
	tmpdir_remove_tree(path);
	free(path);
}

#endif
