// SPDX-License-Identifier: Apache-2.0
// One row: which spans occur, when they start and how long they take, and the values of their
// holes. Everything is drawn here per row; what there is to draw from is segment_dict's.
#include "gen/segment.h"

#include <stdlib.h>

#include "gen/quota.h"
#include "gen/segment_private.h"

// ---- Durations -----------------------------------------------------------------------------

// Standard normal quantiles of (128 + j + 1/2) / 257 for j = 1..128, times 65,536; the lower
// half mirrors them. Computed once with Python's statistics.NormalDist.
static const int32_t normal[] = {
	639,	1278,	1918,	2557,	3197,	3837,	4478,	5119,	5760,	6402,	7045,
	7688,	8332,	8977,	9622,	10269,	10917,	11565,	12215,	12866,	13518,	14172,
	14827,	15484,	16142,	16801,	17463,	18126,	18791,	19458,	20127,	20798,	21472,
	22147,	22825,	23506,	24189,	24874,	25562,	26254,	26948,	27645,	28345,	29049,
	29755,	30466,	31180,	31897,	32619,	33344,	34074,	34808,	35546,	36289,	37036,
	37789,	38546,	39309,	40077,	40850,	41629,	42414,	43205,	44003,	44807,	45618,
	46436,	47261,	48094,	48935,	49784,	50641,	51507,	52382,	53267,	54161,	55065,
	55981,	56907,	57845,	58794,	59757,	60732,	61721,	62724,	63742,	64776,	65826,
	66893,	67978,	69083,	70207,	71352,	72520,	73711,	74927,	76169,	77439,	78739,
	80071,	81436,	82838,	84279,	85762,	87290,	88867,	90497,	92186,	93938,	95759,
	97658,	99642,	101723, 103911, 106221, 108672, 111285, 114088, 117116, 120417, 124056,
	128123, 132752, 138159, 144710, 153137, 165274, 189193,
};

static const int32_t sigma_pct[SIGMAS] = {80, 100, 110, 120};

// Medians in microseconds.
static const struct {
	uint32_t median_us, sigma;
} time_laws[TIME_LAWS] = {
	[SLOT_LOCAL] = {800, 3},  [SLOT_MYBATIS] = {150, 1}, [SLOT_TX] = {200, 1},
	[SLOT_POOL] = {50, 1},	  [SLOT_JSON] = {100, 1},    [SLOT_DB] = {3000, 2},
	[SLOT_CACHE] = {600, 0},  [SLOT_SEARCH] = {8000, 1}, [SLOT_MONGO] = {2500, 2},
	[TIME_ENTRY] = {1500, 1}, [TIME_SEND] = {1500, 0},   [TIME_TRANSIT] = {8000, 3},
};

// 2^(x / 65536) in 1/1024 for x in -2^20 .. 2^20, integers only.
static uint32_t exp2_1024(int32_t x)
{
	// 2^(2^-k) for k = 1..16, times 2^30.
	static const uint32_t root[] = {
		1518500250, 1276901417, 1170923762, 1121280436, 1097253708, 1085434106,
		1079572136, 1076653033, 1075196443, 1074468888, 1074105294, 1073923544,
		1073832680, 1073787251, 1073764537, 1073753181,
	};
	uint32_t shifted = (uint32_t)(x + (INT32_C(32) << 16)); // whole part plus 32
	uint32_t whole = shifted >> 16;
	uint64_t v = UINT64_C(1) << 30;

	for (uint32_t k = 0; k < 16; k++) {
		if ((shifted & (UINT32_C(0x8000) >> k)) != 0)
			v = v * root[k] >> 30;
	}
	// v / 2^30 * 2^(whole - 32) * 2^10
	return (uint32_t)(whole >= 32 ? v << (whole - 32) >> 20 : v >> (32 - whole) >> 20);
}

static void lognormal_table(int32_t sigma, uint32_t out[QUANTILES])
{
	for (uint32_t j = 0; j < QUANTILES; j++) {
		int32_t z = j == 128 ? 0 : j > 128 ? normal[j - 129] : -normal[127 - j];
		// exp(x) = 2^(x * log2(e)); log2(e) = 94,548 / 65,536
		int64_t x = (int64_t)z * sigma / 100 * 94548 / 65536;

		out[j] = exp2_1024((int32_t)x);
	}
}

