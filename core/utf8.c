/* SPDX-License-Identifier: MIT */
#include "core/utf8.h"

size_t utf8_length(struct span s)
{
	uint8_t c = s.data[0];
	if (c < 0x80)
		return 1;
	size_t n = c >= 0xc2 && c < 0xe0   ? 2
		   : c >= 0xe0 && c < 0xf0 ? 3
		   : c >= 0xf0 && c < 0xf5 ? 4
					   : 0;
	if (n == 0 || s.size < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s.data[i] & 0xc0) != 0x80)
			return 0;
	uint8_t d = s.data[1];
	if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) ||
		(c == 0xf0 && d < 0x90) || (c == 0xf4 && d > 0x8f))
		return 0;
	return n;
}
