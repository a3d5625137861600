// SPDX-License-Identifier: Apache-2.0
// Builds the dictionary: services, instances, operations, and for every operation what its
// segments consist of and how long its texts are. The spans themselves are segment_template's.
#include "gen/segment.h"

#include <stdlib.h>
#include <string.h>

#include "common/pool.h"
#include "gen/template_agents.h"

// ---- Services and instances ----------------------------------------------------------------

static void *list_new(struct segment_set *s, uint32_t count, size_t size_bytes)
{
	void *p = arena_alloc(&s->lists, count, size_bytes);

	s->failed = s->failed || p == NULL;
	return p;
}

static struct view text_put(struct segment_set *s, struct buf *text)
{
	struct view v = arena_copy(&s->arena, text->data, text->size);

	s->failed = s->failed || v.data == NULL || text->failed;
	buf_clear(text);
	return v.data != NULL ? v : VIEW("");
}

static void build_services(struct segment_set *s, const struct plan *p, uint32_t count)
{
	static const char *const port[LANGUAGE_COUNT] = {"8080", "8080", "8000", "3000"};
	uint32_t rank[LAYER_COUNT] = {0};
	struct buf text;

	buf_init_own(&text, KIB);
	s->dict.service_count = count;
	s->dict.service = list_new(s, count, sizeof(struct service));
	for (uint32_t i = 0; i < count && !s->failed; i++) {
		struct service *out = &s->dict.service[i];

		out->layer = plan_service_layer(p, i);
		catalog_service_name(&text, out->layer, rank[out->layer]++, s->seed);
		out->name = text_put(s, &text);
		buf_printf(&text, "%.*s.prod.svc:%s", (int)out->name.size, out->name.data,
			   port[plan_service_language(p, i)]);
		out->peer = text_put(s, &text);
	}
	buf_free(&text);
}

// Go's agent counts from the last day but one of 1899.
#define GO_CLOCK_MS INT64_C(2211753600000)

static int32_t draw_skew_ms(struct dice *d)
{
	uint32_t percent = dice_below(d, 100);
	uint32_t most = percent < 95 ? 2 : percent < 99 ? 10 : 100;

	return (int32_t)dice_below(d, 2 * most + 1) - (int32_t)most;
}

// The ordinal-th pod of a deployment. Suffixes are distinct: the multiplier has no factor in
// common with 27^5.
static void put_pod_name(struct buf *out, const struct service *service, uint64_t service_key,
			 uint32_t ordinal)
{
	static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
	struct dice d = {.key = service_key};
	uint64_t v;

	buf_printf(out, "%.*s-", (int)service->name.size, service->name.data);
	for (int i = 0; i < 10; i++)
		buf_put_u8(out, (uint8_t)alphabet[dice_below(&d, 27)]);
	buf_put_u8(out, '-');
	v = (ordinal * UINT64_C(5915587) + dice_below(&d, 14348907)) % 14348907;
	for (int i = 0; i < 5; i++, v /= 27)
		buf_put_u8(out, (uint8_t)alphabet[v % 27]);
}

// What an agent calls its process when nobody gave it a name. Names of a service are distinct:
// rng_mix is a bijection, and the rest of Python's is one of the process's.
static void put_process_name(struct buf *out, enum language language,
			     const struct service *service, uint64_t service_key,
			     uint32_t ordinal, struct dice *d)
{
	uint64_t unique = rng_mix(service_key + ordinal);
	uint64_t more = rng_draw(d->key, d->n++);

	if (language == LANGUAGE_NODE) { // the name of its host, which is a pod
		put_pod_name(out, service, service_key, ordinal);
	} else if (language == LANGUAGE_PYTHON) { // UUID, version 1
		buf_printf(out, "%08x%04x1%03x%04x0242ac%02x%04x",
			   (unsigned)(unique & 0xffffffff), (unsigned)(unique >> 32 & 0xffff),
			   (unsigned)(more & 0xfff), (unsigned)(0x8000 | (more >> 12 & 0x3fff)),
			   (unsigned)(more >> 26 & 0xff), (unsigned)(unique >> 48));
	} else {
		uint32_t ip[3];

		for (int i = 0; i < 3; i++)
			ip[i] = dice_below(d, 254) + 1;
		// The process's own UUID is another than that of its ids.
		buf_printf(out, "%016llx%016llx@10.%u.%u.%u", (unsigned long long)unique,
			   (unsigned long long)more, ip[0], ip[1], ip[2]);
	}
}

