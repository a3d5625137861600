// SPDX-License-Identifier: Apache-2.0
// Unit tests of the claims of spancorpus stats: they hold for what spangen makes, and each of
// them breaks when the columns are spoilt accordingly.
#include "tests/unit/tools/stats_corpus.h"

#include <jansson.h>
#include <string.h>

struct measured {
	struct tree_stats *trees;
	struct time_stats *times;
	struct claims claims;
};

static void measured_init(struct measured *m, const struct fixture *f)
{
	*m = (struct measured){.trees = tree_stats_new(&f->source, &f->model),
			       .times = time_stats_new(&f->source, &f->model),
			       .claims = {.list = json_array()}};
}

static void measured_deinit(struct measured *m)
{
	tree_stats_free(m->trees);
	time_stats_free(m->times);
	json_decref(m->claims.list);
}

// All blocks; `spoil` (may be NULL) changes each before it is counted.
static void measure(struct measured *m, struct fixture *f, void (*spoil)(struct fixture *f))
{
	measured_init(m, f);
	for (uint64_t n = 0; n < f->source.corpus.manifest.blocks; n++) {
		fixture_block(f, n);
		if (spoil != NULL)
			spoil(f);
		tree_stats_add(m->trees, &f->w);
		time_stats_add(m->times, &f->w);
	}
	tree_stats_claims(m->trees, &m->claims);
	time_stats_claims(m->times, &m->claims);
}

static bool is_broken(const struct measured *m, const char *name)
{
	size_t i;
	json_t *o;

	json_array_foreach((json_t *)m->claims.list, i, o)
	{
		if (strncmp(json_string_value(json_object_get(o, "claim")), name,
			    strlen(name)) == 0)
			return !json_is_true(json_object_get(o, "holds"));
	}
	fail_msg("no claim \"%s\"", name);
	return false;
}

static void generated_holds(void **state)
{
	struct fixture f;
	struct measured m;

	(void)state;
	fixture_init(&f);
	measure(&m, &f, NULL);
	if (m.claims.broken > 0)
		fail_msg("%s", json_dumps(m.claims.list, JSON_INDENT(1)));
	measured_deinit(&m);
	fixture_deinit(&f);
}

static void expect_broken(struct fixture *f, const char *name, void (*spoil)(struct fixture *f))
{
	struct measured m;

	measure(&m, f, spoil);
	if (!is_broken(&m, name))
		fail_msg("\"%s\" still holds", name);
	assert_true(m.claims.broken > 0);
	measured_deinit(&m);
}

// ---- Spoilers ------------------------------------------------------------------------------

static void flip_error(struct fixture *f)
{
	f->w.block.is_error.v[7] ^= 1;
}

static void early_message(struct fixture *f)
{
	f->w.block.start_ms.v[fixture_callee(f, 0, true)] = 0;
}

static void late_callee(struct fixture *f)
{
	f->w.block.start_ms.v[fixture_callee(f, 0, false)] += 100000;
}

static void sound_exits(struct fixture *f)
{
	const struct dict *d = &f->source.corpus.dict;

	for (uint32_t row = 0; row < f->w.rows.rows; row++) {
		uint32_t *ref;

		if (f->w.block.parent.v[row] == 0)
			continue;
		ref = &f->w.block.template.v[fixture_exit(f, row)];
		while (template_of(d, f->w.block.operation.v[row], *ref)->is_error)
			*ref -= 2;
	}
}

static void short_rows(struct fixture *f)
{
	for (size_t i = 0; i < f->w.block.latency_ms.count; i++)
		f->w.block.latency_ms.v[i] /= 4;
}

static void starts_drift(struct fixture *f)
{
	struct column64 *start = &f->w.block.trace_start_ms;

	// A twentieth of the traces starts with the one before it.
	for (size_t i = 1; i < start->count; i++) {
		if (i % 20 == 0 && i + 1 < start->count) {
			start->v[i + 1] += start->v[i];
			start->v[i] = 0;
		}
	}
	start->v[0] += 100000;
}

static void slow_spans(struct fixture *f)
{
	for (size_t i = 0; i < f->w.block.span_duration_ms.count; i++)
		f->w.block.span_duration_ms.v[i] += i % 4 == 0;
}

// Every own template of a variant becomes the first one of its slot.
static void first_variants(struct fixture *f)
{
	const struct block *b = &f->w.block;

	for (uint32_t row = 0; row < f->w.rows.rows; row++) {
		for (uint32_t j = 1; j < b->span_count.v[row]; j++) {
			uint32_t *ref = &b->template.v[f->w.rows.first_span[row] + j];
			struct segment_law law;

			if (*ref % 2 == 1 && (row + j) % 8 == 0 &&
			    segment_law_of(f->model.segments, b->operation.v[row],
					   (*ref - 1) / 2, &law))
				*ref -= 2 * law.variant;
		}
	}
}

static void deep_traces(struct fixture *f)
{
	struct block *b = &f->w.block;

	for (uint32_t row = 0; row < f->w.rows.rows; row++) {
		b->parent.v[row] = b->parent.v[row] > 0;
		b->parent_span.v[row] = 0;
	}
}

static void claims_break(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	expect_broken(&f, "blocks whose error rows miss", flip_error);
	expect_broken(&f, "rows in error without an error", flip_error);
	expect_broken(&f, "messages consumed before", early_message);
	expect_broken(&f, "calls not inside their Exit span", late_callee);
	expect_broken(&f, "calls whose ends disagree", sound_exits);
	expect_broken(&f, "rows shorter than the calls", short_rows);
	expect_broken(&f, "root starts uniform", starts_drift);
	expect_broken(&f, "self times, caches", slow_spans);
	expect_broken(&f, "variants of spans that have 3", first_variants);
	expect_broken(&f, "depth of a trace", deep_traces);
	fixture_deinit(&f);
}

// One instance in ten 90 ms off.
static void skew_breaks(void **state)
{
	struct fixture f;
	struct measured m;

	(void)state;
	fixture_init(&f);
	for (uint32_t i = 0; i < f.source.corpus.dict.instance_count; i += 10)
		f.source.corpus.dict.instance[i].clock_skew_ms = 90;
	measure(&m, &f, NULL);
	assert_true(is_broken(&m, "clock skew: 95"));
	measured_deinit(&m);
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generated_holds),
		cmocka_unit_test(claims_break),
		cmocka_unit_test(skew_breaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
