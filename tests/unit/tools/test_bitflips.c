// SPDX-License-Identifier: Apache-2.0
// Every bit of a small corpus flipped in turn: the checker must name the file and the place,
// and nothing else, and healing must give back the very bytes. Run as a unit test it takes
// every 37th bit; BITFLIP_STEP=1 takes all (make check-bitflips), BITFLIP_JOBS=N in N
// processes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/tools/made_corpus.h"
#include "tools/spancorpus_check.h"

#define FILES_MAX 4u
#define CORPUS_MOST (32 * KIB)
#define BLOCKS_LEAST 4u
#define COMPLAINTS_MAX 10u

struct corpus_bytes {
	char name[FILES_MAX][32];
	struct buf bytes[FILES_MAX];
	unsigned count;
	struct digest digest;
};

// What the checker said.
struct said {
	unsigned findings, misplaced; // misplaced: not where the bit is
	const char *file;
	enum place place;
	uint64_t block;
	char text[1024];
};

struct counts {
	uint64_t flipped, detected, named, healed;
};

static void on_finding(void *ctx, const struct finding *f)
{
	struct said *s = ctx;

	s->findings++;
	if (f->kind != FOUND_DAMAGE || f->file == NULL || strcmp(f->file, s->file) != 0 ||
	    f->place != s->place || (f->place == PLACE_BLOCK && f->block != s->block) ||
	    strstr(f->text, s->file) == NULL)
		s->misplaced++;
	if (s->findings == 1 || s->misplaced > 0)
		snprintf(s->text, sizeof(s->text), "%s", f->text);
}

// What stands at a byte of a data file. Sizes as FORMAT.md, section 3.
static enum place place_at(const struct buf *file, size_t at, uint64_t first_block,
			   uint64_t *block)
{
	size_t end = 88;

	if (at < end)
		return PLACE_FILE_HEADER;
	end += (size_t)load_le64(file->data + 40);
	if (at < end)
		return PLACE_FIRST_FRAME;
	for (*block = first_block; load_le32(file->data + end) == 0x184D2A51; ++*block) {
		end += 120 + (size_t)load_le64(file->data + end + 104);
		if (at < end)
			return PLACE_BLOCK;
	}
	return PLACE_SEEK_TABLE;
}

// One bit; complaints of the first few failures on stderr.
static void flip(const char *dir, const struct corpus_bytes *c, unsigned file, uint64_t bit,
		 struct generator_cache *g, struct counts *n)
{
	const struct buf *b = &c->bytes[file];
	size_t at = (size_t)(bit / 8);
	struct said said = {.file = c->name[file], .place = PLACE_MANIFEST};
	const struct check_options o = {
		.dir = dir, .threads = 1, .generator = g, .found = on_finding, .ctx = &said};
	struct heal_result r = {0};
	struct check check = {0};
	struct err e = {0};
	bool again, healed;