static void build_instance(struct segment_set *s, enum language language, uint32_t index,
			   uint32_t ordinal, struct buf *text)
{
	struct instance *out = &s->dict.instance[index];
	struct dice d = {.key = rng_key(s->seed, RNG_INSTANCE, index)};
	uint64_t service_key = rng_key(s->seed, RNG_SERVICE, out->service);
	const struct service *service = &s->dict.service[out->service];

	out->id_prefix = VIEW("");
	if (language == LANGUAGE_JAVA || language == LANGUAGE_GO) {
		// Two different instances differ in the first half: rng_mix is a bijection.
		buf_printf(
			text, "%016llx%016llx",
			(unsigned long long)rng_mix(rng_key(s->seed, RNG_INSTANCE, 0) + index),
			(unsigned long long)rng_draw(d.key, d.n++));
		out->id_prefix = text_put(s, text);
	} else {
		out->id_style = ID_RAW;
	}
	if (language == LANGUAGE_GO)
		out->id_clock_ms = GO_CLOCK_MS;
	out->clock_skew_ms = draw_skew_ms(&d);
	if (service_key % 2 == 0)
		put_pod_name(text, service, service_key, ordinal);
	else
		put_process_name(text, language, service, service_key, ordinal, &d);
	out->name = text_put(s, text);
}

static void build_instances(struct segment_set *s, const struct plan *p, uint32_t count)
{
	uint32_t ordinal = 0;
	struct buf text;

	buf_init_own(&text, KIB);
	s->dict.instance_count = count;
	s->dict.instance = list_new(s, count, sizeof(struct instance));
	for (uint32_t i = 0; i < count && !s->failed; i++) {
		s->dict.instance[i].service = plan_instance_service(p, i);
		if (i > 0 && s->dict.instance[i].service == s->dict.instance[i - 1].service)
			ordinal++;
		else
			ordinal = 0;
		build_instance(s, plan_service_language(p, s->dict.instance[i].service), i,
			       ordinal, &text);
	}
	buf_free(&text);
}

// ---- Words and components ------------------------------------------------------------------

// Components of entries. The first are Java's by op_kind, then its second HTTP server.
static const struct {
	const char *name;
	uint32_t id;
} entry_components[] = {
	{"SpringMVC", 14},	   {"Dubbo", 3},    {"GRPC", 23},     {"kafka-consumer", 41},
	{"rocketMQ-consumer", 39}, {"Tomcat", 1},   {"Gin", 5006},    {"GoHttpServer", 5004},
	{"FastAPI", 7014},	   {"Flask", 7001}, {"Django", 7004}, {"Express", 4002},
};
enum { TOMCAT = 5, GIN, GO_HTTP_SERVER, FASTAPI, FLASK, DJANGO, EXPRESS };

// Index of what serves an operation; draw: below 100.
static uint32_t entry_component(const struct op_context *c, uint32_t draw)
{
	if (c->kind != OP_HTTP)
		return c->kind;
	switch (c->language) {
	case LANGUAGE_GO:
		// The plain server has no names for the parts of a path.
		return draw < 50 && strchr(c->text->path, '{') == NULL ? GO_HTTP_SERVER : GIN;
	case LANGUAGE_PYTHON:
		return draw < 45 ? FASTAPI : draw < 80 ? FLASK : DJANGO;
	case LANGUAGE_NODE:
		return EXPRESS;
	case LANGUAGE_JAVA:
	case LANGUAGE_COUNT:
		break;
	}
	return draw < 20 ? TOMCAT : OP_HTTP;
}

static void build_lists(struct segment_set *s)
{
	struct buf text;

	s->dict.component_count = ARRAY_LEN(entry_components);
	s->dict.component = list_new(s, s->dict.component_count, sizeof(struct view));
	for (uint32_t i = 0; i < s->dict.component_count && !s->failed; i++)
		s->dict.component[i] = view_of(entry_components[i].name);
	s->dict.word_count = catalog_word_count + catalog_names(s->cardinality);
	s->dict.word = list_new(s, s->dict.word_count, sizeof(struct view));
	buf_init_own(&text, KIB);
	for (uint32_t i = 0; i < s->dict.word_count && !s->failed; i++) {
		if (i < catalog_word_count) {
			s->dict.word[i] = view_of(catalog_words[i]);
			continue;
		}
		catalog_name(&text, i - catalog_word_count);
		s->dict.word[i] = text_put(s, &text);
	}
	buf_free(&text);
}

// ---- What an operation consists of ---------------------------------------------------------

static void add_slot(struct op_plan *p, enum slot_kind kind, uint8_t depth)
{
	p->slot[p->slot_count++] = (struct slot){.kind = (uint8_t)kind, .depth = depth};
	p->unit[p->unit_count - 1].slot_count++;
}

static void add_unit(struct op_plan *p, enum slot_kind kind, uint32_t chance, uint32_t again)
{
	p->unit[p->unit_count++] = (struct unit){.first_slot = p->slot_count,
						 .chance = (uint16_t)chance,
						 .again = (uint16_t)again};
	add_slot(p, kind, 1);
}

// A statement, alone or with what an ORM or a pool of Java's puts around it.
static void add_database(struct op_plan *p, enum language language, uint32_t chance,
			 uint32_t again, struct dice *d)
{
	uint32_t style = dice_below(d, 100);

	if (language != LANGUAGE_JAVA) {
		add_unit(p, SLOT_DB, chance, again);
	} else if (style < 28) {
		add_unit(p, SLOT_MYBATIS, chance, again);
		add_slot(p, SLOT_DB, 2);
	} else if (style < 42) {
		add_unit(p, SLOT_POOL, chance, again);
		add_slot(p, SLOT_DB, 1);
	} else {
		add_unit(p, SLOT_DB, chance, again);
	}
}

