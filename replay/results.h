// SPDX-License-Identifier: Apache-2.0
// What a run's figures are called, and results.json. Names are only ever added. Pure but for
// the one file it writes.
#ifndef REPLAY_RESULTS_H
#define REPLAY_RESULTS_H

#include <jansson.h>

#include "replay/write.h"

// Rates over the measured phase. Rows: acked ones; in a dry run, encoded ones.
struct rates {
	double spans_per_s, traces_per_s, mb_per_s; // MB: 10^6 wire bytes of WriteRequests
	double cpu_us_per_span;			    // negative: no span was sent
};

struct rates results_rates(const struct write_report *r, bool dry_run);

// The asked rate was not kept up: less than 95 % of it was acked, and some bulk began later
// than a twentieth of the time that the rows have at that rate. False in a closed loop.
bool results_rate_missed(const struct write_options *o, const struct write_report *r);

#define RESULTS_PERCENTILES 4
struct percentile {
	const char *key, *label; // "p999", "P99.9"
	uint32_t p_100000;
};
extern const struct percentile results_percentiles[RESULTS_PERCENTILES];

// The document; the caller owns it.
json_t *results_json(const struct write_options *o, const struct write_report *r);
// For before a run, which should not end by finding out: ERR_IO when no file can be put there,
// ERR_EXISTS when what is there is no results file.
enum status results_check_path(const char *path, struct err *e) MUST_CHECK;
// Writes it under path, whole or not at all; an older file is replaced (results_check_path says
// which may be).
enum status results_write(const char *path, const json_t *json, struct err *e) MUST_CHECK;

#endif
