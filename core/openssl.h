/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_OPENSSL_H
#define CAIRN_CORE_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "core/buffer.h"

/* What every use of OpenSSL's structures needs. Only for .c files: headers stay free. */

/*
 * Records the sentence and OpenSSL's own reason, and returns -EIO; with STATUS_FORMAT it
 * is -EINVAL. OpenSSL's error queue is empty afterwards.
 */
int openssl_error(enum status status, const char *format, ...) ERROR_PRINTF(2, 3);

/*
 * Appends the DER of VALUE by its i2d function. A macro, because each structure has a
 * function type of its own.
 */
#define DER_APPEND(b, i2d, value)                                                      \
	({                                                                             \
		uint8_t *der_ = NULL;                                                  \
		int size_ = i2d(value, &der_);                                         \
		int r_ = size_ < 0 ? openssl_error(STATUS_FAILED, "cannot encode DER") \
				   : buffer_append(b, der_, (size_t)size_);            \
		OPENSSL_free(der_);                                                    \
		r_;                                                                    \
	})

#define OPENSSL_CLEANUP(name, type, release)        \
	static inline void name##_release(type **p) \
	{                                           \
		release(*p);                        \
	}

OPENSSL_CLEANUP(bio, BIO, BIO_free_all)
OPENSSL_CLEANUP(x509, X509, X509_free)
OPENSSL_CLEANUP(pkcs7, PKCS7, PKCS7_free)
OPENSSL_CLEANUP(pkey, EVP_PKEY, EVP_PKEY_free)
OPENSSL_CLEANUP(md_ctx, EVP_MD_CTX, EVP_MD_CTX_free)

/* AUTO(x509, X509) *x = NULL; is freed at the end of its scope. */
#define AUTO(name, type) __attribute__((cleanup(name##_release))) type

#endif
