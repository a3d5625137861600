// SPDX-License-Identifier: Apache-2.0
// Due times by whole seconds and a rest, so that no product overflows in a thousand years of
// spans.
#include "replay/pacer.h"

int64_t pacer_due_ns(const struct pacer *p, uint64_t k)
{
	uint64_t spans = k * p->bulk;

	if (p->rate_per_s == 0)
		return p->start_ns;
	return p->start_ns + (int64_t)(spans / p->rate_per_s) * NS_PER_S +
	       (int64_t)u64_mul_div(spans % p->rate_per_s, (uint64_t)NS_PER_S, p->rate_per_s);
}

uint64_t pacer_due_count(const struct pacer *p, int64_t now_ns)
{
	uint64_t passed, spans, k;

	if (p->rate_per_s == 0)
		return UINT64_MAX;
	if (now_ns < p->start_ns)
		return 0;
	passed = (uint64_t)(now_ns - p->start_ns);
	spans = passed / (uint64_t)NS_PER_S * p->rate_per_s +
		u64_mul_div(passed % (uint64_t)NS_PER_S, p->rate_per_s, (uint64_t)NS_PER_S);
	k = spans / p->bulk;
	while (pacer_due_ns(p, k) <= now_ns)
		k++;
	return k;
}