static void count_required(struct op_plan *p)
{
	p->required = 0;
	for (uint32_t i = 0; i < p->unit_count; i++) {
		if (p->unit[i].chance == 256)
			p->required = (uint8_t)(p->required + p->unit[i].slot_count);
	}
}

// The span that some operations have besides.
static void add_extra(struct op_plan *p, enum language language, uint32_t draw)
{
	if (language == LANGUAGE_GO) {
		if (draw < 15)
			add_unit(p, SLOT_MONGO, 140, 40);
		else if (draw < 55)
			add_unit(p, SLOT_TX, 160, 0);
		return;
	}
	if (draw < 12 && language != LANGUAGE_NODE)
		add_unit(p, SLOT_SEARCH, 128, 0);
	else if (draw < 24)
		add_unit(p, SLOT_MONGO, 140, 40);
	else if (language != LANGUAGE_JAVA)
		return;
	else if (draw < 45)
		add_unit(p, SLOT_TX, 160, 0);
	else if (draw < 80)
		add_unit(p, SLOT_JSON, 150, 0);
}

static void compose(struct op_plan *p, enum language language, struct dice *d)
{
	bool business_fault = dice_percent(d, 30);
	uint32_t extra, chance;

	add_unit(p, SLOT_LOCAL, 256, 0);
	chance = 150 + dice_below(d, 140);
	add_unit(p, SLOT_CACHE, chance > 256 ? 256 : chance, 50);
	p->fail_unit = business_fault ? 0 : p->unit_count;
	add_database(p, language, 256, 95, d);
	add_database(p, language, 125, 70, d);
	extra = dice_below(d, 100);
	add_extra(p, language, extra);
	p->inner_max = INNER_USUAL;
	count_required(p);
	while (p->required < INNER_MIN) {
		add_unit(p, SLOT_LOCAL, 256, 0);
		p->required++;
	}
}

static enum op_kind draw_kind(enum language language, uint32_t layer, struct dice *d)
{
	// Percent of HTTP and RPC by layer; the rest are consumers.
	static const uint32_t http[LAYER_COUNT] = {100, 76, 36, 26, 40};
	static const uint32_t rpc[LAYER_COUNT] = {0, 14, 46, 54, 42};
	uint32_t l = layer < LAYER_COUNT ? layer : 0;
	uint32_t v = dice_below(d, 100);
	bool second = dice_percent(d, 45);

	// Node's agent knows no other servers, Dubbo is Java's, and of consumers Go's agent
	// names no groups with Kafka, and Python's knows no RocketMQ.
	if (v < http[l] || language == LANGUAGE_NODE)
		return OP_HTTP;
	if (v < http[l] + rpc[l])
		return second && language == LANGUAGE_JAVA ? OP_DUBBO : OP_GRPC;
	if (language != LANGUAGE_JAVA)
		return language == LANGUAGE_GO ? OP_ROCKETMQ : OP_KAFKA;
	return second ? OP_ROCKETMQ : OP_KAFKA;
}

// ---- Sizes ---------------------------------------------------------------------------------

#define SPREAD_PCT 25u	  // an operation's mean row is within +- of the recipe's
#define HEADER_BYTES 168u // of a blob: ids and names
#define COLUMN_BYTES 330u // text of the ten columns
#define PROBE_TEXT 900u
#define TEXT_LEAST 120u
#define TEXT_MOST 1960u
#define TRIALS 256u
#define STACK_TEXT_MAX (64 * KIB)

// Bytes of the templates of an operation, per slot; error: of the failed one.
struct sizes {
	uint32_t entry, entry_error;
	uint32_t slot[OP_SLOTS_MAX], slot_error[OP_SLOTS_MAX];
};

// What an operation as it was composed turned out to be.
struct fit {
	bool is_known;
	uint32_t count[OP_SLOTS_MAX];
	struct sizes sizes;
};

struct segment_memo {
	struct fit *fit; // of each operation; a worker has some of them to itself
};

struct segment_memo *segment_memo_new(const struct plan *p)
{
	struct segment_memo *m = mem_zalloc(1, sizeof(*m));

	m->fit = mem_zalloc((size_t)plan_recipe(p)->operations, sizeof(*m->fit));
	return m;
}

void segment_memo_free(struct segment_memo *m)
{
	free(m->fit);
	free(m);
}

static bool has_text(const struct slot *slot)
{
	return slot->kind == SLOT_DB || slot->kind == SLOT_SEARCH;
}

// What callers in a language write; nothing of its own where another language writes the same.
static void build_calls(struct template_list *l, struct op_plan *p, const struct op_context *c,
			enum language caller, size_t first)
{
	uint32_t variants = caller == LANGUAGE_JAVA ? p->call_variants : 1;

