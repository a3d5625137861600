// SPDX-License-Identifier: Apache-2.0
// spangen: writes a corpus. Options, checks before the work, and what is printed; the work is
// generate's.
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "common/clock.h"
#include "common/pb.h"
#include "common/pool.h"
#include "gen/generate.h"
#include "gen/recipe_options.h"
#include "gen/spangen_json.h"

#define PROGRAM "spangen"
#define LICENCE_DEFAULT "Apache-2.0"

// ---- Options -------------------------------------------------------------------------------

struct settings {
	struct recipe_options recipe;
	const char *out, *title, *description, *licence;
	const char *shard;
	uint64_t threads, level, rate_per_s, file_max_bytes;
	bool quiet, json, ignore_space, resume;
	bool licence_given, level_given, file_max_given;
};

#define OPTIONS_MAX (RECIPE_OPTIONS_MAX + 20)

static struct opt number(const char *name, uint64_t *value, uint64_t min, uint64_t max,
			 const char *help)
{
	return (struct opt){.name = name,
			    .type = OPT_U64,
			    .value = value,
			    .min = min,
			    .max = max,
			    .meta = "N",
			    .help = help};
}

static struct opt text(const char *name, const char **value, const char *meta, const char *help)
{
	return (struct opt){
		.name = name, .type = OPT_STRING, .value = value, .meta = meta, .help = help};
}

static struct opt *work_options(struct settings *s, struct opt *o)
{
	*o++ = number("threads", &s->threads, 1, 1024,
		      "Worker threads; content does not depend on them (online processors).");
	*o = number("level", &s->level, 1, 19, "zstd level (1).");
	(o++)->given = &s->level_given;
	return o;
}

static struct opt json_option(struct settings *s)
{
	return (struct opt){.name = "json",
			    .type = OPT_FLAG,
			    .value = &s->json,
			    .help = "Print one JSON object."};
}

static void plan_options(struct settings *s, struct opt *o)
{
	o = work_options(s, recipe_options_table(&s->recipe, o));
	*o++ = json_option(s);
	*o++ = text("shard", &s->shard, "I/N",
		    "What shard I (from 0) of N takes, besides all of it.");
	*o++ = number("rate", &s->rate_per_s, 1, 100000000,
		      "Spans per second to write at on the server (trace 14000, stream 4500: "
		      "what one reached on 2 cores).");
	*o = (struct opt){0};
}

static void generate_options(struct settings *s, struct opt *o)
{
	o = work_options(s, recipe_options_table(&s->recipe, o));
	*o++ = text("out", &s->out, "DIR",
		    "Folder to write, created if missing; must be empty, but for --resume "
		    "and other shards.");
	*o++ = (struct opt){.name = "resume",
			    .type = OPT_FLAG,
			    .value = &s->resume,
			    .help = "Go on with the unfinished corpus in DIR: same content; "
				    "options may be left out. A missing or empty DIR is begun "
				    "(--scale, --spans, --traces or --recipe needed); a "
				    "complete corpus is a success."};
	*o++ = text("shard", &s->shard, "I/N",
		    "Only shard I (from 0) of N. All may be written into one DIR at the same "
		    "time; then: spancorpus merge DIR.");
	*o = number("file-bytes", &s->file_max_bytes, 1, DATA_PAYLOAD_MAX,
		    "Uncompressed bytes of a data file, of more than one block, at most "
		    "(536870912).");
	(o++)->given = &s->file_max_given;
	*o++ = text("title", &s->title, "TEXT", "Title in the manifest (made of the numbers).");
	*o++ = text("description", &s->description, "TEXT", "Description in the manifest.");
	*o = text("licence", &s->licence, "TEXT", "Licence of the data (" LICENCE_DEFAULT ").");
	(o++)->given = &s->licence_given;
	*o++ = (struct opt){.name = "quiet",
			    .type = OPT_FLAG,
			    .value = &s->quiet,
			    .help = "No progress on stderr."};
	*o++ = json_option(s);
	*o++ = (struct opt){.name = "ignore-space",
			    .type = OPT_FLAG,
			    .value = &s->ignore_space,
			    .help = "Begin even when the corpus will not fit on the disk."};
	*o = (struct opt){0};
}

