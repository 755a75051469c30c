/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_CRC32_H
#define CAIRN_CORE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/*
 * The CRC of IEEE 802.3, as GPT and zlib use it. Start with CRC 0; give the result of the
 * bytes before to go on.
 */
uint32_t crc32_of(uint32_t crc, const void *data, size_t size);

#endif