	if (caller != LANGUAGE_JAVA && agent_calls_alike(c->kind, caller - 1, caller)) {
		p->call_first[caller] = p->call_first[caller - 1];
		p->call_error[caller] = p->call_error[caller - 1];
		return;
	}
	p->call_first[caller] = (uint16_t)(l->count - first);
	for (uint32_t v = 0; v < variants; v++)
		template_call(l, c, caller, v, false);
	p->call_error[caller] = 0;
	if (!p->async) {
		p->call_error[caller] = (uint16_t)(l->count - first);
		template_call(l, c, caller, 0, true);
	}
}

// All templates of an operation, in the order of their numbers. Where only sizes are wanted one
// variant speaks for all: they have texts of the same length.
static void build_templates(struct template_list *l, struct op_plan *p,
			    const struct op_context *c, uint32_t text_bytes, struct sizes *z)
{
	size_t first = l->count;
	const struct unit *fail = &p->unit[p->fail_unit];

	z->entry = template_entry(l, c, false);
	z->entry_error = template_entry(l, c, true);
	p->call_variants = c->kind == OP_HTTP && !c->feign && c->variants > 1 ? 2 : 1;
	// What calls take is segment_call_bytes's, whatever the operation.
	for (enum language i = LANGUAGE_JAVA; i < LANGUAGE_COUNT && !l->measures; i++)
		build_calls(l, p, c, i, first);
	for (uint32_t i = 0; i < p->slot_count; i++) {
		struct slot *slot = &p->slot[i];
		bool fails = i >= fail->first_slot &&
			     i < (uint32_t)fail->first_slot + fail->slot_count &&
			     slot->kind != SLOT_POOL;

		slot->first = (uint16_t)(l->count - first);
		slot->variants = (uint8_t)(slot->kind == SLOT_POOL ? 1 : c->variants);
		for (uint32_t v = 0; v < (l->measures ? 1 : slot->variants); v++)
			z->slot[i] = template_inner(l, c, slot, i, v, text_bytes, false);
		slot->error = 0;
		z->slot_error[i] = z->slot[i];
		if (fails) {
			slot->error = (uint16_t)(l->count - first);
			z->slot_error[i] = template_inner(l, c, slot, i, 0, text_bytes, true);
		}
	}
}

// How often each slot occurs in TRIALS rows.
static void count_slots(const struct op_plan *p, uint64_t key, uint32_t count[OP_SLOTS_MAX])
{
	struct pick pick[INNER_MAX];

	memset(count, 0, OP_SLOTS_MAX * sizeof(*count));
	for (uint32_t t = 0; t < TRIALS; t++) {
		uint32_t picks = segment_pick(p, rng_draw(key, t), pick);

		for (uint32_t i = 0; i < picks; i++) {
			const struct unit *u = &p->unit[pick[i].unit];

			for (uint32_t j = 0; j < u->slot_count; j++)
				count[u->first_slot + j]++;
		}
	}
}

// What rows of an operation take in the mean with texts of PROBE_TEXT, times TRIALS, and how
// many texts are in them.
struct volume {
	uint64_t bytes, texts;
};

static struct volume measure_rows(const struct op_plan *p, const uint32_t count[OP_SLOTS_MAX],
				  const struct sizes *z, uint32_t call_bytes)
{
	struct volume v = {
		(uint64_t)(HEADER_BYTES + COLUMN_BYTES + call_bytes + z->entry) * TRIALS, 0};

	v.bytes += (uint64_t)(z->entry_error - z->entry) * TRIALS / 20; // 5 % error rows
	for (uint32_t i = 0; i < p->slot_count; i++) {
		uint64_t rest =
			z->slot_error[i] > z->slot[i] ? z->slot_error[i] - z->slot[i] : 0;

		v.bytes += (uint64_t)count[i] * z->slot[i] + rest * TRIALS * 29 / 1000;
		v.texts += has_text(&p->slot[i]) ? count[i] : 0;
	}
	return v;
}

// The size of texts that gives rows of `target` bytes in the mean: below TEXT_LEAST or above
// TEXT_MOST when none does.
static int64_t solve_text(struct volume v, uint32_t target)
{
	int64_t lack = (int64_t)target * TRIALS - (int64_t)v.bytes;

	if (v.texts == 0)
		return lack < 0 ? 0 : TEXT_LEAST;
	return PROBE_TEXT + lack / (int64_t)v.texts;
}

// ---- Small and large rows ------------------------------------------------------------------

#define SHRINK_MOST 7u

// Keeps the units that `keep` has a bit for.
static void keep_units(struct op_plan *p, uint32_t keep)
{
	struct op_plan old = *p;

	p->unit_count = p->slot_count = 0;
	for (uint32_t i = 0; i < old.unit_count; i++) {
		struct unit u = old.unit[i];

		if ((keep >> i & 1) == 0)
			continue;
		if (i == old.fail_unit)
			p->fail_unit = p->unit_count;
		memcpy(&p->slot[p->slot_count], &old.slot[u.first_slot],
		       u.slot_count * sizeof(*p->slot));
		u.first_slot = p->slot_count;
		p->slot_count = (uint8_t)(p->slot_count + u.slot_count);
		p->unit[p->unit_count++] = u;
	}
	count_required(p);
}

