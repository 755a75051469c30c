/* SPDX-License-Identifier: MIT */
#include "core/authenticode.h"

#include <errno.h>
#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <string.h>

#include "core/hash.h"
#include "core/openssl.h"
#include "core/pkcs7.h"

/*
 * Two structures of fixed form, written out as DER up to the 32 bytes they end with.
 *
 * The content, SpcIndirectDataContent: SPC_PE_IMAGE_DATA with no flags and the file name
 * "<<<Obsolete>>>" that signers write, then DigestInfo with the program's digest.
 */
// clang-format off
static const uint8_t content_prefix[] = {
	0x30, 0x68,
	0x30, 0x33,
	0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0f,
	0x30, 0x25, 0x03, 0x01, 0x00, 0xa0, 0x20, 0xa2, 0x1e, 0x80, 0x1c,
	0, '<', 0, '<', 0, '<', 0, 'O', 0, 'b', 0, 's', 0, 'o',
	0, 'l', 0, 'e', 0, 't', 0, 'e', 0, '>', 0, '>', 0, '>',
	0x30, 0x31,
	0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
	0x05, 0x00,
	0x04, 0x20,
};
#define DIGEST_INFO 55 /* where DigestInfo starts in it */

/*
 * The signed attributes, which are what the key signs: contentType is
 * SPC_INDIRECT_DATA, messageDigest the content's hash. No signing time.
 */
static const uint8_t attributes_prefix[] = {
	0x31, 0x4c,
	0x30, 0x19, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03,
	0x31, 0x0c,
	0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x04,
	0x30, 0x2f, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04,
	0x31, 0x22,
	0x04, 0x20,
};
// clang-format on

#define DIGEST_SIZE     32
#define CONTENT_SIZE    (sizeof content_prefix + DIGEST_SIZE)
#define ATTRIBUTES_SIZE (sizeof attributes_prefix + DIGEST_SIZE)

#define INDIRECT_DATA_OID "1.3.6.1.4.1.311.2.1.4" /* SPC_INDIRECT_DATA */

/* WIN_CERTIFICATE: length, revision and type, before each signature in the table. */
#define ENTRY_HEADER    8
#define ENTRY_REVISION  0x0200
#define ENTRY_PKCS7     0x0002
#define ENTRY_ALIGNMENT 8

struct message {
	uint8_t content[CONTENT_SIZE];
	uint8_t attributes[ATTRIBUTES_SIZE];
};

/* The hash of a content's value, without its own tag and length (RFC 2315, 9.3). */
static int hash_content(struct span content, uint8_t digest[DIGEST_SIZE])
{
	struct span value = span_of(content.data + 2, content.size - 2);
	return hash_parts(HASH_SHA256, &value, 1, digest);
}

static int message_make(const struct pe *pe, struct message *m)
{
	memcpy(m->content, content_prefix, sizeof content_prefix);
	memcpy(m->attributes, attributes_prefix, sizeof attributes_prefix);
	int r = pe_digest(pe, m->content + sizeof content_prefix);
	return r < 0 ? r
		     : hash_content(SPAN(m->content),
			       m->attributes + sizeof attributes_prefix);
}

int authenticode_export(const struct pe *pe, struct buffer *to_be_signed)
{
	struct message m;
	int r = message_make(pe, &m);
	return r < 0 ? r : buffer_append(to_be_signed, m.attributes, ATTRIBUTES_SIZE);
}

/* ---- signing ---------------------------------------------------------------------- */

/* Puts the content SpcIndirectDataContent into P7; PKCS7_set_content knows no such type.
 */
static int set_content(PKCS7 *p7, const struct message *m)
{
	const uint8_t *p = m->content;
	PKCS7 *content = PKCS7_new();
	if (!content)
		return -1;
	ASN1_OBJECT_free(content->type);
	content->type = OBJ_txt2obj(INDIRECT_DATA_OID, 1);
	content->d.other = d2i_ASN1_TYPE(NULL, &p, CONTENT_SIZE);
	PKCS7_free(p7->d.sign->contents);
	p7->d.sign->contents = content;
	return content->type && content->d.other ? 0 : -1;
}

static int set_attributes(PKCS7_SIGNER_INFO *si, const struct message *m)
{
	const uint8_t *p = m->attributes;
	si->auth_attr = (STACK_OF(X509_ATTRIBUTE) *)ASN1_item_d2i(
		NULL, &p, ATTRIBUTES_SIZE, ASN1_ITEM_rptr(PKCS7_ATTR_SIGN));
	return si->auth_attr ? 0 : -1;
}

static int encode(const struct message *m, const struct certificate *certificate,
	struct span raw, struct buffer *der)
{
	AUTO(pkcs7, PKCS7) *p7 = pkcs7_new(certificate, raw);
	if (!p7)
		return -ENOMEM;
	if (set_content(p7, m) < 0 || set_attributes(pkcs7_signer(p7), m) < 0 ||
		!PKCS7_add_certificate(p7, certificate->x509))
		return openssl_error(
			STATUS_FAILED, "cannot make an Authenticode signature");
	return DER_APPEND(der, i2d_PKCS7, p7);
}

