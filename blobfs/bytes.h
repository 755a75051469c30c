/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_BYTES_H
#define CAIRN_BLOBFS_BYTES_H

/*
 * What the reader needs of a libc that it does not have. Loops, because freestanding code
 * has no builtins; the proofs put models in their place (tests/proof/).
 */

#include <stddef.h>
#include <stdint.h>

static inline void copy(uint8_t *to, const uint8_t *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = from[i];
}

static inline void wipe(uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = 0;
}

/* Less than, equal to or greater than 0 as A sorts before, with or after B. */
static inline int compare(const uint8_t *a, const uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

#endif
