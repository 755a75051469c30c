/* SPDX-License-Identifier: MIT */
/*
 * Stands in for blobfs/bytes.h in the proofs: the same functions, with the library models
 * of the checker for sizes that are not known, and a check that the bytes are there.
 */
#ifndef CAIRN_BLOBFS_BYTES_H
#define CAIRN_BLOBFS_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void copy(uint8_t *to, const uint8_t *from, size_t size)
{
	__CPROVER_assert(size == 0 || __CPROVER_r_ok(from, size), "copy: bytes to read");
	__CPROVER_assert(size == 0 || __CPROVER_w_ok(to, size), "copy: room to write");
	if (size > 0)
		memcpy(to, from, size);
}

static inline void wipe(uint8_t *data, size_t size)
{
	__CPROVER_assert(size == 0 || __CPROVER_w_ok(data, size), "wipe: room to write");
	if (size > 0)
		memset(data, 0, size);
}

static inline int compare(const uint8_t *a, const uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

#endif
