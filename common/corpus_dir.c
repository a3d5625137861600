// SPDX-License-Identifier: Apache-2.0
// Who may write into a folder, and from where. Data files themselves are corpus_write's.
#include "common/corpus_dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/corpus_private.h"

#define DATA_DIGITS 7

// ---- Names ---------------------------------------------------------------------------------

void data_name(uint64_t block, char out[DATA_NAME_SIZE])
{
	snprintf(out, DATA_NAME_SIZE, "data-%0*" PRIu64 ".zst", DATA_DIGITS, block);
}

// The other way; false when `name` is no name of a data file.
static bool block_of_name(const char *name, uint64_t *block)
{
	char again[DATA_NAME_SIZE];

	if (strncmp(name, "data-", 5) != 0)
		return false;
	*block = strtoull(name + 5, NULL, 10);
	data_name(*block, again);
	return strcmp(again, name) == 0;
}

// Path of a file of the shard; caller frees.
static char *shard_path(const struct corpus_dir *d, const char *suffix)
{
	char name[SHARD_NAME_SIZE];

	shard_name(d->shard, suffix, name);
	return path_join(d->path, name);
}

// ---- What is there -------------------------------------------------------------------------

struct listing {
	struct corpus_dir *d;
	size_t data_capacity, part_capacity;
	bool manifest, checkpoint;	 // of the shard
	char other[2 * SHARD_NAME_SIZE]; // a file of another number of shards, "" for none
	char foreign[64];		 // a file that is none of ours, "" for none
};

static void add_block(uint64_t **list, size_t *count, size_t *capacity, uint64_t block)
{
	if (*count == *capacity) {
		*capacity = 2 * *capacity + 16;
		*list = mem_realloc(*list, *capacity, sizeof(**list));
	}
	(*list)[(*count)++] = block;
}

// Files of shards: manifest, checkpoint, lock. False: none of these.
static bool list_shard_file(struct listing *l, const char *name)
{
	static const char *const suffix[] = {MANIFEST_SUFFIX, CHECKPOINT_SUFFIX, LOCK_SUFFIX};
	const struct shard *own = &l->d->shard;
	struct shard s;
	size_t i = 0;

	while (i < ARRAY_LEN(suffix) && !shard_of_name(name, suffix[i], &s))
		i++;
	if (i == ARRAY_LEN(suffix))
		return false;
	if (s.count != own->count)
		snprintf(l->other, sizeof(l->other), "%s", name);
	else if (s.index == own->index && i == 0)
		l->manifest = true;
	else if (s.index == own->index && i == 1)
		l->checkpoint = true;
	else if (s.index != own->index && i < 2)
		snprintf(l->d->sibling, sizeof(l->d->sibling), "%s", name);
	return true;
}

static enum status list_name(void *ctx, const char *name, struct err *e)
{
	struct listing *l = ctx;
	struct corpus_dir *d = l->d;
	size_t size = strlen(name), tail = sizeof(PART_SUFFIX) - 1;
	bool part = size > tail && strcmp(name + size - tail, PART_SUFFIX) == 0;
	char *whole = mem_strdup(name);
	struct shard s;
	uint64_t block;

	(void)e;
	if (part)
		whole[size - tail] = '\0';
	if (block_of_name(whole, &block) && part)
		add_block(&d->part, &d->part_count, &l->part_capacity, block);
	else if (block_of_name(whole, &block))
		add_block(&d->data, &d->data_count, &l->data_capacity, block);
	else if (part ? !shard_of_name(whole, MANIFEST_SUFFIX, &s) &&
				 !shard_of_name(whole, CHECKPOINT_SUFFIX, &s)
		      : !list_shard_file(l, name))
		snprintf(l->foreign, sizeof(l->foreign), "%.60s", name);
	free(whole);
	return OK;
}

