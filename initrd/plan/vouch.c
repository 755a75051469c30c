/* SPDX-License-Identifier: MIT */
#include "initrd/plan/vouch.h"

#include <stdbool.h>
#include <string.h>

#include "core/base64.h"
#include "core/zeros.h"

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

static bool only_zeros(struct span s, size_t from)
{
	return from >= s.size || is_zeros(span_of(s.data + from, s.size - from));
}

/* 64 lower-case hex digits. */
static bool is_hash(struct span s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!(s.data[i] >= '0' && s.data[i] <= '9') &&
			!(s.data[i] >= 'a' && s.data[i] <= 'f'))
			return false;
	return s.size == VOUCH_FINGERPRINT_SIZE - 1;
}

int vouch_parse(struct span partition, const char *name, const char *root_hash,
	struct buffer *pkcs7, char *fingerprint)
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
	if (!is_hash(values[1]))
		return error_format("%s: malformed certificateFingerprint", name);
	int r = base64_decode(values[2], pkcs7);
	if (r > 0)
		return error_format("%s: the signature is not base64", name);
	if (r == 0 && fingerprint) {
		memcpy(fingerprint, values[1].data, values[1].size);
		fingerprint[values[1].size] = 0;
	}
	return r;
}
