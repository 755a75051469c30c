/* SPDX-License-Identifier: MIT */
#include "core/pin.h"

#include <stdio.h>
#include <string.h>

#include "core/base64.h"
#include "core/der.h"
#include "core/hex.h"

/* 2.5.29.37, RFC 5280, 4.2.1.12 */
static const uint8_t oid_extended_key_usage[] = {0x55, 0x1d, 0x25};

static int malformed(const struct pin *pin, const char *what)
{
	return error_format("%s: malformed certificate: %s", pin->name, what);
}

/* ---- PEM ----------------------------------------------------------------------------
 */

static const char begin[] = "-----BEGIN CERTIFICATE-----";
static const char end[] = "-----END CERTIFICATE-----";

/* Cuts a line off S, without its end, which is LF or CR LF. */
static struct span cut_line(struct span *s)
{
	const uint8_t *newline = s->size ? memchr(s->data, '\n', s->size) : NULL;
	size_t size = newline ? (size_t)(newline - s->data) : s->size;
	struct span line = span_of(s->data, size);
	*s = newline ? span_of(newline + 1, s->size - size - 1) : span_of(NULL, 0);
	if (line.size && line.data[line.size - 1] == '\r')
		line.size--;
	return line;
}

static bool is_line(struct span line, const char *text)
{
	return der_equal(line, span_of(text, strlen(text)));
}

/* RFC 7468; text before the certificate is allowed, as OpenSSL writes it. */
static int read_pem(struct pin *pin, struct span text)
{
	BUFFER base64 = {0};
	struct span line = {NULL, 0};
	int r = 0;
	while (text.size && !is_line(line, begin))
		line = cut_line(&text);
	while (r == 0 && text.size && !is_line(line = cut_line(&text), end))
		r = buffer_append(&base64, line.data, line.size);
	if (r < 0)
		return r;
	if (!is_line(line, end))
		return error_format(
			"%s: neither a certificate in PEM nor in DER", pin->name);
	while (text.size)
		if (cut_line(&text).size)
			return malformed(pin, "more follows it");
	r = base64_decode(buffer_span(&base64), &pin->der);
	return r > 0 ? malformed(pin, "no base64") : r;
}

/* ---- X.509 --------------------------------------------------------------------------
 */

static int parse_usages(struct pin *pin, struct span value)
{
	struct span usages, oid;
	if (!der_only(value, DER_SEQUENCE, &usages) || usages.size == 0)
		return malformed(pin, "extended key usage");
	while (usages.size) {
		if (!der_take_oid(&usages, &oid))
			return malformed(pin, "extended key usage");
		int purpose = purpose_by_der(oid);
		pin->purposes |= purpose < 0 ? 0 : 1u << purpose;
	}
	return 0;
}

static int parse_extensions(struct pin *pin, struct span list)
{
	struct span extension, oid, value;
	bool seen = false;
	int r = 0;
	while (r == 0 && list.size) {
		if (!der_take(&list, DER_SEQUENCE, &extension) ||
			!der_take_oid(&extension, &oid))
			return malformed(pin, "extensions");
		if (der_is(extension, DER_BOOLEAN))
			der_take(&extension, DER_BOOLEAN, NULL);
		if (!der_take(&extension, DER_OCTET_STRING, &value) || extension.size)
			return malformed(pin, "extensions");
		if (!der_equal(oid, SPAN(oid_extended_key_usage)))
			continue;
		if (seen)
			return malformed(pin, "extended key usage, twice");
		seen = true;
		r = parse_usages(pin, value);
	}
	return r;
}

/* RFC 5280, 4.1: the fields of TBSCertificate in their order. */
static int parse_body(struct pin *pin, struct span in)
{
	struct span version, wrapped, extensions;
	struct der issuer, key;
	if (der_is(in, DER_CONTEXT_0) &&
		(!der_take(&in, DER_CONTEXT_0, &version) ||
			!der_take_version(&version, 2) || version.size))
		return malformed(pin, "not version 3");
	if (!der_take_integer(&in, &pin->serial))
		return malformed(pin, "serial number");
	if (!der_take(&in, DER_SEQUENCE, NULL) || !der_is(in, DER_SEQUENCE) ||
		!der_next(&in, &issuer) || !der_take(&in, DER_SEQUENCE, NULL) ||
		!der_take(&in, DER_SEQUENCE, NULL) || !der_is(in, DER_SEQUENCE) ||
		!der_next(&in, &key))
		return malformed(pin, "names or dates");
	pin->issuer = issuer.raw;
	int r = public_key_parse(&pin->key, key.raw, pin->name);
	if (r < 0)
		return r;
	/* Unique identifiers, [1] and [2], which nobody uses any more. */
	for (unsigned tag = 0x81; tag <= 0x82; tag++)
		if (der_is(in, tag))
			der_take(&in, tag, NULL);
	if (!in.size)
		return 0;
	if (!der_only(in, DER_CONTEXT_3, &wrapped) ||
		!der_only(wrapped, DER_SEQUENCE, &extensions))
		return malformed(pin, "extensions");
	return parse_extensions(pin, extensions);
}

int pin_parse(struct pin *pin, struct span file, const char *name)
{
	struct span certificate, body, bits;
	uint8_t digest[PUBLIC_KEY_DIGEST_SIZE];
	*pin = (struct pin){0};
	snprintf(pin->name, sizeof pin->name, "%s", name);
	if (file.size > PIN_MAX_SIZE)
		return malformed(pin, "larger than 64 KiB");
	int r = der_is(file, DER_SEQUENCE)
			? buffer_append(&pin->der, file.data, file.size)
			: read_pem(pin, file);
	if (r < 0)
		return r;
	if (!der_only(buffer_span(&pin->der), DER_SEQUENCE, &certificate) ||
		!der_take(&certificate, DER_SEQUENCE, &body) ||
		!der_take(&certificate, DER_SEQUENCE, NULL) ||
		!der_take_bits(&certificate, &bits) || certificate.size)
		return malformed(pin, "not X.509 in DER");
	public_key_digest(buffer_span(&pin->der), digest);
	hex_encode(digest, sizeof digest, pin->fingerprint);
	return parse_body(pin, body);
}

void pin_free(struct pin *pin)
{
	buffer_free(&pin->der);
	*pin = (struct pin){0};
}

bool pin_is_for(const struct pin *pin, enum purpose purpose)
{
	return !pin->purposes || pin->purposes & 1u << purpose;
}
