/* SPDX-License-Identifier: MIT */
#include "core/signature.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/openssl.h"
#include "core/pkcs7.h"

void signature_free(struct signature *s)
{
	buffer_free(&s->pkcs7);
	*s = (struct signature){0};
}

static bool is_hex(struct span s, size_t digits)
{
	for (size_t i = 0; i < s.size; i++)
		if (!(s.data[i] >= '0' && s.data[i] <= '9') &&
			!(s.data[i] >= 'a' && s.data[i] <= 'f'))
			return false;
	return s.size == digits;
}

/* S becomes the signature RAW by CERTIFICATE, which was verified. */
static int fill(struct signature *s, const struct certificate *certificate,
	const char *root_hash, struct span raw)
{
	AUTO(pkcs7, PKCS7) *p7 = pkcs7_new(certificate, raw);
	if (!p7)
		return -ENOMEM;
	if (!PKCS7_content_new(p7, NID_pkcs7_data) || !PKCS7_set_detached(p7, 1))
		return openssl_error(STATUS_FAILED, "cannot make PKCS#7");
	signature_free(s);
	memcpy(s->root_hash, root_hash, sizeof s->root_hash);
	memcpy(s->fingerprint, certificate->fingerprint, sizeof s->fingerprint);
	return DER_APPEND(&s->pkcs7, i2d_PKCS7, p7);
}

static int check_root_hash(const char *root_hash)
{
	if (is_hex(span_of(root_hash, strlen(root_hash)), ROOT_HASH_TEXT_SIZE - 1))
		return 0;
	return error_format(
		"%s: is not a SHA-256 root hash in lower-case hex", root_hash);
}

int signature_make(
	struct signature *s, const struct signer *signer, const char *root_hash)
{
	BUFFER raw = {0};
	int r = check_root_hash(root_hash);
	if (r == 0)
		r = signer_sign(signer, span_of(root_hash, strlen(root_hash)), &raw);
	return r < 0 ? r : fill(s, &signer->certificate, root_hash, buffer_span(&raw));
}

int signature_attach(struct signature *s, const struct certificate *certificate,
	const char *root_hash, struct span answer)
{
	struct span text = span_of(root_hash, strlen(root_hash)), raw = answer;
	AUTO(pkcs7, PKCS7) *p7 = NULL;
	int r = check_root_hash(root_hash);
	if (r < 0)
		return r;
	/* An ECDSA signature is DER as well, but no PKCS#7. */
	if (pkcs7_parse(answer, "answer", &p7) == 0) {
		const ASN1_STRING *inside = pkcs7_signer(p7)->enc_digest;
		raw = span_of(ASN1_STRING_get0_data(inside),
			(size_t)ASN1_STRING_length(inside));
	}
	r = signer_verify(certificate, "sha256", text, raw);
	return r < 0 ? r : fill(s, certificate, root_hash, raw);
}

int signature_write(const struct signature *s, struct buffer *json)
{
	size_t size = s->pkcs7.size;
	char *base64 = malloc(4 * (size / 3 + 1) + 1);
	if (!base64)
		return error_memory();
	EVP_EncodeBlock((uint8_t *)base64, s->pkcs7.data, (int)size);
	int r = buffer_printf(json,
		"{\"rootHash\":\"%s\",\"certificateFingerprint\":\"%s\",\"signature\":\"%"
		"s\"}",
		s->root_hash, s->fingerprint, base64);
	free(base64);
	return r;
}

int signature_partition(const struct signature *s, struct buffer *partition)
{
	size_t start = partition->size;
	int r = s ? signature_write(s, partition) : 0;
	if (r < 0)
		return r;
	size_t size = partition->size - start;
	if (size > SIGNATURE_PARTITION_SIZE)
		return error_set(STATUS_FAILED, EFBIG,
			"a signature of %zu bytes does not fit its partition of %d", size,
			SIGNATURE_PARTITION_SIZE);
	return buffer_append_zeros(partition, SIGNATURE_PARTITION_SIZE - size);
}

/* ---- the parser ------------------------------------------------------------------- */

struct reader {
	struct span text;
	size_t at;
	const char *name;
};

static const char *const members[] = {"rootHash", "certificateFingerprint", "signature"};
#define N_MEMBERS 3

static int malformed(const struct reader *in, const char *what)
{
	return error_format(
		"%s: malformed signature at offset %zu: %s", in->name, in->at, what);
}

static void skip_space(struct reader *in)
{
	while (in->at < in->text.size && memchr(" \t\r\n", in->text.data[in->at], 4))
		in->at++;
}

/* Skips white space and takes the character C, if it is the next. */
static bool take(struct reader *in, char c)
{
	skip_space(in);
	if (in->at == in->text.size || in->text.data[in->at] != c)
		return false;
	in->at++;
	return true;
}

static int read_string(struct reader *in, struct span *string)
{
	if (!take(in, '"'))
		return malformed(in, "no string");
	size_t start = in->at;
	for (; in->at < in->text.size; in->at++) {
		uint8_t c = in->text.data[in->at];
		if (c == '"') {
			*string = span_of(in->text.data + start, in->at++ - start);
			return 0;
		}
		if (c < 0x20 || c > 0x7e || c == '\\')
			return malformed(in, "an escape or a byte that is not ASCII");
	}
	return malformed(in, "a string without an end");
}