static int compare_blocks(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static enum status list_files(struct corpus_dir *d, struct listing *l, struct err *e)
{
	enum status s;

	*l = (struct listing){.d = d};
	free(d->data);
	free(d->part);
	d->data = d->part = NULL;
	d->data_count = d->part_count = 0;
	s = file_list_dir(d->path, list_name, l, e);
	if (d->data_count > 0)
		qsort(d->data, d->data_count, sizeof(*d->data), compare_blocks);
	return s;
}

static enum status not_empty(const struct corpus_dir *d, const char *why, struct err *e)
{
	return err_set(e, ERR_EXISTS,
		       "%s: exists already and is not empty%s; choose another folder or remove "
		       "it",
		       d->path, why);
}

// Nothing of ours was begun: may it be?
static enum status check_fresh(const struct corpus_dir *d, const struct listing *l,
			       struct err *e)
{
	char why[160];

	if (l->other[0] != '\0' && d->shard.count > 0)
		return err_set(e, ERR_EXISTS,
			       "%s: has %s, which is not of %u shards: one folder, one corpus, "
			       "one number of shards",
			       d->path, l->other, d->shard.count);
	if (l->other[0] != '\0')
		return err_set(e, ERR_EXISTS,
			       "%s: has %s: shards are written here; when all are, spancorpus "
			       "merge makes them one corpus",
			       d->path, l->other);
	if (l->foreign[0] != '\0') {
		snprintf(why, sizeof(why), " (%s)", l->foreign);
		return not_empty(d, why, e);
	}
	// Data files of other shards are told apart from ours when the recipe is known.
	if (d->shard.count == 0 && d->data_count + d->part_count > 0)
		return not_empty(d, " (data files without a manifest)", e);
	return OK;
}

static enum status read_checkpoint(const char *path, struct checkpoint *c, struct err *e)
{
	struct buf bytes;
	enum status s = file_read_all(path, CHECKPOINT_MAX_BYTES, &bytes, e);

	if (s == OK) {
		s = checkpoint_decode(bytes.data, bytes.size, c, e);
		if (s != OK && e != NULL)
			err_prefix(e,
				   "%s: cannot go on from it (remove the folder and start "
				   "again)",
				   path);
	}
	buf_free(&bytes);
	return s;
}

// What the shard has under that suffix.
static enum status read_state(struct corpus_dir *d, const char *suffix, struct err *e)
{
	char *path = shard_path(d, suffix);
	enum status s = d->state == CORPUS_DIR_COMPLETE
				? corpus_read_manifest(path, &d->manifest, e)
				: read_checkpoint(path, &d->checkpoint, e);

	free(path);
	return s;
}

enum status corpus_dir_check_recipe(const struct corpus_dir *d, const struct recipe *r,
				    struct err *e)
{
	struct manifest m = {0};
	struct checkpoint c = {0};
	struct shard shard;
	bool finished = shard_of_name(d->sibling, MANIFEST_SUFFIX, &shard), same = true;
	char *path = path_join(d->path, d->sibling);

	// One that another process just removed, or that is damaged, is not for us to judge.
	if (finished)
		same = corpus_read_manifest(path, &m, NULL) != OK || recipe_equal(&m.recipe, r);
	else if (d->sibling[0] != '\0')
		same = read_checkpoint(path, &c, NULL) != OK || recipe_equal(&c.recipe, r);
	free(path);
	manifest_free(&m);
	checkpoint_free(&c);
	if (same)
		return OK;
	return err_set(e, ERR_EXISTS,
		       "%s: %s is of another recipe: the shards of a folder have the same "
		       "options; choose another folder",
		       d->path, d->sibling);
}

// Reads how things stand; with a complete corpus nothing else matters.
static enum status look(struct corpus_dir *d, bool resume, struct err *e)
{
	struct listing l;
	enum status s = list_files(d, &l, e);

	if (s != OK)
		return s;
	d->state = l.manifest	  ? CORPUS_DIR_COMPLETE
		   : l.checkpoint ? CORPUS_DIR_UNFINISHED
				  : CORPUS_DIR_FRESH;
	if (d->state == CORPUS_DIR_FRESH)
		return check_fresh(d, &l, e);
	if (d->state == CORPUS_DIR_COMPLETE)
		return resume ? read_state(d, MANIFEST_SUFFIX, e)
			      : not_empty(d,
					  d->shard.count > 0 ? ": this shard is complete"
							     : ": a complete corpus",
					  e);
	if (!resume)
		return err_set(e, ERR_EXISTS,
			       "%s: holds an unfinished corpus%s; go on with --resume, or "
			       "remove it",
			       d->path, d->shard.count > 0 ? " (of this shard)" : "");
	return read_state(d, CHECKPOINT_SUFFIX, e);
}

static enum status take_lock(struct corpus_dir *d, struct err *e)
{
	char *path = shard_path(d, LOCK_SUFFIX);
	enum status s = file_lock_take(&d->lock, path, e);

	free(path);
	return s;
}

enum status corpus_dir_open(struct corpus_dir *d, const char *path, struct shard shard,
			    bool resume, struct err *e)
{
	struct listing l;
	enum status s = OK;

	*d = (struct corpus_dir){.path = mem_strdup(path), .shard = shard};
	d->made = !file_exists(path);
	s = file_make_dir(path, e);
	if (s == OK)
		s = list_files(d, &l, e);
	// A complete corpus needs no lock, so it may lie where nobody can write.
	if (s == OK && !l.manifest)
		s = take_lock(d, e);
	if (s == OK)
		s = look(d, resume, e);
	if (s != OK)
		corpus_dir_close(d);
	return s;
}

enum status corpus_dir_begin(struct corpus_dir *d, const struct checkpoint *c, struct err *e)
{
	char *path = shard_path(d, CHECKPOINT_SUFFIX);
	struct buf bytes;
	enum status s;

	buf_init(&bytes, CHECKPOINT_MAX_BYTES);
	s = checkpoint_encode(c, &bytes, e);
	if (s == OK)
		s = checkpoint_decode(bytes.data, bytes.size, &d->checkpoint, e);
	if (s == OK)
		s = file_write_all(path, bytes.data, bytes.size, false, e);
	if (s == OK)
		d->state = CORPUS_DIR_UNFINISHED;
	buf_free(&bytes);
	free(path);
	return s;
}

static uint64_t bytes_of(const struct corpus_dir *d, uint64_t block, bool part)
{
	char name[DATA_NAME_SIZE], *path, *use;
	struct file_in in;
	struct err ignored;
	uint64_t size = 0;

	data_name(block, name);
	path = path_join(d->path, name);
	use = part ? path_part(path) : mem_strdup(path);
	if (file_in_open(&in, use, &ignored) == OK)
		size = in.size;
	file_in_close(&in);
	free(use);
	free(path);
	return size;
}

uint64_t corpus_dir_bytes(const struct corpus_dir *d, uint64_t first, uint64_t end)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < d->data_count; i++)
		sum += d->data[i] >= first && d->data[i] < end ? bytes_of(d, d->data[i], false)
							       : 0;
	for (size_t i = 0; i < d->part_count; i++)
		sum += d->part[i] >= first && d->part[i] < end ? bytes_of(d, d->part[i], true)
							       : 0;
	return sum;
}

