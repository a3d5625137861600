// SPDX-License-Identifier: Apache-2.0
// From options to a recipe: the three scales, and what an option left out follows from. Pure.
#ifndef GEN_SCALE_H
#define GEN_SCALE_H

#include "common/manifest.h"

#define SCALE_CHOICES "small|medium|large"
enum scale { SCALE_SMALL, SCALE_MEDIUM, SCALE_LARGE };

// 0: not given.
struct scale_wish {
	int scale; // enum scale
	uint64_t spans, traces, services, instances, operations;
	uint64_t window_ms;
};

// Fills the counts of *r and gives every other field its default. Spans or traces alone keep 10
// spans per trace. Fewer spans than the scale has, and none of services, instances, operations
// given: these three shrink in proportion, to no fewer than 10, 50 and 100 (and to what the
// spans allow). Instances follow services (5 each) when only these are given.
void scale_recipe(const struct scale_wish *w, struct recipe *r);

#endif