static int read_member(struct reader *in, struct span values[N_MEMBERS])
{
	struct span key, value;
	int r = read_string(in, &key);
	if (r == 0 && !take(in, ':'))
		r = malformed(in, "no colon");
	if (r == 0)
		r = read_string(in, &value);
	if (r < 0)
		return r;
	for (int i = 0; i < N_MEMBERS; i++) {
		if (key.size != strlen(members[i]) ||
			memcmp(key.data, members[i], key.size) != 0)
			continue;
		if (values[i].data)
			return malformed(in, "a member that is there twice");
		values[i] = value;
		return 0;
	}
	return malformed(in, "an unknown member");
}

static int read_object(struct reader *in, struct span values[N_MEMBERS])
{
	if (!take(in, '{'))
		return malformed(in, "no object");
	do {
		int r = read_member(in, values);
		if (r < 0)
			return r;
	} while (take(in, ','));
	if (!take(in, '}'))
		return malformed(in, "no end of the object");
	skip_space(in);
	if (in->at != in->text.size)
		return malformed(in, "more follows the object");
	for (int i = 0; i < N_MEMBERS; i++)
		if (!values[i].data)
			return error_format(
				"%s: malformed signature: no %s", in->name, members[i]);
	return 0;
}

/* Canonical base64 only: what decodes and encodes to the same text again. */
static int decode_base64(struct span text, const char *name, struct buffer *data)
{
	uint8_t *again = malloc(text.size + 4);
	int r = again ? buffer_reserve(data, text.size) : error_memory();
	int size = r == 0 ? EVP_DecodeBlock(data->data, text.data, (int)text.size) : -1;
	/* OpenSSL counts the padding as bytes of zero. */
	for (size_t i = 1; size > 0 && i <= 2 && text.data[text.size - i] == '='; i++)
		size--;
	if (r == 0 &&
		(size <= 0 ||
			EVP_EncodeBlock(again, data->data, size) != (int)text.size ||
			memcmp(again, text.data, text.size) != 0))
		r = error_format("%s: malformed signature: no base64", name);
	if (r == 0)
		data->size = (size_t)size;
	free(again);
	return r;
}

/* The text ends at the first NUL; behind it must be nothing. */
static int split_padding(struct span partition, const char *name, struct span *text)
{
	const uint8_t *end = memchr(partition.data, 0, partition.size);
	*text = span_of(
		partition.data, end ? (size_t)(end - partition.data) : partition.size);
	for (size_t i = text->size; i < partition.size; i++)
		if (partition.data[i])
			return error_format("%s: malformed signature: a byte that is not "
					    "zero at offset %zu of the padding",
				name, i);
	if (text->size > SIGNATURE_JSON_MAX)
		return error_format("%s: malformed signature: longer than %d bytes", name,
			SIGNATURE_JSON_MAX);
	return text->size == 0;
}

int signature_parse(struct signature *s, struct span partition, const char *name)
{
	*s = (struct signature){0};
	struct reader in = {.name = name};
	struct span values[N_MEMBERS] = {{0}};
	int r = partition.size ? split_padding(partition, name, &in.text) : 1;
	if (r != 0)
		return r;
	r = read_object(&in, values);
	if (r < 0)
		return r;
	if (!is_hex(values[0], ROOT_HASH_TEXT_SIZE - 1) ||
		!is_hex(values[1], FINGERPRINT_TEXT_SIZE - 1))
		return error_format(
			"%s: malformed signature: rootHash or "
			"certificateFingerprint is not 64 lower-case hex digits",
			name);
	memcpy(s->root_hash, values[0].data, values[0].size);
	memcpy(s->fingerprint, values[1].data, values[1].size);
	r = decode_base64(values[2], name, &s->pkcs7);
	if (r < 0)
		signature_free(s);
	return r;
}

/* ---- verification ----------------------------------------------------------------- */

static int check_kind(PKCS7 *p7, const char *name)
{
	if (!PKCS7_type_is_data(p7->d.sign->contents) || !PKCS7_get_detached(p7))
		return error_format("%s: not a detached signature of data", name);
	if (pkcs7_signer(p7)->auth_attr)
		return error_format("%s: a signature with signed attributes", name);
	return 0;
}

int signature_verify(const struct signature *s, const char *name,
	const struct certificates *pins, enum purpose purpose,
	const struct certificate **by)
{
	const struct certificate *found = NULL;
	AUTO(pkcs7, PKCS7) *p7 = NULL;
	int r = pkcs7_parse(buffer_span(&s->pkcs7), name, &p7);
	if (r == 0)
		r = check_kind(p7, name);
	if (r == 0)
		r = pkcs7_verify(p7, span_of(s->root_hash, ROOT_HASH_TEXT_SIZE - 1), name,
			pins, purpose, &found);
	if (r == 0 && strcmp(s->fingerprint, found->fingerprint) != 0)
		r = error_format("%s: names the certificate %.16s..., but %s signed it",
			name, s->fingerprint, found->name);
	if (r == 0 && by)
		*by = found;
	return r;
}