static void remove_part(const struct corpus_dir *d, const char *name)
{
	char *path = path_join(d->path, name), *part = path_part(path);

	file_remove(part);
	free(part);
	free(path);
}

void corpus_dir_tidy(struct corpus_dir *d, uint64_t first, uint64_t end)
{
	char name[SHARD_NAME_SIZE], data[DATA_NAME_SIZE], *path;
	struct err ignored;

	for (size_t i = 0; i < d->part_count; i++) {
		data_name(d->part[i], data);
		if (d->part[i] >= first && d->part[i] < end)
			remove_part(d, data);
	}
	shard_name(d->shard, MANIFEST_SUFFIX, name);
	remove_part(d, name);
	shard_name(d->shard, CHECKPOINT_SUFFIX, name);
	remove_part(d, name);
	path = path_join(d->path, name);
	file_remove(path);
	free(path);
	// A lock that its holder did not live to remove.
	shard_name(d->shard, LOCK_SUFFIX, name);
	path = path_join(d->path, name);
	if (d->lock.path == NULL && file_exists(path) &&
	    file_lock_take(&d->lock, path, &ignored) == OK)
		file_lock_release(&d->lock);
	free(path);
}

void corpus_dir_close(struct corpus_dir *d)
{
	file_lock_release(&d->lock);
	if (d->made && d->path != NULL)
		file_remove_empty_dir(d->path);
	checkpoint_free(&d->checkpoint);
	manifest_free(&d->manifest);
	free(d->data);
	free(d->part);
	free(d->path);
	*d = (struct corpus_dir){0};
}
