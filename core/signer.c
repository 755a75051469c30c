/* SPDX-License-Identifier: MIT */
#include "core/signer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/openssl.h"
#include "core/token.h"

#define KEY_LIMIT 65536

/* What pem_password_cb wants; CONTEXT is a bool, set if we would have had to ask. */
static int ask(char *text, int size, int writing, void *context)
{
	(void)writing;
	if (isatty(STDIN_FILENO) &&
		EVP_read_pw_string(text, size, "Passphrase of the key: ", 0) == 0)
		return (int)strlen(text);
	*(bool *)context = true;
	return -1;
}

static int load_file(const char *path, EVP_PKEY **key)
{
	BUFFER bytes = {0};
	int r = file_slurp(path, KEY_LIMIT, &bytes);
	if (r < 0)
		return r;
	AUTO(bio, BIO) *bio = BIO_new_mem_buf(bytes.data, (int)bytes.size);
	bool asked = false;
	*key = bio ? PEM_read_bio_PrivateKey(bio, NULL, ask, &asked) : NULL;
	OPENSSL_cleanse(bytes.data, bytes.size);
	if (!*key && asked) {
		ERR_clear_error();
		r = error_set(STATUS_FAILED, ENOKEY,
			"%s: the key has a passphrase and there is no terminal to ask on",
			path);
	} else if (!*key) {
		r = openssl_error(STATUS_FORMAT, "%s: no private key in PEM", path);
	}
	return r;
}

static int check_pair(const struct signer *s, const char *key)
{
	int same = EVP_PKEY_eq(X509_get0_pubkey(s->certificate.x509), s->key);
	ERR_clear_error();
	if (same == 1)
		return 0;
	return error_set(STATUS_TRUST, EKEYREJECTED,
		"%.*s: is not the key of the certificate %s", (int)strcspn(key, "?"), key,
		s->certificate.name);
}

int signer_load(
	struct signer *s, const char *key, const char *certificate, enum purpose purpose)
{
	*s = (struct signer){0};
	int r = certificate_load(&s->certificate, certificate);
	if (r == 0)
		r = certificate_check_purpose(&s->certificate, purpose);
	if (r == 0)
		r = token_is_uri(key) ? token_load_key(key, &s->key)
				      : load_file(key, &s->key);
	if (r == 0)
		r = check_pair(s, key);
	if (r < 0)
		signer_free(s);
	return r;
}

void signer_free(struct signer *s)
{
	EVP_PKEY_free(s->key);
	certificate_free(&s->certificate);
	*s = (struct signer){0};
}

static int sign(EVP_PKEY *key, struct span data, struct buffer *signature)
{
	AUTO(md_ctx, EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	size_t size = 0;
	if (!ctx || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
		EVP_DigestSign(ctx, NULL, &size, data.data, data.size) != 1)
		return openssl_error(STATUS_FAILED, "cannot sign");
	int r = buffer_reserve(signature, size);
	if (r < 0)
		return r;
	uint8_t *out = signature->data + signature->size;
	if (EVP_DigestSign(ctx, out, &size, data.data, data.size) != 1)
		return openssl_error(STATUS_FAILED, "cannot sign");
	signature->size += size;
	return 0;
}

int signer_sign(const struct signer *s, struct span data, struct buffer *signature)
{
	size_t start = signature->size;
	int r = sign(s->key, data, signature);
	/* A token that computes wrong, or was swapped, must not end up in an image. */
	if (r == 0)
		r = signer_verify(&s->certificate, "sha256", data,
			span_of(signature->data + start, signature->size - start));
	return r;
}

int signer_verify(const struct certificate *c, const char *digest, struct span data,
	struct span signature)
{
	const EVP_MD *md = EVP_get_digestbyname(digest);
	AUTO(md_ctx, EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	if (!md || !ctx ||
		EVP_DigestVerifyInit(ctx, NULL, md, NULL, X509_get0_pubkey(c->x509)) != 1)
		return openssl_error(STATUS_FAILED, "%s: cannot verify with it", c->name);
	int good = EVP_DigestVerify(
		ctx, signature.data, signature.size, data.data, data.size);
	ERR_clear_error();
	if (good == 1)
		return 0;
	return error_set(STATUS_TRUST, EKEYREJECTED,
		"the signature was not made with the key of %s", c->name);
}
