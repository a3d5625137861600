// SPDX-License-Identifier: Apache-2.0
// The joint table of services and operations: which service serves which operation in how many
// rows, with row and column sums equal to given quotas. Pure. The quotas are plan's.
#ifndef GEN_JOINT_H
#define GEN_JOINT_H

#include "common/base.h"

// Items of one class meet only items of the same class when the rows of the class are as many
// on both sides. Groups of a class follow one another and may overlap a little.
#define JOINT_CLASS_GROUPS 8u
#define JOINT_GROUPS 32u

// What the table is made of; arrays are borrowed during joint_init.
struct joint_side {
	const uint64_t *rows; // quota of each item
	const uint8_t *group; // of each item: JOINT_CLASS_GROUPS groups make a class
	uint32_t count;
};

struct joint_cell {
	uint64_t start; // first unit; the cell ends where the next one starts
	uint32_t service, operation;
};

// Units 0..rows-1 in service-major order. cell[cell_count] is a sentinel with start = rows.
struct joint {
	struct joint_cell *cell; // owned
	uint32_t *bucket;	 // owned: unit >> shift -> the cell of its first unit
	uint64_t rows;
	uint32_t cell_count;
	uint32_t shift;
};

// The sums of both sides must be equal.
void joint_init(struct joint *j, uint64_t seed, const struct joint_side *services,
		const struct joint_side *operations);
void joint_deinit(struct joint *j);
const struct joint_cell *joint_at(const struct joint *j, uint64_t unit);

#endif
