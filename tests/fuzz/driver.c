// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target on saved inputs, without libFuzzer, so that every compiler can:
//
//	fuzz_NAME FILE|FOLDER...
//
// Each input is copied to memory of exactly its size. Prints how many there were; exit 1 when
// there were none or one cannot be read, and a target that finds something aborts.
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"

#define INPUT_MAX (16 * MIB)

static bool run_file(const char *path)
{
	struct err e = {0};
	struct buf b;
	uint8_t *copy;

	if (file_read_all(path, INPUT_MAX, &b, &e) != OK) {
		fprintf(stderr, "%s\n", e.text);
		buf_free(&b);
		return false;
	}
	printf("%s\n", path); // the last line names the input that failed
	fflush(stdout);
	copy = malloc(b.size > 0 ? b.size : 1);
	if (copy == NULL)
		abort();
	if (b.size > 0)
		memcpy(copy, b.data, b.size);
	LLVMFuzzerTestOneInput(copy, b.size);
	free(copy);
	buf_free(&b);
	return true;
}

// Files of a folder, or the file itself. SIZE_MAX on an error.
static size_t run_path(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *d;
	size_t count = 0;

	if (dir == NULL)
		return run_file(path) ? 1 : SIZE_MAX;
	while (count != SIZE_MAX && (d = readdir(dir)) != NULL) {
		char *name;

		if (d->d_name[0] == '.')
			continue;
		name = path_join(path, d->d_name);
		count = run_file(name) ? count + 1 : SIZE_MAX;
		free(name);
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++) {
		size_t n = run_path(argv[i]);

		if (n == SIZE_MAX)
			return 1;
		count += n;
	}
	printf("%zu inputs\n", count);
	return count == 0;
}