// What a service leaves out whose rows are small, the longest first: request headers; spans
// that do not always occur; parameters; all spans but the one that fails; the database; stacks
// beside the failing span's;
// every span but the entry and the calls: an error is the entry's then.
static void shrink(struct op_plan *p, struct op_context *c, uint32_t level)
{
	uint32_t always = 0;

	for (uint32_t i = 0; i < p->unit_count; i++)
		always |= p->unit[i].chance == 256 ? UINT32_C(1) << i : 0;
	c->http_headers = c->http_headers && level < 1;
	if (level >= 2) {
		for (uint32_t i = 0; i < p->unit_count; i++)
			p->unit[i].again = 0;
		keep_units(p, always);
	}
	c->http_params = c->http_params && level < 3;
	c->sql_params = c->sql_params && level < 3;
	if (level >= 5) {
		p->fail_unit = 0; // a local span
		c->fault = FAULT_BUSINESS;
	}
	if (level >= 4)
		keep_units(p, UINT32_C(1) << p->fail_unit);
	if (level >= 7)
		keep_units(p, 0);
	c->entry_log = c->entry_log && level < 6;
	c->call_log = c->call_log && level < 6;
}

// Repeats the statement that always occurs until texts of three quarters of their most will do.
static void grow(struct op_plan *p, const struct sizes *z, struct volume v, uint32_t target)
{
	int64_t wanted = TEXT_MOST * 3 / 4, once = 0;
	int64_t lack = (int64_t)target * TRIALS - (int64_t)v.bytes -
		       (wanted - PROBE_TEXT) * (int64_t)v.texts;
	uint32_t at = 0;

	while (p->unit[at].chance != 256 ||
	       !has_text(&p->slot[p->unit[at].first_slot + p->unit[at].slot_count - 1]))
		at++;
	for (uint32_t i = 0; i < p->unit[at].slot_count; i++) {
		uint32_t slot = p->unit[at].first_slot + i;

		once += z->slot[slot] + (has_text(&p->slot[slot]) ? wanted - PROBE_TEXT : 0);
	}
	p->unit[at].extra = (uint16_t)u64_min((uint64_t)(lack / (once * TRIALS)) + 1,
					      INNER_MAX / 2 / p->unit[at].slot_count);
	p->inner_max = INNER_MAX;
}

// ---- Operations ----------------------------------------------------------------------------

static void draw_context(struct op_context *c, struct op_plan *p, struct dice *d,
			 uint32_t variants)
{
	c->entry = entry_component(c, dice_below(d, 100));
	c->postgresql = dice_percent(d, 35);
	c->lettuce = dice_percent(d, 50);
	c->feign = dice_percent(d, 45);
	c->sql_params = dice_percent(d, 85);
	c->http_params = dice_percent(d, 70);
	c->http_headers = dice_percent(d, 40);
	c->entry_log = dice_percent(d, 85);
	c->call_log = dice_percent(d, 50);
	c->component = entry_components[c->entry].id;
	c->fault = p->fail_unit == 0 ? FAULT_BUSINESS
		   : c->postgresql   ? FAULT_POSTGRESQL
				     : FAULT_MYSQL;
	c->variants = variants > 0 ? variants : 1;
	p->variants = (uint8_t)c->variants;
}

static void put_brokers(struct template_list *l, struct op_context *c, struct dice *d)
{
	uint32_t cluster = dice_below(d, 4);
	struct buf text;

	buf_init_own(&text, KIB);
	if (c->kind == OP_KAFKA)
		buf_printf(&text,
			   "kafka-0.mq%u.internal:9092;kafka-1.mq%u.internal:9092;"
			   "kafka-2.mq%u.internal:9092",
			   cluster, cluster, cluster);
	else if (c->kind == OP_ROCKETMQ)
		buf_printf(&text, "rocketmq-ns.mq%u.internal:9876", cluster);
	c->brokers = VIEW("");
	if (text.size > 0)
		c->brokers = arena_copy(l->arena, text.data, text.size);
	l->failed = l->failed || c->brokers.data == NULL || text.failed;
	buf_free(&text);
}

// What operations are made of, the same for all.
struct op_recipe {
	struct segment_set *set;
	const struct plan *plan;
	uint8_t *kind;	   // of each operation
	uint32_t *ordinal; // of each: which name of its list
	uint16_t *spread;  // of each operation: balance_spread
	uint32_t call_bytes[LAYER_COUNT];
	uint32_t scale_1024;
	struct segment_memo *memo; // may be NULL
};

// State of building some operations, one behind the other. Their templates are numbered from 0
// and shared texts from 1 until they are added to the set.
struct op_builder {
	const struct op_recipe *recipe;
	struct template_list list, probe; // probe: measures
	struct arena arena, text_arena;	  // of list and of its texts
	struct texts texts;
	struct buf stack[FAULTS]; // of the operation at work
};

