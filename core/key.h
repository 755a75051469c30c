/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_KEY_H
#define CAIRN_CORE_KEY_H

#include "core/certificate.h"

/*
 * Makes an RSA key of 3072 bits and a self-signed certificate for PURPOSE, and writes
 * DIR/PURPOSE.key (PEM, PKCS#8, mode 0600) and DIR/PURPOSE.crt (PEM). DIR is created if
 * need be; what exists is refused with -EEXIST unless REPLACE.
 */
int key_make(const char *dir, enum purpose purpose, bool replace);

#endif
