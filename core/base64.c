/* SPDX-License-Identifier: MIT */
#include "core/base64.h"

#include <stdbool.h>
#include <string.h>

static int digit(uint8_t c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/";
	const char *p = c ? strchr(alphabet, c) : NULL;
	return p ? (int)(p - alphabet) : -1;
}

/* Decodes the four characters C into BYTES and returns how many those are, or -1. */
static int decode_group(const uint8_t *c, bool last, uint8_t bytes[3])
{
	int pad = last && c[3] == '=' ? (c[2] == '=' ? 2 : 1) : 0;
	uint32_t bits = 0;
	for (int i = 0; i < 4; i++) {
		int value = i >= 4 - pad ? 0 : digit(c[i]);
		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
	}
	if (bits & ((UINT32_C(1) << 8 * pad) - 1))
		return -1;
	bytes[0] = (uint8_t)(bits >> 16);
	bytes[1] = (uint8_t)(bits >> 8);
	bytes[2] = (uint8_t)bits;
	return 3 - pad;
}

int base64_decode(struct span text, struct buffer *data)
{
	if (text.size == 0 || text.size % 4)
		return 1;
	int r = buffer_reserve(data, text.size / 4 * 3);
	for (size_t i = 0; r == 0 && i < text.size; i += 4) {
		uint8_t bytes[3];
		int n = decode_group(text.data + i, i + 4 == text.size, bytes);
		r = n < 0 ? 1 : buffer_append(data, bytes, (size_t)n);
	}
	return r;
}
