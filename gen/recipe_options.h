// SPDX-License-Identifier: Apache-2.0
// The options that decide content: their table, and the recipe they make, alone or beside one
// that is given (--recipe) or stored. Reads the file of --recipe and nothing else. Whether a
// recipe can be met is plan's to say.
#ifndef GEN_RECIPE_OPTIONS_H
#define GEN_RECIPE_OPTIONS_H

#include "common/opt.h"
#include "gen/scale.h"

#define RECIPE_OPTIONS_MAX 24

struct recipe_options {
	struct scale_wish wish;
	uint64_t seed, block_traces, variants, row_bytes, cardinality;
	uint32_t errors_mpct, late_mpct, duplicates_mpct;
	int order, self_time;
	const char *complexity, *zipf_services, *zipf_operations; // NULL: not given
	const char *file;					  // of --recipe, or NULL
	struct {
		const char *name;
		bool given;
	} option[RECIPE_OPTIONS_MAX];
	uint32_t option_count;
};

// Defaults.
void recipe_options_init(struct recipe_options *o);
// Appends the table's entries at `table`, which borrow o; returns where the next one goes.
struct opt *recipe_options_table(struct recipe_options *o, struct opt *table);
// After parsing: the recipe of the options, or with --recipe the one of that file. ERR_USAGE
// names an option whose value is wrong or differs from the file's; ERR_VERSION, ERR_FORMAT, ...
// name the file.
enum status recipe_options_make(const struct recipe_options *o, struct recipe *r,
				struct err *e) MUST_CHECK;
// ERR_USAGE when an option is given that says other than the recipe `stored`, which `where`
// has.
enum status recipe_options_agree(const struct recipe_options *o, const struct recipe *stored,
				 const char *where, struct err *e) MUST_CHECK;
// An option that says how large the corpus is: --scale, --spans, --traces or --recipe.
bool recipe_options_has_size(const struct recipe_options *o);

#endif