	if (strcmp(c->name[file], MANIFEST_NAME) != 0)
		said.place = place_at(b, at, load_le64(b->data + 24), &said.block);
	b->data[at] ^= (uint8_t)(1u << (bit % 8));
	made_put(dir, c->name[file], b->data, b->size);
	b->data[at] ^= (uint8_t)(1u << (bit % 8));
	n->flipped++;
	buf_init(&r.text, MIB);
	if (check_run(&check, &o, &e) == OK && check.damage > 0)
		n->detected++;
	if (said.findings > 0 && said.misplaced == 0)
		n->named++;
	else if (n->flipped - n->named < COMPLAINTS_MAX)
		fprintf(stderr, "%s: byte %zu bit %u: %u findings: %s%s\n", c->name[file], at,
			(unsigned)(bit % 8), said.findings, said.text, e.text);
	healed = heal_run(&check, &r, &again, &e) == OK && !again;
	check_free(&check);
	buf_free(&r.text);
	said.findings = 0;
	healed = healed && check_run(&check, &o, &e) == OK && check.damage == 0 &&
		 check.missing == 0 && check.complete && said.findings == 0 &&
		 digest_equal(check.digest, c->digest);
	check_free(&check);
	for (unsigned i = 0; i < c->count; i++)
		healed = healed && made_same(dir, c->name[i], &c->bytes[i]);
	n->healed += healed;
	if (healed)
		return;
	if (n->flipped - n->healed < COMPLAINTS_MAX)
		fprintf(stderr, "%s: byte %zu bit %u: not healed: %s\n", c->name[file], at,
			(unsigned)(bit % 8), e.text);
	for (unsigned i = 0; i < c->count; i++)
		made_put(dir, c->name[i], c->bytes[i].data, c->bytes[i].size);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

// Every step-th bit of what this process has to do, in a folder of its own.
static struct counts flip_all(const struct corpus_bytes *c, const struct recipe *r,
			      uint64_t job, uint64_t jobs, uint64_t step)
{
	struct generator_cache g = {0};
	struct counts n = {0};
	struct err e = {0};
	uint64_t bit = 0;
	char dir[32];

	snprintf(dir, sizeof(dir), "flips%u", (unsigned)job);
	if (generator_cache_get(&g, r, &e) != OK || file_make_dir(dir, &e) != OK) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	for (unsigned i = 0; i < c->count; i++)
		made_put(dir, c->name[i], c->bytes[i].data, c->bytes[i].size);
	for (unsigned i = 0; i < c->count; i++)
		for (uint64_t k = 0; k < 8 * c->bytes[i].size; k++, bit++)
			if (bit % step == 0 && bit / step % jobs == job)
				flip(dir, c, i, k, &g, &n);
	generator_cache_free(&g);
	return n;
}

static void make(struct corpus_bytes *c, const struct recipe *r)
{
	struct generator_cache g = {0};
	struct manifest one = {0}, m = {0};
	struct err e = {0};
	size_t size = 0;

	// A byte less than all blocks take makes two files.
	if (generator_cache_get(&g, r, &e) != OK ||
	    made_write(g.generator, "one", DATA_PAYLOAD_MAX, &one, &e) != OK ||
	    made_write(g.generator, "whole", one.file[0].payload_size - 1, &m, &e) != OK) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	if (m.file_count + 1 > FILES_MAX) {
		fprintf(stderr, "%zu data files\n", m.file_count);
		exit(1);
	}
	for (size_t i = 0; i < m.file_count; i++)
		snprintf(c->name[c->count++], sizeof(c->name[0]), "%s", m.file[i].name);
	snprintf(c->name[c->count++], sizeof(c->name[0]), MANIFEST_NAME);
	for (unsigned i = 0; i < c->count; i++) {
		made_read("whole", c->name[i], &c->bytes[i]);
		size += c->bytes[i].size;
	}
	c->digest = m.digest;
	printf("%zu bytes in %u files, %u blocks\n", size, c->count, (unsigned)m.blocks);
	if (size > CORPUS_MOST || m.blocks < BLOCKS_LEAST || m.file_count < 2) {
		fprintf(stderr, "the corpus is not the one to test\n");
		exit(1);
	}
	manifest_free(&one);
	manifest_free(&m);
	generator_cache_free(&g);
}

// Runs the jobs in processes and adds their counts up; each sends its own through a pipe.
static struct counts run_jobs(const struct corpus_bytes *c, const struct recipe *r,
			      uint64_t jobs, uint64_t step)
{
	struct counts sum = {0};
	int pipes[2];

	if (pipe(pipes) != 0)
		exit(1);
	fflush(stdout);
	for (uint64_t i = 0; i < jobs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			exit(1);
		if (pid == 0) {
			struct counts n = flip_all(c, r, i, jobs, step);

			_exit(write(pipes[1], &n, sizeof(n)) == sizeof(n) ? 0 : 1);
		}
	}
	close(pipes[1]);
	for (uint64_t i = 0; i < jobs; i++) {
		struct counts n;

		if (read(pipes[0], &n, sizeof(n)) != sizeof(n)) {
			fprintf(stderr, "a process ended early\n");
			exit(1);
		}
		sum.flipped += n.flipped;
		sum.detected += n.detected;
		sum.named += n.named;
		sum.healed += n.healed;
	}
	close(pipes[0]);
	while (wait(NULL) > 0)
		;
	return sum;
}

static void remove_dir(const char *dir)
{
	struct err e = {0};
	char **names;
	size_t count;

	if (file_list(dir, "", "", &names, &count, &e) != OK)
		return;
	for (size_t i = 0; i < count; i++) {
		char *path = path_join(dir, names[i]);

		if (names[i][0] != '.')
			unlink(path);
		free(path);
	}
	file_list_free(names, count);
	rmdir(dir);
}

static char scratch[64];
static pid_t owner;

// However the test ends, but not when one of its processes does.
static void leave_scratch(void)
{
	struct err e = {0};
	char **names;
	size_t count;

	if (getpid() != owner || file_list(".", "", "", &names, &count, &e) != OK)
		return;
	for (size_t i = 0; i < count; i++)
		if (names[i][0] != '.')
			remove_dir(names[i]);
	file_list_free(names, count);
	if (chdir("/") == 0)
		rmdir(scratch);
}

// Syncing thousands of files to a disk is not what is tested: memory, where there is such a
// folder.
static void enter_scratch(void)
{
	// Otherwise in the folder of the test, which its runner removes.
	snprintf(scratch, sizeof(scratch), "%sspangen-flips.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm/" : "");
	if (mkdtemp(scratch) == NULL || chdir(scratch) != 0) {
		perror(scratch);
		exit(1);
	}
	owner = getpid();
	atexit(leave_scratch);
}

int main(void)
{
	uint64_t step = number("BITFLIP_STEP", 37), jobs = number("BITFLIP_JOBS", 1);
	const struct recipe r = made_recipe(1);
	struct corpus_bytes c = {0};
	struct counts n;
	uint64_t bits = 0;

	enter_scratch();
	make(&c, &r);
	for (unsigned i = 0; i < c.count; i++)
		bits += 8 * c.bytes[i].size;
	n = run_jobs(&c, &r, jobs, step);
	for (unsigned i = 0; i < c.count; i++)
		buf_free(&c.bytes[i]);
	printf("%llu of %llu bits flipped: %llu detected, %llu named by file and place, "
	       "%llu healed to the same bytes\n",
	       (unsigned long long)n.flipped, (unsigned long long)bits,
	       (unsigned long long)n.detected, (unsigned long long)n.named,
	       (unsigned long long)n.healed);
	return n.flipped == (bits + step - 1) / step && n.detected == n.flipped &&
			       n.named == n.flipped && n.healed == n.flipped
		       ? 0
		       : 1;
}
