// SPDX-License-Identifier: Apache-2.0
// The scales and their defaults. Whether the numbers go together is plan's to say.
#include "gen/scale.h"

#define SPANS_PER_TRACE 10u
#define INSTANCES_PER_SERVICE 5u
#define SERVICES_LEAST 10u
#define OPERATIONS_PER_SERVICE 10u
#define SPANS_PER_ITEM 20u // fewest spans per service or operation when they shrink

#define HOUR_MS UINT64_C(3600000)

static const struct scale_wish scales[] = {
	[SCALE_SMALL] = {SCALE_SMALL, 100000, 10000, 100, 500, 1000, HOUR_MS},
	[SCALE_MEDIUM] = {SCALE_MEDIUM, 10000000, 1000000, 1000, 5000, 1000, 24 * HOUR_MS},
	[SCALE_LARGE] = {SCALE_LARGE, 1000000000, 100000000, 10000, 50000, 1000, 168 * HOUR_MS},
};

// Fields that no scale sets.
static const struct recipe defaults = {
	.content_version = CONTENT_VERSION,
	.seed = 1,
	.block_traces = 500,
	.variants = 3,
	.row_bytes = 5000,
	.errors_mpct = 5000,
	.order = ORDER_START,
	.base_epoch_ms = INT64_C(1767225600000), // 2026-01-01T00:00:00Z
	.zipf_services_mpct = 80000,
	.zipf_operations_mpct = 80000,
	.class_simple_pct = 20,
	.class_medium_pct = 60,
	.zipf_services_top_mpct = 20000,
	.zipf_operations_top_mpct = 20000,
	.self_time = SELF_TIME_LOGNORMAL,
	.cardinality = 15000,
};

static uint64_t or_default(uint64_t wish, uint64_t otherwise)
{
	return wish != 0 ? wish : otherwise;
}

static void shrink(const struct scale_wish *full, struct recipe *r)
{
	uint64_t most = u64_max(r->spans / SPANS_PER_ITEM, 1);

	r->services = u64_mul_div(full->services, r->spans, full->spans);
	r->services = u64_min(u64_max(r->services, SERVICES_LEAST), most);
	r->instances = r->services * INSTANCES_PER_SERVICE;
	r->operations =
		u64_min(r->services * OPERATIONS_PER_SERVICE, u64_min(full->operations, most));
}

void scale_recipe(const struct scale_wish *w, struct recipe *r)
{
	const struct scale_wish *full = &scales[w->scale];

	*r = defaults;
	r->spans = full->spans;
	if (w->spans != 0)
		r->spans = w->spans;
	else if (w->traces != 0)
		r->spans = w->traces * SPANS_PER_TRACE;
	r->traces = or_default(w->traces, u64_max(r->spans / SPANS_PER_TRACE, 1));
	r->window_ms = or_default(w->window_ms, full->window_ms);
	if (w->services == 0 && w->instances == 0 && w->operations == 0 &&
	    r->spans < full->spans) {
		shrink(full, r);
		return;
	}
	r->services = or_default(w->services, full->services);
	r->instances = or_default(w->instances, r->services * INSTANCES_PER_SERVICE);
	r->operations = or_default(w->operations, full->operations);
}
