// SPDX-License-Identifier: Apache-2.0
// The only clock calls. Everything else is handed the time.
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include "common/base.h"

int64_t clock_monotonic_ns(void);
int64_t clock_wall_ms(void);	    // ms since 1970
int64_t clock_process_cpu_ns(void); // user + system of all threads of this process (getrusage)
void clock_sleep_until_ns(
	int64_t monotonic_ns); // absolute, restarts after signals; returns at once when past

#endif