// What the mean row of each operation is in thousandths of the recipe's: 750 to 1250. How far
// it is off is drawn; whether up or down is what brings the mean of all rows so far, popular
// operations first, back to 1000. So the mean is the same for popular operations and rare ones,
// wherever a line between them is drawn.
static uint16_t *balance_spread(const struct plan *p, uint32_t operations)
{
	uint16_t *spread = mem_zalloc(operations, sizeof(*spread));
	uint64_t rows = plan_recipe(p)->spans, seed = plan_recipe(p)->seed;
	uint32_t shift = 0;
	int64_t sum = 0; // of rows times thousandths

	while (rows >> shift > UINT64_C(1) << 40) // the sum would be too large
		shift++;
	for (uint32_t i = 0; i < operations; i++) {
		uint64_t bits = rng_draw(rng_mix(rng_key(seed, RNG_TEMPLATE, i)), 0);
		int64_t off = rng_below(bits, 10 * SPREAD_PCT + 1);
		bool up = sum != 0 ? sum < 0 : (bits & 1) != 0;

		off = up ? off : -off;
		sum += off * (int64_t)(plan_operation_rows(p, i) >> shift);
		spread[i] = (uint16_t)(1000 + off);
	}
	return spread;
}

// What the mean row of an operation is to be.
static uint32_t target_bytes(const struct op_recipe *b, uint32_t operation)
{
	uint64_t scaled = (uint64_t)plan_recipe(b->plan)->row_bytes * b->scale_1024 *
			  b->spread[operation];

	return (uint32_t)(scaled / (UINT64_C(1024) * 1000));
}

// How often slots occur and how large they are.
static void probe(struct op_builder *b, struct op_plan *p, const struct op_context *c,
		  uint64_t key, struct fit *out)
{
	count_slots(p, key, out->count);
	b->probe.count = 0;
	buf_clear(&b->probe.hole);
	build_templates(&b->probe, p, c, PROBE_TEXT, &out->sizes);
	out->is_known = true;
}

// Leaves out or repeats spans until texts of some size make rows of `target` bytes; returns
// that size, or the nearest. composed: of *p as it is, when that is known; else filled.
static uint32_t fit_rows(struct op_builder *b, struct op_plan *p, struct op_context *c,
			 uint32_t target, uint32_t call_bytes, uint64_t key,
			 struct fit *composed)
{
	const struct op_plan whole = *p;
	const struct op_context drawn = *c;
	struct fit fit;
	struct volume v;
	int64_t size = 0;

	for (uint32_t level = 0; level <= SHRINK_MOST && size < TEXT_LEAST; level++) {
		*p = whole;
		*c = drawn;
		shrink(p, c, level);
		if (level > 0)
			probe(b, p, c, key, &fit);
		else if (!composed->is_known)
			probe(b, p, c, key, composed);
		if (level == 0)
			fit = *composed;
		v = measure_rows(p, fit.count, &fit.sizes, call_bytes);
		size = solve_text(v, target);
	}
	if (size > TEXT_MOST) {
		grow(p, &fit.sizes, v, target);
		count_slots(p, key, fit.count);
		size = solve_text(measure_rows(p, fit.count, &fit.sizes, call_bytes), target);
	}
	return (uint32_t)(size < TEXT_LEAST ? TEXT_LEAST : size > TEXT_MOST ? TEXT_MOST : size);
}

static void build_operation(struct op_builder *b, uint32_t index)
{
	const struct op_recipe *r = b->recipe;
	struct segment_set *s = r->set;
	struct operation *out = &s->dict.operation[index];
	struct op_plan *p = &s->op[index];
	struct dice d = {.key = rng_key(s->seed, RNG_TEMPLATE, index)};
	uint32_t size;
	struct op_text text;
	struct op_context c = {.text = &text,
			       .kind = (enum op_kind)r->kind[index],
			       .language = plan_operation_language(r->plan, index),
			       .key = rng_mix(d.key),
			       .stack = b->stack};
	struct fit fit = {0};
	struct sizes z;

	for (uint32_t i = 0; i < FAULTS; i++)
		buf_clear(&b->stack[i]);
	catalog_operation(&text, c.kind, c.language, r->ordinal[index], s->seed);
	p->language = (uint8_t)c.language;
	p->async = c.kind == OP_KAFKA || c.kind == OP_ROCKETMQ;
	p->first_template = (uint32_t)b->list.count;
	compose(p, c.language, &d);
	draw_context(&c, p, &d, plan_recipe(r->plan)->variants);
	put_brokers(&b->list, &c, &d);
	size = fit_rows(b, p, &c, target_bytes(r, index),
			r->call_bytes[plan_operation_layer(r->plan, index)], rng_mix(d.key ^ 1),
			r->memo != NULL ? &r->memo->fit[index] : &fit);
	build_templates(&b->list, p, &c, size, &z);

	out->name = arena_copy(&b->arena, text.name, strlen(text.name));
	b->list.failed |= out->name.data == NULL;
	out->peer = c.brokers;
	out->first_template = p->first_template;
	out->template_count = (uint32_t)b->list.count - p->first_template;
	out->component = c.entry;
}