static void settings_init(struct settings *s)
{
	*s = (struct settings){.licence = LICENCE_DEFAULT,
			       .threads = pool_default_threads(),
			       .level = ZSTD_LEVEL_DEFAULT,
			       .file_max_bytes = DATA_PAYLOAD_MAX};
	recipe_options_init(&s->recipe);
}

// ---- Printing ------------------------------------------------------------------------------

static enum status stdout_finish(struct err *e)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return err_set_errno(e, ERR_IO, errno, "standard output");
	return OK;
}

// "1.5 GB": powers of 1000, one decimal.
static const char *bytes_text(uint64_t bytes, char out[32])
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	uint64_t tenths = bytes > UINT64_MAX / 10 ? UINT64_MAX : bytes * 10;
	size_t u = 0;

	for (; tenths >= 10000 && u + 1 < ARRAY_LEN(unit); u++)
		tenths /= 1000;
	snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, unit[u]);
	return out;
}

// "2.5 h": the largest unit that leaves a number of at least 1.
static const char *time_text(uint64_t ms, char out[32])
{
	static const struct {
		uint64_t ms;
		const char *name;
	} unit[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};
	size_t u = 0;

	while (u + 1 < ARRAY_LEN(unit) && ms < unit[u].ms)
		u++;
	snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " %s", ms / unit[u].ms,
		 ms % unit[u].ms * 10 / unit[u].ms, unit[u].name);
	return out;
}

static void print_verbs(void)
{
	fputs("Writes a corpus of SkyWalking segments: the same recipe, the same bytes, "
	      "anywhere.\n"
	      "\n"
	      "  spangen plan --scale medium\n"
	      "  spangen generate --scale small --seed 1 --out corpus\n"
	      "\n"
	      "Verbs (spangen VERB --help lists the options of one):\n"
	      "  plan                   dry run: rows, sizes, memory, time, here and on a "
	      "server\n"
	      "  generate --out DIR     writes the corpus\n"
	      "\n"
	      "Exit status: 0 good, 1 failed, 2 usage.\n",
	      stdout);
}

static void print_version(void)
{
	printf("spangen %s, format %u, content %u, zstd %s\n", SPANGEN_VERSION, FORMAT_VERSION,
	       CONTENT_VERSION, ZSTD_versionString());
}

// ---- Shards -------------------------------------------------------------------------------

// A range of blocks has no quotas of its own, so more shards than blocks have nothing to do.
static enum status check_shard(const struct recipe *r, struct shard shard, struct err *e)
{
	if (shard.count <= recipe_blocks(r))
		return OK;
	return err_set(e, ERR_USAGE,
		       "--shard %u/%u: the corpus has %" PRIu64
		       " blocks, so there are at most as many shards (or give a smaller "
		       "--block-traces)",
		       shard.index, shard.count, recipe_blocks(r));
}

// ---- plan ----------------------------------------------------------------------------------

// Bytes of rows per byte that a server stores, indexes included, in tenths: measured on real
// ones, see docs/server-bytes.md; and the rates one reached on 2 cores.
static const struct {
	const char *name;
	uint64_t ratio_x10, rate_per_s;
} models[] = {{"stream", 42, 4500}, {"trace", 34, 14000}};

static void print_recipe(const struct recipe *r, const struct generator *g)
{
	char text[32];
	uint32_t row = generator_mean_row_bytes_x100(g);

	printf("rows        %" PRIu64 " in %" PRIu64 " traces, %" PRIu64 ".%02" PRIu64
	       " per trace\n",
	       r->spans, r->traces, r->spans / r->traces,
	       r->spans % r->traces * 100 / r->traces);
	printf("blocks      %" PRIu64 " of %u traces\n", recipe_blocks(r), r->block_traces);
	printf("services    %" PRIu64 ", %" PRIu64 " instances, %" PRIu64 " operations\n",
	       r->services, r->instances, r->operations);
	printf("window      %s\n", time_text(r->window_ms, text));
	printf("row         %u.%02u bytes on average, %s in all\n", row / 100, row % 100,
	       bytes_text(u64_mul_div(r->spans, row, 100), text));
}

