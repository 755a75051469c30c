/* SPDX-License-Identifier: MIT */
#include "verifier/inspect_program.h"

#include <string.h>

#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "core/hash.h"

/* The kernel's Documentation/arch/x86/boot.rst: "HdrS", and where the version text is. */
#define BZIMAGE_MAGIC   0x202
#define BZIMAGE_VERSION 0x20e

/* What of an os-release(5) is shown. */
static const char *const os_release_keys[] = {
	"PRETTY_NAME", "ID", "VERSION_ID", "IMAGE_ID", "IMAGE_VERSION"};

static void add_name(json_object *o, const char *key, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
		long n = BIO_get_mem_data(bio, &text);
		json_add_bytes(o, key, span_of(text, n > 0 ? (size_t)n : 0));
	}
	BIO_free(bio);
}

void inspect_signer(json_object *o, struct span pkcs7)
{
	const unsigned char *data = pkcs7.data;
	PKCS7 *p = d2i_PKCS7(NULL, &data, (long)pkcs7.size);
	STACK_OF(PKCS7_SIGNER_INFO) *signers = p ? PKCS7_get_signer_info(p) : NULL;
	if (signers && sk_PKCS7_SIGNER_INFO_num(signers) > 0) {
		const PKCS7_ISSUER_AND_SERIAL *who =
			sk_PKCS7_SIGNER_INFO_value(signers, 0)->issuer_and_serial;
		uint8_t serial[64];
		int n = ASN1_STRING_length(who->serial);
		add_name(o, "issuer", who->issuer);
		if (n > 0 && (size_t)n <= sizeof serial) {
			memcpy(serial, ASN1_STRING_get0_data(who->serial), (size_t)n);
			json_add_hex(o, "serial", serial, (size_t)n);
		}
	}
	PKCS7_free(p);
}

/* The line KEY=VALUE of an os-release, quotes taken off. Returns false if there is none.
 */
static bool find_line(struct span text, const char *key, struct span *value)
{
	size_t length = strlen(key);
	while (text.size) {
		const uint8_t *newline = memchr(text.data, '\n', text.size);
		size_t n = newline ? (size_t)(newline - text.data) : text.size;
		if (n > length && !memcmp(text.data, key, length) &&
			text.data[length] == '=') {
			*value = span_of(text.data + length + 1, n - length - 1);
			if (value->size >= 2 &&
				(*value->data == '"' || *value->data == '\''))
				*value = span_of(value->data + 1, value->size - 2);
			return true;
		}
		n += newline ? 1 : 0;
		text = span_of(text.data + n, text.size - n);
	}
	return false;
}

static json_object *describe_os_release(struct span text)
{
	json_object *o = json_object_new_object();
	for (size_t i = 0; i < sizeof os_release_keys / sizeof os_release_keys[0]; i++) {
		struct span value;
		if (find_line(text, os_release_keys[i], &value))
			json_add_bytes(o, os_release_keys[i], value);
	}
	return o;
}

/* The first word of a text that ends with NUL, or with the span. */
static struct span first_word(struct span text)
{
	size_t n = 0;
	while (n < text.size && text.data[n] > ' ')
		n++;
	return span_of(text.data, n);
}

static void add_kernel(json_object *o, const struct pe *pe)
{
	struct span kernel, version;
	if (pe_find(pe, ".uname", &version) == 0) {
		json_add_bytes(o, "kernel", first_word(version));
		return;
	}
	if (pe_find(pe, ".linux", &kernel) != 0 || kernel.size < 0x210 ||
		memcmp(kernel.data + BZIMAGE_MAGIC, "HdrS", 4))
		return;
	uint32_t at = 0x200u + get_le16(kernel.data + BZIMAGE_VERSION);
	if (at > 0x200 && at < kernel.size)
		json_add_bytes(o, "kernel",
			first_word(span_of(kernel.data + at, kernel.size - at)));
}

static json_object *describe_sections(const struct pe *pe)
{
	json_object *list = json_object_new_array();
	for (size_t i = 0; i < pe->n_sections; i++) {
		const struct pe_section *s = &pe->sections[i];
		json_object *o = json_object_new_object();
		json_add_bytes(o, "name", span_of(s->name, strlen(s->name)));
		json_add_number(o, "offset", s->file_offset);
		json_add_number(o, "size", s->virtual_size);
		uint8_t digest[32];
		struct span content;
		if (pe_find(pe, s->name, &content) == 0 &&
			hash_parts(HASH_SHA256, &content, 1, digest) == 0)
			json_add_hex(o, "sha256", digest, sizeof digest);
		json_append(list, o);
	}
	return list;
}

/* The signer of the first entry of the certificate table, by its own word. */
static void add_signature(json_object *o, const struct pe *pe)
{
	struct span table;
	json_add_bool(o, "signed", pe->certificates_size != 0);
	/* WIN_CERTIFICATE: length, revision, type, then the PKCS#7. */
	if (pe->certificates_size > 8 && span_part(pe->image, pe->certificates,
						 pe->certificates_size, &table) == 0)
		inspect_signer(o, span_of(table.data + 8, table.size - 8));
}

static void add_uki(
	json_object *o, const struct program *p, const struct inspect_options *options)
{
	struct span text;
	uint8_t pcr[32];
	json_add_bytes(o, "cmdline", p->cmdline);
	if (pe_find(&p->pe, ".osrel", &text) == 0)
		json_add(o, "osRelease", describe_os_release(text));
	add_kernel(o, &p->pe);
	if (options->pcr11 && options->pcr11(&p->pe, pcr) == 0)
		json_add_hex(o, "pcr11", pcr, sizeof pcr);
}

void inspect_program(json_object *o, const struct fat *fat, const struct boot_file *file,
	const struct inspect_options *options)
{
	AUTO_PROGRAM p;
	uint8_t digest[32];
	if (program_read(&p, fat, file) < 0 || pe_digest(&p.pe, digest) < 0) {
		json_add_bytes(o, "fault", span_of(error_text(), strlen(error_text())));
		return;
	}
	json_add_bool(o, "uki", p.is_uki);
	json_add_number(o, "machine", p.pe.machine);
	json_add_hex(o, "authenticodeDigest", digest, sizeof digest);
	add_signature(o, &p.pe);
	json_add(o, "sections", describe_sections(&p.pe));
	if (p.is_uki)
		add_uki(o, &p, options);
}