static void builder_init(struct op_builder *b, const struct op_recipe *r)
{
	b->recipe = r;
	b->arena.max_bytes = b->text_arena.max_bytes = DATA_PAYLOAD_MAX;
	b->texts.arena = &b->text_arena;
	b->list.arena = &b->arena;
	b->list.texts = &b->texts;
	b->probe.measures = true;
	buf_init_own(&b->list.hole, UINT32_MAX / 2);
	buf_init_own(&b->probe.hole, MIB);
	for (uint32_t i = 0; i < FAULTS; i++)
		buf_init_own(&b->stack[i], STACK_TEXT_MAX);
}

static void builder_deinit(struct op_builder *b)
{
	free(b->list.v);
	free(b->list.hole_first);
	buf_free(&b->list.hole);
	free(b->probe.v);
	free(b->probe.hole_first);
	buf_free(&b->probe.hole);
	texts_free(&b->texts);
	arena_free(&b->text_arena);
	arena_free(&b->arena);
	for (uint32_t i = 0; i < FAULTS; i++)
		buf_free(&b->stack[i]);
}

// ---- All operations ------------------------------------------------------------------------

#define JOB_OPERATIONS 32u // built at one go; texts get their numbers in the order of jobs

// Operations are built by workers and added to the set in order.
struct op_jobs {
	struct op_recipe recipe;
	struct op_builder *builder; // one per slot of the pool
	struct template_list list;  // of the set
	uint32_t operations;
};

static uint32_t job_end(const struct op_jobs *j, uint64_t job)
{
	return (uint32_t)u64_min((job + 1) * JOB_OPERATIONS, j->operations);
}

static enum status build_some(void *ctx, unsigned worker, unsigned slot, uint64_t job,
			      struct err *e)
{
	struct op_jobs *j = ctx;
	struct op_builder *b = &j->builder[slot];

	(void)worker;
	(void)e;
	for (uint32_t i = (uint32_t)job * JOB_OPERATIONS; i < job_end(j, job); i++)
		build_operation(b, i);
	b->list.failed |= b->probe.failed || b->list.hole.failed || b->texts.failed;
	return OK;
}

// Texts of a template get the numbers they have in the set.
static void share_texts(struct segment_set *s, const struct span_template *t,
			const uint32_t *number)
{
	struct piece *piece = (struct piece *)(uintptr_t)t->piece;

	for (uint32_t i = 0; i < t->piece_count; i++) {
		if (piece_text(&piece[i]) == 0)
			continue;
		piece[i].text = number[piece[i].text - 1];
		piece[i].literal = s->texts.v[piece[i].text - 1];
	}
}

static void add_templates(struct segment_set *s, struct template_list *to,
			  const struct op_builder *b)
{
	const struct template_list *from = &b->list;
	uint32_t *number = mem_alloc(((size_t)b->texts.count + 1) * sizeof(*number));
	size_t count = to->count + from->count;

	for (uint32_t i = 0; i < b->texts.count; i++)
		number[i] = texts_number(&s->texts, b->texts.v[i]);
	for (size_t i = 0; i < from->count; i++)
		share_texts(s, &from->v[i], number);
	free(number);
	if (count > to->capacity) {
		to->capacity = count + count / 2;
		to->v = mem_realloc(to->v, to->capacity, sizeof(*to->v));
		to->hole_first =
			mem_realloc(to->hole_first, to->capacity + 1, sizeof(*to->hole_first));
	}
	memcpy(&to->v[to->count], from->v, from->count * sizeof(*to->v));
	for (size_t i = 0; i <= from->count; i++)
		to->hole_first[to->count + i] = from->hole_first[i] + (uint32_t)to->hole.size;
	buf_put(&to->hole, from->hole.data, from->hole.size);
	to->count = count;
}

static enum status add_some(void *ctx, unsigned slot, uint64_t job, struct err *e)
{
	struct op_jobs *j = ctx;
	struct segment_set *s = j->recipe.set;
	struct op_builder *b = &j->builder[slot];

	(void)e;
	for (uint32_t i = (uint32_t)job * JOB_OPERATIONS; i < job_end(j, job); i++) {
		s->op[i].first_template += (uint32_t)j->list.count;
		s->dict.operation[i].first_template = s->op[i].first_template;
	}
	s->failed = s->failed || b->list.failed;
	s->arena.no_memory |= b->arena.no_memory | b->text_arena.no_memory;
	if (!s->failed) {
		add_templates(s, &j->list, b);
		s->failed = !arena_join(&s->arena, &b->arena) || s->texts.failed ||
			    j->list.hole.failed;
	}
	b->list.count = 0;
	buf_clear(&b->list.hole);
	texts_free(&b->texts);
	arena_reset(&b->text_arena);
	return OK;
}

// Kinds, and which name of its kind's list each operation has.
static void draw_kinds(struct op_recipe *r, uint32_t count)
{
	uint32_t next[NAMES_COUNT] = {0};

	for (uint32_t i = 0; i < count; i++) {
		struct dice d = {.key = rng_key(r->set->seed, RNG_OPERATION, i)};
		enum language language = plan_operation_language(r->plan, i);
		enum op_kind kind = draw_kind(language, plan_operation_layer(r->plan, i), &d);

		r->kind[i] = (uint8_t)kind;
		r->ordinal[i] = next[catalog_names_of(kind, language)]++;
	}
}

