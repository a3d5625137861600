// SPDX-License-Identifier: Apache-2.0
// Progress lines of runs over rows.
#include "common/progress.h"

#include <inttypes.h>
#include <stdio.h>

// "0:07", "12:00", "3:05:09", "2 d 03:05:09".
static void left_text(uint64_t s, char out[48])
{
	uint64_t days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60;

	if (days > 0)
		snprintf(out, 48, "%" PRIu64 " d %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, days,
			 hours, minutes, s % 60);
	else if (hours > 0)
		snprintf(out, 48, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, hours, minutes,
			 s % 60);
	else
		snprintf(out, 48, "%" PRIu64 ":%02" PRIu64, minutes, s % 60);
}

// "999", "81.2k", "3.7M", "1000.0G": one decimal, rounded down.
static void count_text(uint64_t n, char out[32])
{
	static const char unit[] = {'k', 'M', 'G'};
	size_t u = 0;

	if (n < 1000) {
		snprintf(out, 32, "%" PRIu64, n);
		return;
	}
	n /= 100; // tenths of a thousand
	for (; n >= 10000 && u + 1 < ARRAY_LEN(unit); u++)
		n /= 1000;
	snprintf(out, 32, "%" PRIu64 ".%" PRIu64 "%c", n / 10, n % 10, unit[u]);
}

void progress_text(const struct progress *p, int64_t now_ns, uint64_t rows, uint64_t bytes,
		   char out[PROGRESS_TEXT_SIZE])
{
	uint64_t us = now_ns > p->begin_ns ? (uint64_t)(now_ns - p->begin_ns) / 1000 : 0;
	uint64_t done = rows - u64_min(rows, p->rows_before);
	uint64_t left_rows = p->rows_all - u64_min(rows, p->rows_all);
	uint64_t mb_per_s_x10;
	char left[48] = "?:??", rows_done[32], rows_all[32], rate[32];

	us = u64_max(us, 1);
	mb_per_s_x10 = u64_mul_div(bytes, 10, us);
	if (done > 0)
		left_text(u64_mul_div(left_rows, us, done) / 1000000, left);
	count_text(rows, rows_done);
	count_text(p->rows_all, rows_all);
	count_text(u64_mul_div(done, 1000000, us), rate);
	snprintf(out, PROGRESS_TEXT_SIZE,
		 "%" PRIu64 " %%, %s left, %s of %s rows, %s rows/s, %" PRIu64 ".%" PRIu64
		 " MB/s %s",
		 p->rows_all == 0 ? 100
				  : u64_mul_div(u64_min(rows, p->rows_all), 100, p->rows_all),
		 left, rows_done, rows_all, rate, mb_per_s_x10 / 10, mb_per_s_x10 % 10,
		 p->verb);
}

void progress_show(const struct progress *p, int64_t now_ns, uint64_t rows, uint64_t bytes)
{
	char text[PROGRESS_TEXT_SIZE];

	progress_text(p, now_ns, rows, bytes, text);
	log_progress(p->log, now_ns, "%s", text);
}