static void print_estimate(const struct settings *s, const struct generate_estimate *est,
			   const struct shard_estimate *part)
{
	uint64_t per_row_x10 = u64_mul_div(part->stored_bytes, 10, part->rows);
	const char *indent = part->shard.count > 0 ? "  " : "";
	int width = 12 - (int)strlen(indent); // of the labels' column
	char text[32];

	if (part->shard.count > 0)
		printf("shard       %u of %u, from block %" PRIu64 ": %" PRIu64
		       " rows in %" PRIu64 " traces, %" PRIu64 " blocks\n",
		       part->shard.index, part->shard.count, part->first_block, part->rows,
		       part->traces, part->blocks);
	printf("%s%-*sabout %s in %" PRIu64 " data files, %" PRIu64 ".%" PRIu64
	       " bytes per row\n",
	       indent, width, "disk", bytes_text(part->stored_bytes, text), part->data_files,
	       per_row_x10 / 10, per_row_x10 % 10);
	printf("%s%-*sabout %s\n", indent, width, "memory",
	       bytes_text(est->memory_bytes, text));
	printf("%s%-*sabout %s with %" PRIu64 " threads, if the disk keeps up\n", indent, width,
	       "time", time_text(part->time_ms, text), s->threads);
}

static void foresee_replay(const struct settings *s, const struct recipe *r,
			   const struct generator *g, struct replay_estimate out[])
{
	uint64_t bytes = u64_mul_div(r->spans, generator_mean_row_bytes_x100(g), 100);

	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		uint64_t rate = s->rate_per_s != 0 ? s->rate_per_s : models[i].rate_per_s;

		out[i] = (struct replay_estimate){
			.model = models[i].name,
			.server_bytes = u64_mul_div(bytes, 10, models[i].ratio_x10),
			.rate_per_s = rate,
			.time_ms = u64_mul_div(r->spans, 1000, rate),
		};
	}
}

static void print_replay(const struct replay_estimate replay[])
{
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		char disk[32], time[32];

		printf("%-11s about %s on the server's disk, %s at %" PRIu64 " spans/s\n",
		       replay[i].model, bytes_text(replay[i].server_bytes, disk),
		       time_text(replay[i].time_ms, time), replay[i].rate_per_s);
	}
}

static void print_plan(const struct settings *s, const struct generator *g,
		       const struct generate_estimate *est, const struct shard_estimate *part,
		       const struct replay_estimate replay[])
{
	struct shard_estimate all = generate_estimate_shard(g, est, (struct shard){0, 0});

	print_recipe(plan_recipe(generator_plan(g)), g);
	print_estimate(s, est, &all);
	print_replay(replay);
	if (part->shard.count > 0)
		print_estimate(s, est, part);
}

static enum status run_plan(const struct settings *s, struct err *e)
{
	struct generator *g = NULL;
	struct replay_estimate replay[ARRAY_LEN(models)];
	struct generate_estimate est;
	struct shard_estimate part;
	struct shard shard = {0, 0};
	struct recipe r;
	enum status st = OK;

	if (s->shard != NULL)
		st = shard_parse(s->shard, "--shard", &shard, e);
	if (st == OK)
		st = recipe_options_make(&s->recipe, &r, e);
	if (st == OK)
		st = check_shard(&r, shard, e);
	if (st == OK)
		st = generator_new(&g, &r, (unsigned)s->threads, e);
	if (st == OK)
		st = generate_estimate(g, (unsigned)s->threads, (int)s->level, &est, e);
	if (st == OK) {
		foresee_replay(s, &r, g, replay);
		part = generate_estimate_shard(g, &est, shard);
		if (s->json)
			json_print_plan(g, &est, shard.count > 0 ? &part : NULL,
					(unsigned)s->threads, replay, ARRAY_LEN(replay));
		else
			print_plan(s, g, &est, &part, replay);
		st = stdout_finish(e);
	}
	generator_free(g);
	return st;
}

// ---- generate ------------------------------------------------------------------------------

// Set by the signal handler, read by the pool (relaxed: it carries no data).
static volatile int stop_asked;

static void ask_stop(int signal_number)
{
	(void)signal_number;
	stop_asked = 1;
}