static enum status build_operations(struct segment_set *s, const struct plan *plan,
				    uint32_t count, uint32_t scale_1024, unsigned threads,
				    struct segment_memo *memo, struct err *e)
{
	struct op_jobs j = {
		.recipe = {.set = s,
			   .plan = plan,
			   .kind = mem_alloc((size_t)count + 1),
			   .ordinal = mem_alloc(((size_t)count + 1) * sizeof(uint32_t)),
			   .spread = balance_spread(plan, count),
			   .scale_1024 = scale_1024,
			   .memo = memo},
		.builder = mem_zalloc(pool_slots(threads), sizeof(*j.builder)),
		.operations = count,
	};
	struct pool_job pool = {.work = build_some, .consume = add_some, .ctx = &j};
	enum status st;

	segment_call_bytes(plan, j.recipe.call_bytes);
	s->dict.operation_count = count;
	s->dict.operation = list_new(s, count, sizeof(struct operation));
	s->op = mem_zalloc(count, sizeof(*s->op));
	s->texts.arena = &s->arena;
	buf_init_own(&j.list.hole, UINT32_MAX / 2);
	// Template 0 is the literal blob.
	j.list.capacity = 1024;
	j.list.v = mem_zalloc(j.list.capacity, sizeof(*j.list.v));
	j.list.hole_first = mem_zalloc(j.list.capacity + 1, sizeof(*j.list.hole_first));
	j.list.count = 1;
	draw_kinds(&j.recipe, count);
	for (unsigned i = 0; i < pool_slots(threads); i++)
		builder_init(&j.builder[i], &j.recipe);
	st = s->failed ? OK
		       : pool_run(&pool, threads, 0,
				  (count + JOB_OPERATIONS - 1) / JOB_OPERATIONS, NULL, NULL, e);
	for (unsigned i = 0; i < pool_slots(threads); i++)
		builder_deinit(&j.builder[i]);
	free(j.builder);
	free(j.recipe.kind);
	free(j.recipe.ordinal);
	free(j.recipe.spread);
	s->dict.template = j.list.v;
	s->dict.template_count = (uint32_t)j.list.count;
	s->dict.text = s->texts.v;
	s->dict.text_count = s->texts.count;
	s->hole_first = j.list.hole_first;
	s->hole = j.list.hole.data;
	return st;
}

enum status segment_set_new(struct segment_set **out, const struct plan *p, uint32_t scale_1024,
			    unsigned threads, struct segment_memo *memo, struct err *e)
{
	const struct recipe *r = plan_recipe(p);
	struct segment_set *s = mem_zalloc(1, sizeof(*s));
	enum status st;

	*out = NULL;
	s->seed = r->seed;
	s->cardinality = r->cardinality;
	// The dictionary must fit into one frame.
	s->arena.max_bytes = s->lists.max_bytes = DATA_PAYLOAD_MAX;
	build_lists(s);
	build_services(s, p, (uint32_t)r->services);
	build_instances(s, p, (uint32_t)r->instances);
	st = build_operations(s, p, (uint32_t)r->operations, scale_1024, threads, memo, e);
	segment_time_tables(s, r->self_time);
	segment_hole_tables(s);
	if (st != OK) {
		segment_set_free(s);
		return st;
	}
	if (s->failed && (s->arena.no_memory || s->lists.no_memory)) {
		segment_set_free(s);
		return err_set(e, ERR_MEMORY, "dictionary: out of memory");
	}
	if (s->failed) {
		segment_set_free(s);
		return err_set(
			e, ERR_USAGE,
			"dictionary of %llu services, %llu instances and %llu operations is "
			"too large: making it takes more than %zu MiB (fewer --services, "
			"--instances, --operations or --variants)",
			(unsigned long long)r->services, (unsigned long long)r->instances,
			(unsigned long long)r->operations, DATA_PAYLOAD_MAX / MIB);
	}
	*out = s;
	return OK;
}

void segment_set_free(struct segment_set *s)
{
	if (s == NULL)
		return;
	free(s->op);
	free(s->dict.template);
	free(s->hole_first);
	free(s->hole);
	texts_free(&s->texts);
	arena_free(&s->arena);
	arena_free(&s->lists);
	free(s);
}

void segment_set_forget_texts(struct segment_set *s)
{
	struct dict *d = &s->dict;

	for (uint32_t i = 0; i < d->service_count; i++)
		d->service[i].name = d->service[i].peer = VIEW("");
	for (uint32_t i = 0; i < d->instance_count; i++)
		d->instance[i].name = d->instance[i].id_prefix = VIEW("");
	for (uint32_t i = 0; i < d->operation_count; i++)
		d->operation[i].name = d->operation[i].peer = VIEW("");
	free(d->template);
	d->template = NULL;
	d->template_count = d->word_count = d->text_count = 0;
	texts_free(&s->texts);
	d->text = NULL;
	arena_free(&s->arena);
}

const struct dict *segment_set_dict(const struct segment_set *s)
{
	return &s->dict;
}
