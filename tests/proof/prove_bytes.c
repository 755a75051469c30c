/* SPDX-License-Identifier: MIT */
/* The real copy, wipe and compare do what their models in the other proofs say. */
#include <stdbool.h>

#include "blobfs/bytes.h"

#define SIZE 40

size_t nondet_size(void);

void prove_bytes(void)
{
	uint8_t a[SIZE], b[SIZE], to[SIZE];
	size_t size = nondet_size(), i = nondet_size();
	__CPROVER_havoc_object(a);
	__CPROVER_havoc_object(b);
	__CPROVER_havoc_object(to);
	__CPROVER_assume(size <= SIZE && i < SIZE);
	uint8_t was = to[i];
	copy(to, a, size);
	__CPROVER_assert(to[i] == (i < size ? a[i] : was), "copy");
	was = to[i];
	wipe(to, size);
	__CPROVER_assert(to[i] == (i < size ? 0 : was), "wipe");
	int order = compare(a, b, size);
	if (order == 0 && i < size)
		__CPROVER_assert(a[i] == b[i], "equal");
	__CPROVER_assert(order == -compare(b, a, size), "compare is antisymmetric");
#ifdef REACH
	if (order == 0 && size == SIZE)
		__CPROVER_assert(0, "reachable");
#endif
}
