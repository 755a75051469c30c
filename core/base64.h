/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_BASE64_H
#define CAIRN_CORE_BASE64_H

#include "core/buffer.h"

/*
 * Appends what TEXT stands for in base64 (RFC 4648, 4): canonical only, so padded and
 * with the bits that are left over 0, and nothing else between. Returns 0; 1 if TEXT is
 * empty or no such base64 (nothing is recorded: the caller knows what the text was for);
 * or -ENOMEM.
 */
int base64_decode(struct span text, struct buffer *data);

#endif