// A second signal ends the program at once.
static void catch_signals(void)
{
	struct sigaction a = {.sa_handler = ask_stop, .sa_flags = (int)SA_RESETHAND};

	sigemptyset(&a.sa_mask);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
}

// More than any corpus of the recipe takes: a row's columns are smaller than its text, and the
// first frame of a data file is at most half of it.
static uint64_t size_bound(const struct generator *g)
{
	const struct recipe *r = plan_recipe(generator_plan(g));
	uint64_t rows = u64_mul_div(r->spans, generator_mean_row_bytes_x100(g), 100);

	return 2 * (rows + DATA_PAYLOAD_MAX);
}

// Refuses what would fill the disk after hours.
static enum status check_disk(const struct settings *s, const struct generator *g,
			      const struct corpus_dir *dir, struct err *e)
{
	struct generate_estimate est = {0};
	struct shard_estimate part;
	char need[32], have[32];
	uint64_t free_bytes, bytes;
	enum status st = file_free_bytes(s->out, &free_bytes, e);

	if (st != OK)
		return err_prefix(e, "%s", s->out);
	if (free_bytes >= size_bound(g))
		return OK;
	st = generate_estimate(g, (unsigned)s->threads, (int)s->level, &est, e);
	if (st != OK)
		return st;
	part = generate_estimate_shard(g, &est, dir->shard);
	bytes = part.stored_bytes;
	bytes -= u64_min(
		corpus_dir_bytes(dir, part.first_block, part.first_block + part.blocks), bytes);
	if (bytes > free_bytes)
		st = err_set(e, ERR_IO,
			     "%s: No space left for the corpus: about %s needed, %s free; "
			     "choose another disk, lower --spans, or begin anyway with "
			     "--ignore-space",
			     s->out, bytes_text(bytes, need), bytes_text(free_bytes, have));
	return st;
}

static void print_corpus(const struct manifest *m)
{
	uint64_t stored = 0, x100;
	char digest[DIGEST_TEXT_SIZE];

	for (size_t i = 0; i < m->file_count; i++)
		stored += m->file[i].size;
	x100 = u64_mul_div(stored, 100, m->rows);
	digest_text(m->digest, digest);
	printf("digest      %s\n", digest);
	if (m->shard.count > 0)
		printf("shard       %u of %u, from block %" PRIu64
		       " (the digest is of its blocks)\n",
		       m->shard.index, m->shard.count, m->file[0].first_block);
	printf("rows        %" PRIu64 " in %" PRIu64 " traces, %" PRIu64 " blocks\n", m->rows,
	       m->traces, m->blocks);
	if (m->recipe.duplicates_mpct != 0)
		printf("duplicates  %" PRIu64 " rows come a second time\n",
		       u64_mul_div(m->recipe.spans, m->recipe.duplicates_mpct, 100000));
	printf("bytes       %" PRIu64 " in %zu data files, %" PRIu64 ".%02" PRIu64 " per row\n",
	       stored, m->file_count, x100 / 100, x100 % 100);
}

static void print_manifest(const struct manifest *m, uint64_t rows_kept, int64_t took_ns)
{
	uint64_t ms = u64_max((uint64_t)(took_ns / NS_PER_MS), 1);
	char text[32];

	print_corpus(m);
	if (rows_kept > 0)
		printf("resumed     %" PRIu64 " rows were there already\n", rows_kept);
	printf("time        %s, %" PRIu64 " rows/s\n", time_text(ms, text),
	       u64_mul_div(m->rows - rows_kept, 1000, ms));
}

// Nothing to do, if every file is there as the manifest says.
static enum status report_complete(const struct settings *s, struct corpus_dir *d,
				   struct err *e)
{
	const struct manifest *m = &d->manifest;

	for (size_t i = 0; i < m->file_count; i++) {
		char *path = path_join(d->path, m->file[i].name);
		struct file_in in = {.fd = -1};
		enum status st = file_in_open(&in, path, e);

		if (st == OK && in.size != m->file[i].size)
			st = err_set(e, ERR_DAMAGED, "%s: has not the size of the manifest",
				     path);
		file_in_close(&in);
		free(path);
		if (st != OK)
			return err_prefix(e, "complete, but damaged (see spancorpus verify)");
	}
	corpus_dir_tidy(d, m->file[0].first_block, m->file[0].first_block + m->blocks);
	if (s->json) {
		json_print_result(m, m->rows, 0);
	} else {
		print_corpus(m);
		printf("complete    nothing to do\n");
	}
	return stdout_finish(e);
}

