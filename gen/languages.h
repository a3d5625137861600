// SPDX-License-Identifier: Apache-2.0
// Who speaks what: a language for each service, and for each operation a layer and the language
// of the services that will serve it. Pure. Quotas and the layers of services are plan's, who
// serves which operation is joint's.
#ifndef GEN_LANGUAGES_H
#define GEN_LANGUAGES_H

#include "gen/joint.h"
#include "gen/plan.h"

// A group of joint's: the language is its class, the layer its place within.
static inline uint8_t group_of(enum language language, uint32_t layer)
{
	return (uint8_t)(language * JOINT_CLASS_GROUPS + layer);
}

static inline uint8_t group_layer(uint8_t group)
{
	return group % JOINT_CLASS_GROUPS;
}

static inline enum language group_language(uint8_t group)
{
	return (enum language)(group / JOINT_CLASS_GROUPS);
}

// Items by falling rows; the sums of both sides must be equal. services->group holds layers and
// receives groups, operations->group receives groups. Every language has as many rows on both
// sides, exactly: one for which no such choice of operations is found (there are too few) is
// left out, and Java takes its place.
struct language_side {
	const uint64_t *rows;
	uint8_t *group;
	uint32_t count;
};
void languages_assign(struct language_side *services, struct language_side *operations);

#endif
