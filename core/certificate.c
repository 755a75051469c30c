/* SPDX-License-Identifier: MIT */
#include "core/certificate.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hex.h"
#include "core/openssl.h"
#include "core/path.h"

#define CERTIFICATE_LIMIT 65536

/* One certificate and nothing behind it. Returns NULL if S is anything else. */
static X509 *decode(struct span s)
{
	if (s.size > 0 && s.data[0] == 0x30) {
		const uint8_t *p = s.data;
		X509 *x509 = d2i_X509(NULL, &p, (long)s.size);
		if (x509 && p == s.data + s.size)
			return x509;
		X509_free(x509);
		return NULL;
	}
	AUTO(bio, BIO) *bio = BIO_new_mem_buf(s.data, (int)s.size);
	X509 *x509 = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	X509 *second = x509 ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	if (!second)
		return x509;
	X509_free(x509);
	X509_free(second);
	return NULL;
}

static int refuse_key(const char *name, const char *reason, int bits)
{
	return error_set(
		STATUS_TRUST, EKEYREJECTED, "%s: %s of %d bits", name, reason, bits);
}

/* NIST SP 800-131A: 112 bits of strength at least. The kernel verifies just these kinds.
 */
static int check_strength(const struct certificate *c)
{
	EVP_PKEY *key = X509_get0_pubkey(c->x509);
	if (!key)
		return openssl_error(STATUS_FORMAT, "%s: no usable public key", c->name);
	int bits = EVP_PKEY_get_bits(key);
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return bits >= 2048 && bits <= 16384
			       ? 0
			       : refuse_key(c->name, "an RSA key", bits);
	char group[64] = "";
	size_t size;
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
		return refuse_key(
			c->name, "neither an RSA nor an ECDSA key but one", bits);
	EVP_PKEY_get_group_name(key, group, sizeof group, &size);
	if (strcmp(group, SN_X9_62_prime256v1) && strcmp(group, SN_secp384r1) &&
		strcmp(group, SN_secp521r1))
		return refuse_key(c->name, "an ECDSA key on an unapproved curve", bits);
	return 0;
}

static int fill(struct certificate *c)
{
	uint8_t digest[32];
	unsigned size = sizeof digest;
	if (!X509_digest(c->x509, EVP_sha256(), digest, &size))
		return openssl_error(STATUS_FAILED, "%s: cannot hash it", c->name);
	hex_encode(digest, sizeof digest, c->fingerprint);
	return check_strength(c);
}

int certificate_load(struct certificate *c, const char *path)
{
	*c = (struct certificate){0};
	BUFFER bytes = {0};
	int r = file_slurp(path, CERTIFICATE_LIMIT, &bytes);
	if (r < 0)
		return r;
	c->name = strdup(path);
	if (!c->name)
		return error_memory();
	c->x509 = decode(buffer_span(&bytes));
	ERR_clear_error();
	r = c->x509 ? fill(c)
		    : error_format("%s: is not one X.509 certificate, PEM or DER", path);
	if (r < 0)
		certificate_free(c);
	return r;
}

void certificate_free(struct certificate *c)
{
	X509_free(c->x509);
	free(c->name);
	*c = (struct certificate){0};
}

static int own_purpose(const ASN1_OBJECT *oid)
{
	return purpose_by_der(span_of(OBJ_get0_data(oid), OBJ_length(oid)));
}

int certificate_check_purpose(const struct certificate *c, enum purpose purpose)
{
	int critical, other = -1;
	EXTENDED_KEY_USAGE *usages =
		X509_get_ext_d2i(c->x509, NID_ext_key_usage, &critical, NULL);
	/* -1: there is no such extension; any other failure is one we cannot read. */
	if (!usages && critical != -1)
		return openssl_error(
			STATUS_FORMAT, "%s: malformed extended key usage", c->name);
	bool found = false;
	for (int i = 0; usages && i < sk_ASN1_OBJECT_num(usages); i++) {
		int own = own_purpose(sk_ASN1_OBJECT_value(usages, i));
		found = found || own == (int)purpose;
		other = own >= 0 ? own : other;
	}
	EXTENDED_KEY_USAGE_free(usages);
	ERR_clear_error();
	if (found || other < 0)
		return 0;
	return error_set(STATUS_TRUST, EKEYREJECTED,
		"%s: a certificate for %s, not for %s", c->name,
		purpose_name((enum purpose)other), purpose_name(purpose));
}

unsigned certificate_rsa_bits(const struct certificate *c)
{
	EVP_PKEY *key = X509_get0_pubkey(c->x509);
	int bits = EVP_PKEY_get_bits(key);
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return (unsigned)bits;
	return bits >= 512 ? 15360 : bits >= 384 ? 7680 : 3072;
}

bool certificate_is_current(const struct certificate *c, time_t now)
{
	return X509_cmp_time(X509_get0_notBefore(c->x509), &now) < 0 &&
	       X509_cmp_time(X509_get0_notAfter(c->x509), &now) > 0;
}

static int add_file(struct certificates *set, const char *path)
{
	struct certificate c;
	int r = certificate_load(&c, path);
	if (r < 0)
		return r;
	struct certificate *items =
		reallocarray(set->items, set->n_items + 1, sizeof *items);
	if (!items) {
		certificate_free(&c);
		return error_memory();
	}
	set->items = items;
	set->items[set->n_items++] = c;
	return 0;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);
	return n > m && !strcmp(name + n - m, suffix);
}

static int add_directory(struct certificates *set, const char *path, DIR *dir)
{
	const struct dirent *entry;
	int r = 0;
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		if (!has_suffix(entry->d_name, ".crt") &&
			!has_suffix(entry->d_name, ".pem"))
			continue;
		char *file = NULL;
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0)
			return error_memory();
		r = add_file(set, file);
		free(file);
	}
	return r == 0 && errno ? error_errno("%s: cannot read", path) : r;
}

int certificates_add(struct certificates *set, const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return error_errno("%s: cannot open", path);
	if (!S_ISDIR(st.st_mode))
		return add_file(set, path);
	int fd = path_open_dir(path);
	if (fd < 0)
		return fd;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return error_errno("%s: cannot read", path);
	}
	int r = add_directory(set, path, dir);
	closedir(dir);
	return r;
}

void certificates_free(struct certificates *set)
{
	for (size_t i = 0; i < set->n_items; i++)
		certificate_free(&set->items[i]);
	free(set->items);
	*set = (struct certificates){0};
}
