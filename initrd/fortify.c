/* SPDX-License-Identifier: MIT */

/*
 * Debian's static libraries are compiled against glibc, with checks of buffers' sizes in
 * functions that musl lacks. Here they are, with the check (the compiler passes the size
 * of the target, or SIZE_MAX if it does not know it).
 */

#include <stdlib.h>
#include <string.h>

void *__memcpy_chk(void *to, const void *from, size_t n, size_t size);
void *__memmove_chk(void *to, const void *from, size_t n, size_t size);
void *__memset_chk(void *to, int byte, size_t n, size_t size);

void *__memcpy_chk(void *to, const void *from, size_t n, size_t size)
{
	if (n > size)
		abort();
	return memcpy(to, from, n);
}

void *__memmove_chk(void *to, const void *from, size_t n, size_t size)
{
	if (n > size)
		abort();
	return memmove(to, from, n);
}

void *__memset_chk(void *to, int byte, size_t n, size_t size)
{
	if (n > size)
		abort();
	return memset(to, byte, n);
}
