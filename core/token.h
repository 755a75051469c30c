/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_TOKEN_H
#define CAIRN_CORE_TOKEN_H

#include <stdbool.h>

struct evp_pkey_st;

/*
 * Private keys that stay inside a token (a smart card, an HSM, softhsm2), through
 * OpenSSL's pkcs11 engine (libengine-pkcs11-openssl) and p11-kit's list of modules, or
 * the one module that $PKCS11_MODULE_PATH names.
 */

/* Whether KEY is a "pkcs11:" URI (RFC 7512). */
bool token_is_uri(const char *key);

/*
 * A handle of the key that URI names. The PIN comes from the URI (pin-source=,
 * pin-value=) or is asked for on the terminal. The caller frees *KEY with EVP_PKEY_free.
 */
int token_load_key(const char *uri, struct evp_pkey_st **key);

#endif