static enum status write_corpus(const struct settings *s, struct generator *g,
				struct corpus_dir *dir, struct err *e)
{
	const struct recipe *r = plan_recipe(generator_plan(g));
	struct manifest m = {0};
	struct log log;
	char title[96];
	uint64_t rows_kept = 0;
	struct generate_options o = {
		.rows_kept = &rows_kept,
		.dir = dir,
		.file_max_bytes = s->file_max_bytes,
		.threads = (unsigned)s->threads,
		.zstd_level = (int)s->level,
		.title = s->title != NULL ? s->title : title,
		.description = s->description,
		.licence = s->licence,
		.stop = &stop_asked,
	};
	int64_t begin_ns = clock_monotonic_ns();
	enum status st;

	snprintf(title, sizeof(title),
		 "%" PRIu64 " spans of %" PRIu64 " services, seed %" PRIu64, r->spans,
		 r->services, r->seed);
	log_init(&log, PROGRAM, s->quiet);
	st = generate_corpus(g, &o, &log, &m, e);
	if (st == OK) {
		if (s->json)
			json_print_result(&m, rows_kept, clock_monotonic_ns() - begin_ns);
		else
			print_manifest(&m, rows_kept, clock_monotonic_ns() - begin_ns);
		st = stdout_finish(e);
	}
	manifest_free(&m);
	return st;
}

// Texts of the manifest, which is UTF-8.
static enum status check_texts(const struct settings *s, struct err *e)
{
	const struct {
		const char *option, *text;
	} texts[] = {
		{"title", s->title}, {"description", s->description}, {"licence", s->licence}};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *t = texts[i].text;

		if (t != NULL && !utf8_valid(t, strlen(t)))
			return err_set(e, ERR_USAGE, "--%s is not valid UTF-8",
				       texts[i].option);
	}
	return OK;
}

// With --resume, a folder that is not there may be a mistyped one.
static enum status check_begin(const struct settings *s, struct err *e)
{
	if (!s->resume || recipe_options_has_size(&s->recipe))
		return OK;
	return err_set(e, ERR_USAGE,
		       "%s: nothing to resume there%s; to begin a corpus, say which: --scale, "
		       "--spans, --traces or --recipe",
		       s->out, s->shard != NULL ? " (of this shard)" : "");
}

static bool text_differs(const char *given, const char *stored)
{
	return given != NULL && strcmp(given, stored != NULL ? stored : "") != 0;
}

// What is there and what the options ask for.
static enum status check_resume(const struct settings *s, const struct corpus_dir *d,
				struct err *e)
{
	bool complete = d->state == CORPUS_DIR_COMPLETE;
	const struct recipe *there = complete ? &d->manifest.recipe : &d->checkpoint.recipe;
	const struct about *about = complete ? &d->manifest.about : &d->checkpoint.about;
	struct recipe asked;
	enum status st = recipe_check(there, e);

	if (st != OK)
		return err_prefix(e, "%s", d->path);
	st = recipe_options_agree(&s->recipe, there, d->path, e);
	if (st == OK && s->recipe.file != NULL)
		st = recipe_options_make(&s->recipe, &asked, e);
	if (st == OK && s->recipe.file != NULL && !recipe_equal(&asked, there))
		st = err_set(e, ERR_USAGE, "--recipe %s is not the recipe that %s has",
			     s->recipe.file, d->path);
	if (st == OK && (text_differs(s->title, about->title) ||
			 text_differs(s->description, about->description) ||
			 (s->licence_given && text_differs(s->licence, about->licence))))
		st = err_set(e, ERR_USAGE,
			     "%s: has another title, description or licence; leave these "
			     "options out",
			     d->path);
	return st;
}

static enum status make_corpus(const struct settings *s, const struct recipe *r,
			       struct corpus_dir *dir, struct err *e)
{
	struct generator *g = NULL;
	enum status st = check_shard(r, dir->shard, e);

