/* SPDX-License-Identifier: MIT */
#include "core/huge.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)1 << 21)

void *huge_alloc(size_t size)
{
	if (size > SIZE_MAX - HUGE_PAGE)
		return NULL;
	size = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	void *memory = aligned_alloc(HUGE_PAGE, size);
	/* Only a wish: without huge pages it is memory all the same. */
	if (memory)
		madvise(memory, size, MADV_HUGEPAGE);
	return memory;
}
