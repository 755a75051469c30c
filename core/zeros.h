/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_ZEROS_H
#define CAIRN_CORE_ZEROS_H

#include <stdbool.h>
#include <string.h>

#include "core/span.h"

/* Whether there is nothing but zeros in S; also if it is empty. */
static inline bool is_zeros(struct span s)
{
	/* Each byte is the one before it. */
	return s.size == 0 || (s.data[0] == 0 && !memcmp(s.data, s.data + 1, s.size - 1));
}

#endif