// Of what is drawn: straight lines between the knots.
static uint64_t table_mean(const uint32_t v[QUANTILES])
{
	uint64_t sum = 0;

	for (uint32_t j = 0; j + 1 < QUANTILES; j++)
		sum += v[j] + v[j + 1];
	return sum / (2 * (QUANTILES - 1));
}

// The shape of a law without a tail, of whatever mean: quantiles of (j + 1/2) / 257.
static uint32_t shape_at(uint32_t self_time, uint32_t j)
{
	uint64_t log2;

	if (self_time == SELF_TIME_FIXED)
		return 1024;
	if (self_time == SELF_TIME_UNIFORM)
		return 4 * j; // 0 to 1024
	// -log(1 - u) = log(514 / (513 - 2j)); the base does not matter, the mean is set.
	log2 = quota_log2_q32(514) - quota_log2_q32(513 - 2 * (uint64_t)j);
	return (uint32_t)(log2 >> 16);
}

#define TAIL_FACTOR 20u

void segment_time_tables(struct segment_set *s, uint32_t self_time)
{
	uint32_t shape[QUANTILES];
	uint64_t shape_mean;

	s->has_tail = self_time == SELF_TIME_LOGNORMAL;
	for (uint32_t j = 0; j < QUANTILES; j++)
		shape[j] = shape_at(self_time, j);
	shape_mean = table_mean(shape);
	for (uint32_t i = 0; i < SIGMAS; i++) {
		uint64_t mean;

		lognormal_table(sigma_pct[i], s->quantile[i]);
		if (s->has_tail)
			continue;
		mean = table_mean(s->quantile[i]) * (99 + TAIL_FACTOR) / 100;
		for (uint32_t j = 0; j < QUANTILES; j++)
			s->quantile[i][j] = (uint32_t)(shape[j] * mean / shape_mean);
	}
}

// Log-normal, and one in a hundred twenty times as long (a collection, a lock, a retry); or
// another law of the same mean.
static uint32_t draw_us(const struct segment_set *s, uint32_t law, uint64_t bits)
{
	const uint32_t *knot = s->quantile[time_laws[law].sigma];
	uint32_t at = bits & 255, part = bits >> 8 & 255;
	uint32_t m = (knot[at] * (256 - part) + knot[at + 1] * part) >> 8;
	uint32_t us = (uint32_t)((uint64_t)time_laws[law].median_us * m >> 10);

	return s->has_tail && rng_chance(bits, UINT32_C(42949673)) ? us * TAIL_FACTOR : us;
}

// Which slot the k-th template of an operation belongs to, errors not counted.
static bool find_slot(const struct op_plan *p, uint32_t k, uint32_t *slot)
{
	for (*slot = 0; *slot < p->slot_count; (*slot)++) {
		const struct slot *s = &p->slot[*slot];

		if (k >= s->first && k < (uint32_t)s->first + s->variants)
			return true;
	}
	return false;
}

bool segment_law_of(const struct segment_set *s, uint32_t operation, uint32_t template,
		    struct segment_law *out)
{
	static const char *const name[SLOT_KINDS] = {
		[SLOT_LOCAL] = "local methods", [SLOT_MYBATIS] = "MyBatis",
		[SLOT_TX] = "transactions",	[SLOT_POOL] = "connection pools",
		[SLOT_JSON] = "JSON",		[SLOT_DB] = "SQL",
		[SLOT_CACHE] = "caches",	[SLOT_SEARCH] = "searches",
		[SLOT_MONGO] = "MongoDB",
	};
	const struct op_plan *p = &s->op[operation];
	const struct slot *slot;
	uint64_t mean;
	uint32_t i;

	if (!find_slot(p, template, &i))
		return false;
	slot = &p->slot[i];
	mean = (uint64_t)time_laws[slot->kind].median_us *
	       table_mean(s->quantile[time_laws[slot->kind].sigma]);
	*out = (struct segment_law){
		.kind = slot->kind,
		.name = name[slot->kind],
		.median_us = time_laws[slot->kind].median_us,
		.sigma_pct = (uint32_t)sigma_pct[time_laws[slot->kind].sigma],
		.mean_us = (uint32_t)(mean * (s->has_tail ? 99 + TAIL_FACTOR : 100) / 102400),
		.variant = template - slot->first,
		.variants = slot->variants,
		.is_self = i + 1 == p->slot_count || p->slot[i + 1].depth <= slot->depth,
	};
	for (uint32_t u = 0; u < p->unit_count; u++)
		out->leads = out->leads || p->unit[u].first_slot == i;
	return true;
}

