/* SPDX-License-Identifier: MIT */
#include "core/hex.h"

#include <string.h>

char *hex_encode(const void *data, size_t size, char *text)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * size] = 0;
	return text;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *text, void *data, size_t size)
{
	uint8_t *bytes = data;
	for (size_t i = 0; i < size; i++) {
		int high = digit(text[2 * i]);
		int low = high < 0 ? -1 : digit(text[2 * i + 1]);
		if (low < 0)
			return -1;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * size] ? -1 : 0;
}

/* Bytes before which a dash stands. */
static int dash_before(int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

char *uuid_encode(const uint8_t uuid[16], char text[UUID_TEXT_SIZE])
{
	char *p = text;
	for (int i = 0; i < 16; i++) {
		if (dash_before(i))
			*p++ = '-';
		hex_encode(uuid + i, 1, p);
		p += 2;
	}
	return text;
}

int uuid_decode(const char *text, uint8_t uuid[16])
{
	if (strlen(text) != UUID_TEXT_SIZE - 1)
		return -1;
	for (int i = 0; i < 16; i++) {
		if (dash_before(i) && *text++ != '-')
			return -1;
		char pair[3] = {text[0], text[1], 0};
		if (hex_decode(pair, uuid + i, 1))
			return -1;
		text += 2;
	}
	return 0;
}

void uuid_swap(uint8_t uuid[16])
{
	const uint8_t u[8] = {
		uuid[3], uuid[2], uuid[1], uuid[0], uuid[5], uuid[4], uuid[7], uuid[6]};
	memcpy(uuid, u, sizeof u);
}
