/* Runs a fuzz target over files: those of the directories and the files named as arguments, or
 * without arguments those of SEEDS (set by the build) in the source tree. Each file is read into
 * an allocation of its own size, so that a sanitizer sees a read past its end. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *name, size_t size)
{
	uint8_t *data = malloc(size > 0 ? size : 1);
	FILE *file = fopen(name, "rb");
	int rc = -1;

	if (data == NULL || file == NULL || fread(data, 1, size, file) != size) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		goto out;
	}
	LLVMFuzzerTestOneInput(data, size);
	rc = 0;
out:
	if (file != NULL)
		fclose(file);
	free(data);
	return rc;
}

/* The number of files run, or -1. */
static int replay(const char *name)
{
	struct stat st;
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	if (stat(name, &st) != 0) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(name, (size_t)st.st_size) == 0 ? 1 : -1;
	dir = opendir(name);
	while (dir != NULL && count >= 0 && (entry = readdir(dir)) != NULL) {
		char path[4096];
		int n;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", name, entry->d_name);
		n = replay(path);
		count = n < 0 ? -1 : count + n;
	}
	if (dir != NULL)
		closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	const char *top = getenv("ZOOLITE_SRCDIR");
	char seeds[4096];
	int count = 0;

	snprintf(seeds, sizeof(seeds), "%s/%s", top != NULL ? top : ".", SEEDS);
	if (argc < 2)
		count = replay(seeds);
	for (int i = 1; i < argc && count >= 0; i++) {
		int n = replay(argv[i]);

		count = n < 0 ? -1 : count + n;
	}
	printf("%d inputs\n", count);
	/* A directory that is empty or not there would pass as a test of nothing. */
	return count > 0 ? 0 : 1;
}