// ---- Which spans ---------------------------------------------------------------------------

// The first variants are more frequent.
static uint32_t draw_variant(uint32_t variants, uint64_t bits)
{
	uint32_t a = (uint32_t)(bits & 255) * variants >> 8; // VARIANTS_MAX is below 256
	uint32_t b = (uint32_t)(bits >> 8 & 255) * variants >> 8;

	return a < b ? a : b;
}

void segment_variant_law(uint32_t variants, uint32_t of_65536[])
{
	for (uint32_t v = 0; v < variants; v++)
		of_65536[v] = 0;
	for (uint32_t bits = 0; bits < 65536; bits++)
		of_65536[draw_variant(variants, bits)]++;
}

// Draws of a row's key: one per unit, one per unit for its extra times, one per extra time.
#define DRAW_EXTRA 32u
#define DRAW_AGAIN 64u

// How often a unit occurs; 0: not at all. Draw `bits` serves one unit: 8 bits presence, 8 for
// a second and third time, then twice 8 and 8 for the variants of the first two.
static uint32_t draw_times(const struct unit *u, uint64_t key, uint32_t i, uint64_t bits)
{
	uint32_t times = 1;

	if (u->chance < 256 && (bits & 255) >= u->chance)
		return 0;
	if ((bits >> 8 & 255) < u->again)
		times = (bits >> 16 & 255) < u->again ? 3 : 2;
	if (u->extra > 0)
		times += u->extra / 2 + rng_below(rng_draw(key, DRAW_EXTRA + i), u->extra + 1u);
	return times;
}

uint32_t segment_pick(const struct op_plan *p, uint64_t key, struct pick out[INNER_MAX])
{
	uint32_t picks = 0, spans = 0, required = p->required;

	for (uint32_t i = 0; i < p->unit_count; i++) {
		const struct unit *u = &p->unit[i];
		uint64_t bits = rng_draw(key, i);
		uint32_t times = draw_times(u, key, i, bits);

		if (u->chance == 256)
			required -= u->slot_count;
		for (uint32_t t = 0; t < times; t++) {
			uint64_t variant =
				t < 2 ? bits >> (24 + 16 * t)
				      : rng_draw(key, DRAW_AGAIN + INNER_MAX * i + t);

			// Units that always occur have their place in any case.
			if (spans + u->slot_count + required > p->inner_max)
				break;
			spans += u->slot_count;
			out[picks++] = (struct pick){
				(uint8_t)i, (uint8_t)draw_variant(p->variants, variant)};
		}
	}
	return picks;
}

bool segment_operation_is_async(const struct segment_set *s, uint32_t operation)
{
	return s->op[operation].async;
}

// ---- When ----------------------------------------------------------------------------------

// A row in the making. Times in microseconds from the row's start.
struct layout {
	const struct segment_set *set;
	const struct segment_row *row;
	struct segment_layout *out;
	enum language language; // of the row's service
	uint64_t time_key, draw;
	uint64_t now_us;  // where the next span starts
	uint32_t last_ms; // start of the span before
	bool after_call;  // the last span is a synchronous call that the next may overlap
	uint64_t call_us; // its start
	bool failed;	  // the failing unit has had its failure
};

static uint64_t next_draw(struct layout *w)
{
	return rng_draw(w->time_key, w->draw++);
}

static struct segment_span *add_span(struct layout *w, uint32_t template, uint64_t start_us)
{
	uint32_t start_ms = (uint32_t)(start_us / 1000);
	struct segment_span *span = &w->out->span[w->out->span_count++];

	span->template = template;
	span->start_delta_ms = start_ms - w->last_ms;
	span->duration_ms = 0;
	w->last_ms = start_ms;
	return span;
}

