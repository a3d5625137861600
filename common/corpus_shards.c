// SPDX-License-Identifier: Apache-2.0
// The manifests of shards in one folder, taken together. Data files are not looked at.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/corpus.h"

struct shard_list {
	struct shard *shard;
	size_t count, capacity;
};

static enum status add_name(void *ctx, const char *name, struct err *e)
{
	struct shard_list *l = ctx;
	struct shard s;

	(void)e;
	if (!shard_of_name(name, MANIFEST_SUFFIX, &s) || s.count == 0)
		return OK;
	if (l->count == l->capacity) {
		l->capacity = 2 * l->capacity + 16;
		l->shard = mem_realloc(l->shard, l->capacity, sizeof(*l->shard));
	}
	l->shard[l->count++] = s;
	return OK;
}

static int compare_shards(const void *a, const void *b)
{
	const struct shard *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static enum status read_one(const char *dir, struct shard shard, struct manifest *m,
			    struct corpus_part *part, struct err *e)
{
	struct buf text;
	enum status s;
	char *path;

	shard_name(shard, MANIFEST_SUFFIX, part->name);
	path = path_join(dir, part->name);
	s = file_read_all(path, MANIFEST_MAX_BYTES, &text, e);
	if (s == OK) {
		s = manifest_parse((const char *)text.data, text.size, m, e);
		if (s == OK &&
		    (m->shard.index != shard.index || m->shard.count != shard.count)) {
			s = err_set(e, ERR_DAMAGED, "manifest: is not that of shard %u of %u",
				    shard.index, shard.count);
			manifest_free(m);
		}
		if (s != OK && e != NULL)
			err_prefix(e, "%s", path);
	}
	if (s == OK) {
		part->first_block = m->file[0].first_block;
		part->end_block = part->first_block + m->blocks;
		part->digest = m->digest;
	}
	buf_free(&text);
	free(path);
	return s;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

// What two shards of one corpus have in common; NULL, or what differs.
static const char *difference(const struct manifest *a, const struct manifest *b)
{
	if (!recipe_equal(&a->recipe, &b->recipe))
		return "recipe";
	if (!same_text(a->about.title, b->about.title))
		return "title";
	if (!same_text(a->about.description, b->about.description))
		return "description";
	if (!same_text(a->about.licence, b->about.licence))
		return "licence";
	return a->epoch_ms != b->epoch_ms ? "epoch" : NULL;
}

// Files and totals of m are added to *all; m is empty then.
static void take_files(struct manifest *all, struct manifest *m)
{
	all->file = mem_realloc(all->file, all->file_count + m->file_count, sizeof(*all->file));
	memcpy(all->file + all->file_count, m->file, m->file_count * sizeof(*m->file));
	all->file_count += m->file_count;
	all->rows += m->rows;
	all->traces += m->traces;
	all->blocks += m->blocks;
	m->file_count = 0;
	manifest_free(m);
}

static enum status add_shard(const char *dir, struct shard shard, struct manifest *all,
			     struct corpus_part *part, size_t count, struct err *e)
{
	struct manifest m = {0};
	const char *what;
	enum status s = read_one(dir, shard, &m, &part[count], e);

	if (s != OK)
		return s;
	if (count == 0) {
		*all = m;
		return OK;
	}
	what = difference(all, &m);
	if (what != NULL)
		s = err_set(e, ERR_FORMAT,
			    "%s: %s and %s are not of one corpus: another %s; move one of them "
			    "and its data files away",
			    dir, part[0].name, part[count].name, what);
	else if (part[count].first_block < part[count - 1].end_block)
		s = err_set(e, ERR_FORMAT, "%s: %s and %s overlap", dir, part[count - 1].name,
			    part[count].name);
	if (s == OK)
		take_files(all, &m);
	manifest_free(&m);
	return s;
}

enum status corpus_shards_read(const char *dir, struct manifest *m, struct corpus_part **part,
			       size_t *count, struct err *e)
{
	struct shard_list l = {0};
	enum status s = file_list_dir(dir, add_name, &l, e);

	*m = (struct manifest){0};
	*part = NULL;
	*count = 0;
	if (l.count > 0) {
		qsort(l.shard, l.count, sizeof(*l.shard), compare_shards);
		*part = mem_zalloc(l.count, sizeof(**part));
	}
	if (s == OK && l.count > 0 && l.shard[0].count != l.shard[l.count - 1].count) {
		char first[SHARD_NAME_SIZE], last[SHARD_NAME_SIZE];

		shard_name(l.shard[0], MANIFEST_SUFFIX, first);
		shard_name(l.shard[l.count - 1], MANIFEST_SUFFIX, last);
		s = err_set(e, ERR_FORMAT,
			    "%s: %s and %s are of different numbers of shards; move one kind "
			    "and its data files away",
			    dir, first, last);
	}
	for (; s == OK && *count < l.count; *count += s == OK)
		s = add_shard(dir, l.shard[*count], m, *part, *count, e);
	if (s == OK && *count > 1)
		m->digest = (struct digest){{0}};
	if (s != OK) {
		manifest_free(m);
		free(*part);
		*part = NULL;
	}
	free(l.shard);
	return s;
}
