/* SPDX-License-Identifier: MIT */
#include "initrd/plan/vouch.h"

#include <stdbool.h>
#include <string.h>

struct reader {
	struct span text;
	size_t at;
};

static const char *const members[] = {"rootHash", "certificateFingerprint", "signature"};
#define N_MEMBERS 3

static bool take(struct reader *in, char c)
{
	while (in->at < in->text.size && memchr(" \t\r\n", in->text.data[in->at], 4))
		in->at++;
	if (in->at == in->text.size || in->text.data[in->at] != c)
		return false;
	in->at++;
	return true;
}

/* A string without escapes, of printable ASCII. */
static bool take_string(struct reader *in, struct span *string)
{
	if (!take(in, '"'))
		return false;
	for (size_t start = in->at; in->at < in->text.size; in->at++) {
		uint8_t c = in->text.data[in->at];
		if (c == '"') {
			*string = span_of(in->text.data + start, in->at++ - start);
			return true;
		}
		if (c < ' ' || c > '~' || c == '\\')
			return false;
	}
	return false;
}

static bool equals(struct span s, const char *text)
{
	return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

static bool take_member(struct reader *in, struct span values[N_MEMBERS])
{
	struct span key, value;
	if (!take_string(in, &key) || !take(in, ':') || !take_string(in, &value))
		return false;
	for (int i = 0; i < N_MEMBERS; i++)
		if (equals(key, members[i]) && !values[i].data) {
			values[i] = value;
			return true;
		}
	return false;
}

static int digit(uint8_t c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/";
	const char *p = c ? strchr(alphabet, c) : NULL;
	return p ? (int)(p - alphabet) : -1;
}

/* Canonical base64 only: padded, and the bits that are left over are 0. */
static bool decode(struct span text, struct buffer *out)
{
	if (text.size == 0 || text.size % 4 || buffer_reserve(out, text.size / 4 * 3) < 0)
		return false;
	for (size_t i = 0; i < text.size; i += 4) {
		const uint8_t *c = text.data + i;
		bool last = i + 4 == text.size;
		int pad = last && c[3] == '=' ? (c[2] == '=' ? 2 : 1) : 0;
		uint32_t bits = 0;
		for (int j = 0; j < 4; j++) {
			int value = j >= 4 - pad ? 0 : digit(c[j]);
			if (value < 0)
				return false;
			bits = bits << 6 | (uint32_t)value;
		}
		if (bits & ((UINT32_C(1) << 8 * pad) - 1))
			return false;
		uint8_t bytes[3] = {
			(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
		if (buffer_append(out, bytes, (size_t)(3 - pad)) < 0)
			return false;
	}
	return true;
}

static bool only_zeros(struct span s, size_t from)
{
	for (; from < s.size; from++)
		if (s.data[from])
			return false;
	return true;
}

int vouch_parse(struct span partition, const char *name, const char *root_hash,
	struct buffer *pkcs7)
{
	struct span values[N_MEMBERS] = {{NULL, 0}};
	struct reader in = {.text = partition};
	if (partition.size > VOUCH_MAX_SIZE)
		return error_format(
			"%s: signature larger than %d bytes", name, VOUCH_MAX_SIZE);
	if (only_zeros(partition, 0))
		return 1;
	bool good = take(&in, '{');
	for (int i = 0; good && i < N_MEMBERS; i++)
		good = (i == 0 || take(&in, ',')) && take_member(&in, values);
	if (!good || !take(&in, '}'))
		return error_format("%s: malformed signature at offset %zu", name, in.at);
	take(&in, '\n');
	if (!only_zeros(partition, in.at))
		return error_format("%s: bytes after the signature", name);
	if (!equals(values[0], root_hash))
		return 1;
	if (!decode(values[2], pkcs7))
		return error_format("%s: the signature is not base64", name);
	return 0;
}
