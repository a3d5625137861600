// SPDX-License-Identifier: Apache-2.0
// Which rows of a block come late or twice, and by how much. Pure.
#ifndef GEN_DISORDER_H
#define GEN_DISORDER_H

#include "common/corpus.h"
#include "gen/plan.h"

// Fills the late and duplicate columns of a block whose rows are complete: pb->late_rows and
// pb->duplicate_rows, any row as likely as another, each moved by a distance whose logarithm is
// uniform between one place and the end of the block. Every late row has a row on time before
// it that the order has behind it, and a row on time never does.
void disorder_block(const struct recipe *r, const struct dict *d, const struct plan_block *pb,
		    struct block *b);

#endif