// Milliseconds are truncated at both ends, as an agent's clock does.
static void end_span(struct segment_span *span, uint64_t start_us, uint64_t end_us)
{
	span->duration_ms = (uint32_t)(end_us / 1000 - start_us / 1000);
}

static void put_unit(struct layout *w, const struct op_plan *p, struct pick pick)
{
	const struct unit *u = &p->unit[pick.unit];
	bool fails = w->row->is_origin && pick.unit == p->fail_unit && !w->failed;
	struct segment_span *outer = NULL;
	uint64_t outer_us = 0;

	for (uint32_t i = 0; i < u->slot_count; i++) {
		const struct slot *slot = &p->slot[u->first_slot + i];
		bool nests = i + 1 < u->slot_count &&
			     p->slot[u->first_slot + i + 1].depth > slot->depth;
		uint32_t k = slot->first + (slot->variants > 1 ? pick.variant : 0u);
		uint64_t bits = next_draw(w);
		uint64_t start_us = w->now_us;
		struct segment_span *span;

		if (fails && slot->error != 0)
			k = slot->error;
		span = add_span(w, 2 * k + 1, start_us);
		w->now_us += draw_us(w->set, slot->kind, bits);
		if (nests) {
			outer = span;
			outer_us = start_us;
		} else {
			end_span(span, start_us, w->now_us);
		}
	}
	if (outer != NULL) {
		uint64_t bits = next_draw(w);

		w->now_us += draw_us(w->set, SLOT_POOL, bits);
		end_span(outer, outer_us, w->now_us);
	}
	w->failed = w->failed || fails;
	w->after_call = false;
}

static void put_send(struct layout *w, const struct op_plan *callee, struct segment_call *call)
{
	uint64_t bits = next_draw(w);
	uint64_t transit = next_draw(w);
	uint64_t start_us = w->now_us;
	struct segment_span *span;

	call->parent_span = w->out->span_count;
	span = add_span(w, 2 * (uint32_t)callee->call_first[w->language] + 2, start_us);
	w->now_us += draw_us(w->set, TIME_SEND, bits);
	end_span(span, start_us, w->now_us);
	call->start_ms =
		(uint32_t)((w->now_us + draw_us(w->set, TIME_TRANSIT, transit)) / 1000);
	w->after_call = false;
}

static void put_call(struct layout *w, const struct op_plan *callee, struct segment_call *call)
{
	uint64_t bits = next_draw(w);
	// A retry waits for the failure before it; of the others 30 % overlap the one before.
	bool overlaps = w->after_call && !call->retry && rng_chance(bits, UINT32_C(1288490189));
	uint64_t start_us = overlaps ? w->call_us : w->now_us;
	// Network: 0 to 2 ms there, as much back.
	uint32_t gap_us = (uint32_t)(bits & 1023) * 2000 >> 10;
	uint32_t back_us = (uint32_t)(bits >> 10 & 1023) * 2000 >> 10;
	// The client that failed is also the one that tries again.
	uint32_t variants =
		call->retry || w->language != LANGUAGE_JAVA ? 1 : callee->call_variants;
	uint32_t k = callee->call_first[w->language] +
		     ((uint32_t)(bits >> 20 & 255) * variants >> 8);
	uint64_t end_us = start_us + gap_us + UINT64_C(1000) * call->latency_ms + back_us;
	struct segment_span *span;

	// Both ends agree, even when this row has a fallback and survives.
	if (call->failed && callee->call_error[w->language] != 0)
		k = callee->call_error[w->language];
	call->parent_span = w->out->span_count;
	call->start_ms = (uint32_t)((start_us + gap_us) / 1000);
	span = add_span(w, 2 * k + 2, start_us);
	end_span(span, start_us, end_us);
	w->call_us = start_us;
	if (end_us > w->now_us)
		w->now_us = end_us;
	w->after_call = true;
}

void segment_layout(const struct segment_set *s, const struct segment_row *row,
		    struct segment_layout *out)
{
	const struct op_plan *p = &s->op[row->operation];
	struct layout w = {
		.set = s, .row = row, .out = out, .language = (enum language)p->language};
	struct pick pick[INNER_MAX];
	uint32_t picks = segment_pick(p, rng_key(s->seed, RNG_SPANS, row->number), pick);
	uint32_t next_call = 0;
	struct segment_span *entry;
	uint32_t before, after;