	if (st == OK)
		st = corpus_dir_check_recipe(dir, r, e);
	if (st == OK)
		st = generator_new(&g, r, (unsigned)s->threads, e);
	if (st == OK && !s->ignore_space)
		st = check_disk(s, g, dir, e);
	if (st == OK)
		st = write_corpus(s, g, dir, e);
	generator_free(g);
	return st;
}

static enum status begin_corpus(const struct settings *s, struct corpus_dir *dir, struct err *e)
{
	struct recipe r;
	enum status st = check_begin(s, e);

	if (st == OK)
		st = recipe_options_make(&s->recipe, &r, e);
	return st == OK ? make_corpus(s, &r, dir, e) : st;
}

static enum status resume_corpus(const struct settings *s, struct corpus_dir *dir,
				 struct err *e)
{
	const struct checkpoint *c = &dir->checkpoint;
	struct settings as_begun = *s;
	enum status st = check_resume(s, dir, e);

	if (st != OK)
		return st;
	if (dir->state == CORPUS_DIR_COMPLETE)
		return report_complete(s, dir, e);
	if (!s->level_given)
		as_begun.level = c->zstd_level;
	if (!s->file_max_given)
		as_begun.file_max_bytes = c->file_max_bytes;
	return make_corpus(&as_begun, &c->recipe, dir, e);
}

static enum status run_generate(const struct settings *s, struct err *e)
{
	struct shard shard = {0, 0};
	struct corpus_dir dir;
	enum status st = OK;

	if (s->out == NULL || s->out[0] == '\0')
		return err_set(e, ERR_USAGE, "generate needs --out DIR");
	if (s->shard != NULL)
		st = shard_parse(s->shard, "--shard", &shard, e);
	if (st == OK)
		st = check_texts(s, e);
	if (st != OK)
		return st;
	catch_signals();
	st = corpus_dir_open(&dir, s->out, shard, s->resume, e);
	if (st != OK)
		return st;
	st = dir.state == CORPUS_DIR_FRESH ? begin_corpus(s, &dir, e)
					   : resume_corpus(s, &dir, e);
	corpus_dir_close(&dir);
	return st;
}

// ---- main ----------------------------------------------------------------------------------

struct verb {
	const char *name, *args;
	void (*options)(struct settings *s, struct opt *o);
	enum status (*run)(const struct settings *s, struct err *e);
};

static const struct verb verbs[] = {
	{"plan", "[OPTION]...", plan_options, run_plan},
	{"generate", "--out DIR [OPTION]...", generate_options, run_generate},
};

static enum status run_verb(const struct verb *v, int argc, char **argv, struct err *e)
{
	struct settings s;
	struct opt table[OPTIONS_MAX];
	bool help, version;
	int words;
	enum status st;

	settings_init(&s);
	v->options(&s, table);
	st = opt_parse(table, argc, argv, &words, &help, &version, e);
	if (st != OK)
		return st;
	if (help) {
		printf("spangen %s %s\n\n", v->name, v->args);
		opt_help(table, stdout);
		return stdout_finish(e);
	}
	if (version) {
		print_version();
		return stdout_finish(e);
	}
	if (words > 0)
		return err_set(e, ERR_USAGE, "%s takes no argument '%s'", v->name, argv[0]);
	return v->run(&s, e);
}

static enum status run_word(int argc, char **argv, struct err *e)
{
	const char *word = argc < 2 ? "" : argv[1];

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, word) == 0)
			return run_verb(&verbs[i], argc - 1, argv + 1, e);
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "help") == 0)
		print_verbs();
	else if (strcmp(word, "--version") == 0)
		print_version();
	else if (argc < 2)
		return err_set(e, ERR_USAGE, "a verb is needed: plan or generate (see --help)");
	else
		return err_set(e, ERR_USAGE, "unknown verb '%s': plan or generate", word);
	return stdout_finish(e);
}

int main(int argc, char **argv)
{
	struct err e = {0};
	enum status st;

	mem_return_freed();
	st = run_word(argc, argv, &e);
	if (st != OK)
		fprintf(stderr, PROGRAM ": %s\n", e.text);
	return status_exit_code(st);
}
