/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_HEX_H
#define CAIRN_CORE_HEX_H

#include "core/span.h"

/* Lower-case hex of SIZE bytes into TEXT (2 * SIZE + 1 characters). Returns TEXT. */
char *hex_encode(const void *data, size_t size, char *text);

/*
 * Decodes TEXT, which must be exactly 2 * SIZE hex digits of either case, into DATA.
 * Returns 0, or -1 if it is anything else (nothing is recorded: the caller knows what
 * the text was for).
 */
int hex_decode(const char *text, void *data, size_t size);

#define UUID_TEXT_SIZE 37

/*
 * UUIDs: 16 bytes as RFC 9562 prints them, first byte first. GPT stores the first three
 * fields little-endian; uuid_swap converts between the two orders, in place.
 */
char *uuid_encode(const uint8_t uuid[16], char text[UUID_TEXT_SIZE]);
int uuid_decode(const char *text, uint8_t uuid[16]);
void uuid_swap(uint8_t uuid[16]);

#endif
