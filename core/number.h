/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_NUMBER_H
#define CAIRN_CORE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers as people write them: on command lines and in files of rules. */

/* Plain decimal digits and nothing else: no sign, no space. False for anything else. */
bool number_parse(const char *text, uint64_t *value);

/* The same with an optional K, M, G or T (powers of 1024) behind it. */
bool number_parse_size(const char *text, uint64_t *value);

#endif