/* Appends the program of PE without its signatures, padded for a table to follow. */
static int append_program(const struct pe *pe, struct buffer *program)
{
	uint32_t size = pe_contents_end(pe);
	int r = buffer_append(program, pe->image.data, size);
	return r < 0 ? r
		     : buffer_append_zeros(
			       program, (ENTRY_ALIGNMENT - size % ENTRY_ALIGNMENT) %
						ENTRY_ALIGNMENT);
}

/* Appends PROGRAM's certificate table, one signature, and puts right what points to it.
 */
static int append_table(
	const struct pe *pe, struct span der, struct buffer *program, size_t start)
{
	uint8_t header[ENTRY_HEADER];
	size_t offset = program->size - start, size = ENTRY_HEADER + der.size;
	size_t padded = (size + ENTRY_ALIGNMENT - 1) & ~(size_t)(ENTRY_ALIGNMENT - 1);
	if (padded + ENTRY_ALIGNMENT > AUTHENTICODE_MAX_SIZE ||
		offset > UINT32_MAX - padded)
		return error_set(STATUS_FAILED, EFBIG,
			"%s: an Authenticode signature of %zu bytes is too large",
			pe->name, size);
	put_le32(header, (uint32_t)size);
	put_le16(header + 4, ENTRY_REVISION);
	put_le16(header + 6, ENTRY_PKCS7);
	int r = buffer_append(program, header, sizeof header);
	if (r == 0)
		r = buffer_append(program, der.data, der.size);
	if (r == 0)
		r = buffer_append_zeros(program, padded - size);
	if (r < 0)
		return r;
	uint8_t *data = program->data + start;
	put_le32(data + pe->security_offset, (uint32_t)offset);
	put_le32(data + pe->security_offset + 4, (uint32_t)padded);
	put_le32(data + pe->checksum_offset,
		pe_checksum(span_of(data, program->size - start), pe->checksum_offset));
	return 0;
}

static int complete(const struct pe *pe, const struct message *m,
	const struct certificate *certificate, struct span raw, struct buffer *program)
{
	BUFFER der = {0};
	size_t start = program->size;
	int r = encode(m, certificate, raw, &der);
	if (r == 0)
		r = append_program(pe, program);
	return r < 0 ? r : append_table(pe, buffer_span(&der), program, start);
}

int authenticode_sign(
	const struct pe *pe, const struct signer *signer, struct buffer *signed_program)
{
	struct message m;
	BUFFER raw = {0};
	int r = message_make(pe, &m);
	if (r == 0)
		r = signer_sign(signer, SPAN(m.attributes), &raw);
	return r < 0 ? r
		     : complete(pe, &m, &signer->certificate, buffer_span(&raw),
			       signed_program);
}

int authenticode_attach(const struct pe *pe, const struct certificate *certificate,
	struct span raw, struct buffer *signed_program)
{
	struct message m;
	int r = message_make(pe, &m);
	if (r == 0)
		r = signer_verify(certificate, "sha256", SPAN(m.attributes), raw);
	return r < 0 ? r : complete(pe, &m, certificate, raw, signed_program);
}

/* ---- verification ----------------------------------------------------------------- */

static int malformed(const struct pe *pe, const char *what)
{
	return error_format("%s: malformed Authenticode signature: %s", pe->name, what);
}

/* The value of a SEQUENCE that fills S and of what follows its first element. */
static int split_content(struct span s, struct span *value, struct span *second)
{
	const uint8_t *p = s.data;
	long size;
	int tag, class;
	if (ASN1_get_object(&p, &size, &tag, &class, (long)s.size) !=
			V_ASN1_CONSTRUCTED ||
		tag != V_ASN1_SEQUENCE || p + size != s.data + s.size)
		return -1;
	*value = span_of(p, (size_t)size);
	if (ASN1_get_object(&p, &size, &tag, &class, size) & 0x80 ||
		size > (long)(s.data + s.size - p))
		return -1;
	p += size;
	*second = span_of(p, (size_t)(s.data + s.size - p));
	return 0;
}

/* Checks that the content names PE's digest, and hands out the value that is hashed. */
static int check_content(const struct pe *pe, const PKCS7 *p7, struct span *value)
{
	char oid[64];
	const PKCS7 *content = p7->d.sign->contents;
	OBJ_obj2txt(oid, sizeof oid, content->type, 1);
	if (strcmp(oid, INDIRECT_DATA_OID) != 0 || !content->d.other ||
		content->d.other->type != V_ASN1_SEQUENCE)
		return malformed(pe, "not of a program");
	const ASN1_STRING *s = content->d.other->value.sequence;
	struct span info;
	uint8_t wanted[DIGEST_SIZE];
	const size_t prefix = sizeof content_prefix - DIGEST_INFO;
	if (split_content(
		    span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)),
		    value, &info) < 0 ||
		info.size != prefix + DIGEST_SIZE ||
		memcmp(info.data, content_prefix + DIGEST_INFO, prefix) != 0)
		return malformed(pe, "no SHA-256 digest of a program");
	int r = pe_digest(pe, wanted);
	if (r == 0 && memcmp(info.data + prefix, wanted, DIGEST_SIZE) != 0)
		r = error_set(STATUS_TRUST, EKEYREJECTED,
			"%s: the signature is of another program: the digest differs",
			pe->name);
	return r;
}