	if (row->call_count > SEGMENT_SPANS_MAX - 1 - INNER_MAX)
		abort();
	w.time_key = rng_key(s->seed, RNG_TIME, row->number);
	out->span_count = 0;
	entry = add_span(&w, 2 * (row->fails ? ENTRY_ERROR : ENTRY_OK) + 1, 0);
	before = draw_us(s, TIME_ENTRY, next_draw(&w)) / 2;
	after = draw_us(s, TIME_ENTRY, next_draw(&w)) / 2;
	w.now_us = before;
	// Calls are spread evenly behind the units; the last come after the last unit.
	for (uint32_t i = 0; i <= picks; i++) {
		uint32_t due = i == picks ? row->call_count : row->call_count * i / (picks + 1);

		// An answer to a failure does not wait for other work.
		for (; next_call < due ||
		       (next_call < row->call_count && row->call[next_call].retry);
		     next_call++) {
			struct segment_call *call = &row->call[next_call];
			const struct op_plan *callee = &s->op[call->operation];

			if (call->async)
				put_send(&w, callee, call);
			else
				put_call(&w, callee, call);
		}
		if (i < picks)
			put_unit(&w, p, pick[i]);
	}
	end_span(entry, 0, w.now_us + after);
	out->latency_ms = entry->duration_ms;
}

// ---- Values --------------------------------------------------------------------------------

void segment_hole_tables(struct segment_set *s)
{
	for (uint32_t i = 0; i < hole_class_count; i++) {
		const struct hole_class *c = &hole_classes[i];
		uint32_t range = hole_class_range(c, s->cardinality);

		s->hole_draw[i].mark = (uint8_t)c->mark;
		s->hole_draw[i].low = c->low;
		// A quarter of skewed values comes from the lowest quarter, another from the
		// lowest sixteenth.
		for (uint32_t k = 0; k < 4; k++) {
			uint32_t part = c->skewed && k > 1 ? range >> 2 * (k - 1) : range;

			s->hole_draw[i].range[k] = part > 0 ? part : 1;
		}
	}
}

static uint32_t draw_value(const struct hole_draw *h, uint64_t bits)
{
	return h->low + rng_below(bits, h->range[bits & 3]);
}

// Values of one template's holes, from draw n on.
static void put_holes(const struct segment_set *s, uint32_t template, uint64_t key, uint64_t n,
		      struct block *b)
{
	const uint8_t *hole = s->hole + s->hole_first[template];
	uint32_t count = s->hole_first[template + 1] - s->hole_first[template];
	uint64_t *number, *hex;
	uint32_t *word;

	if (count == 0)
		return;
	number = column64_room(&b->number_value, count);
	hex = column64_room(&b->hex_value, count);
	word = column32_room(&b->word_value, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct hole_draw *h = &s->hole_draw[hole[i]];
		uint64_t bits = rng_draw(key, n + i);

		if (h->mark == MARK_NUMBER)
			*number++ = draw_value(h, bits);
		else if (h->mark == MARK_WORD)
			*word++ = draw_value(h, bits);
		else
			*hex++ = bits;
	}
	b->number_value.count = (size_t)(number - b->number_value.v);
	b->hex_value.count = (size_t)(hex - b->hex_value.v);
	b->word_value.count = (size_t)(word - b->word_value.v);
}

void segment_holes(const struct segment_set *s, const struct segment_row *row,
		   const struct segment_layout *l, struct block *b)
{
	const struct op_plan *own = &s->op[row->operation];
	uint64_t key = rng_key(s->seed, RNG_VALUE, row->number);
	uint64_t n = 0;
	uint32_t next_call = 0;

	for (uint32_t i = 0; i < l->span_count; i++) {
		uint32_t ref = l->span[i].template;
		const struct op_plan *p = own;
		uint32_t t;

		// Calls are made in order, so the n-th borrowed template is the n-th call's.
		if (ref % 2 == 0)
			p = &s->op[row->call[next_call++].operation];
		t = p->first_template + (ref - 1) / 2;
		put_holes(s, t, key, n, b);
		n += s->hole_first[t + 1] - s->hole_first[t];
	}
}
