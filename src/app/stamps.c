#include "app/stamps.h"

#include <assert.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"

/* Never 0, which stands for no file. */
static uint64_t stamp_of(const struct stat *st)
{
	const uint64_t looks[] = {
		(uint64_t)st->st_dev,         (uint64_t)st->st_ino,
		(uint64_t)st->st_size,        (uint64_t)st->st_mode,
		(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec,
	};

	return hash_bytes(looks, sizeof(looks)) | 1;
}

static uint64_t stamp_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? stamp_of(&st) : 1;
}

/* In whatever order they come. */
static uint64_t stamp_entries(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	char file[PATH_MAX];
	uint64_t sum = 0;

	while (directory && (entry = readdir(directory)) != NULL) {
		uint64_t of_entry[2] = { hash_bytes(entry->d_name, strlen(entry->d_name)), 0 };

		/* Not read either, by whoever reads all of a directory. */
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < (int)sizeof(file))
			of_entry[1] = stamp_file(file);
		sum += hash_bytes(of_entry, sizeof(of_entry));
	}
	if (directory)
		closedir(directory);
	return sum;
}

static uint64_t stamp(const char *path)
{
	struct stat st;

	if (!path)
		return 0;
	if (stat(path, &st) != 0)
		return 1;
	return S_ISDIR(st.st_mode) ? (stamp_of(&st) ^ stamp_entries(path)) | 1 : stamp_of(&st);
}

void stamps_take(struct stamps *s, const char *const *files, size_t count)
{
	assert(count <= STAMPS_MOST);
	for (size_t i = 0; i < count; i++)
		s->of[i] = stamp(files[i]);
}

size_t stamps_compare(const struct stamps *a, const struct stamps *b, size_t count)
{
	size_t i = 0;

	while (i < count && a->of[i] == b->of[i])
		i++;
	return i;
}
