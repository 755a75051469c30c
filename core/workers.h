/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_WORKERS_H
#define CAIRN_CORE_WORKERS_H

#include <stdint.h>

/* As many threads as the affinity mask has processors; at least 1. */
unsigned workers_default(void);

/*
 * Does item 0 to N_ITEMS - 1 on up to JOBS threads (0: workers_default), the caller's
 * being one of them. DO_ITEM gets the number of its thread, below JOBS, for scratch
 * memory. Items are handed out in order. When one fails no further ones are started,
 * and the error of the lowest failed item is the result, so that it does not depend on
 * the number of threads.
 */
int workers_run(unsigned jobs, uint64_t n_items,
	int (*do_item)(void *context, unsigned worker, uint64_t item), void *context);

#endif