/* Checks that the signed attributes vouch for VALUE. */
static int check_attributes(
	const struct pe *pe, const PKCS7_SIGNER_INFO *si, struct span value)
{
	char oid[64] = "";
	uint8_t digest[DIGEST_SIZE];
	ASN1_TYPE *type = PKCS7_get_signed_attribute(si, NID_pkcs9_contentType);
	ASN1_TYPE *hash = PKCS7_get_signed_attribute(si, NID_pkcs9_messageDigest);
	if (type && type->type == V_ASN1_OBJECT)
		OBJ_obj2txt(oid, sizeof oid, type->value.object, 1);
	if (strcmp(oid, INDIRECT_DATA_OID) != 0)
		return malformed(pe, "no content type among its attributes");
	if (OBJ_obj2nid(si->digest_alg->algorithm) != NID_sha256)
		return malformed(pe, "a hash other than SHA-256");
	int r = hash_parts(HASH_SHA256, &value, 1, digest);
	if (r < 0)
		return r;
	if (!hash || hash->type != V_ASN1_OCTET_STRING ||
		ASN1_STRING_length(hash->value.octet_string) != DIGEST_SIZE ||
		memcmp(ASN1_STRING_get0_data(hash->value.octet_string), digest,
			DIGEST_SIZE) != 0)
		return error_set(STATUS_TRUST, EKEYREJECTED,
			"%s: the signature's content is not the one that was signed",
			pe->name);
	return 0;
}

static int verify_message(const struct pe *pe, const PKCS7 *p7,
	const struct certificates *pins, enum purpose purpose,
	const struct certificate **by)
{
	const PKCS7_SIGNER_INFO *si = pkcs7_signer(p7);
	struct span value;
	int r = check_content(pe, p7, &value);
	if (r == 0)
		r = check_attributes(pe, si, value);
	if (r < 0)
		return r;
	uint8_t *der = NULL;
	int size = ASN1_item_i2d(
		(ASN1_VALUE *)si->auth_attr, &der, ASN1_ITEM_rptr(PKCS7_ATTR_VERIFY));
	r = size < 0 ? openssl_error(STATUS_FAILED, "%s: cannot encode", pe->name)
		     : pkcs7_verify(p7, span_of(der, (size_t)size), pe->name, pins,
			       purpose, by);
	OPENSSL_free(der);
	return r;
}

/* Cuts the padding off the DER that ENTRY holds. */
static int trim(const struct pe *pe, struct span *entry)
{
	const uint8_t *p = entry->data;
	long size;
	int tag, class;
	if (ASN1_get_object(&p, &size, &tag, &class, (long)entry->size) & 0x80)
		return malformed(pe, "no DER");
	size_t used = (size_t)(p - entry->data) + (size_t)size;
	for (size_t i = used; i < entry->size; i++)
		if (entry->data[i] || i >= used + ENTRY_ALIGNMENT)
			return malformed(pe, "more behind it than padding");
	entry->size = used;
	return 0;
}

/* Takes the next signature off TABLE. */
static int next_entry(const struct pe *pe, struct span *table, struct span *entry)
{
	if (table->size < ENTRY_HEADER)
		return malformed(pe, "truncated certificate table");
	uint32_t size = get_le32(table->data);
	uint64_t padded;
	if (size < ENTRY_HEADER || u64_align(size, ENTRY_ALIGNMENT, &padded) ||
		padded > table->size || get_le16(table->data + 4) != ENTRY_REVISION ||
		get_le16(table->data + 6) != ENTRY_PKCS7)
		return malformed(
			pe, "certificate table with an unknown or oversized entry");
	for (uint64_t i = size; i < padded; i++)
		if (table->data[i])
			return malformed(pe, "padding that is not zero");
	*entry = span_of(table->data + ENTRY_HEADER, size - ENTRY_HEADER);
	*table = span_of(table->data + padded, table->size - (size_t)padded);
	return trim(pe, entry);
}

int authenticode_verify(const struct pe *pe, const struct certificates *pins,
	enum purpose purpose, const struct certificate **by)
{
	struct span table =
		span_of(pe->image.data + pe_contents_end(pe), pe->certificates_size);
	int result = 1;
	while (table.size > 0) {
		const struct certificate *found = NULL;
		struct span entry;
		AUTO(pkcs7, PKCS7) *p7 = NULL;
		int r = next_entry(pe, &table, &entry);
		if (r < 0)
			return r;
		r = pkcs7_parse(entry, pe->name, &p7);
		if (r == 0)
			r = verify_message(pe, p7, pins, purpose, &found);
		if (r == 0 && by)
			*by = found;
		if (r == 0)
			return 0;
		result = r;
	}
	ERR_clear_error();
	return result;
}
