/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_TOOLS_TOOL_H
#define CAIRN_BLOBFS_TOOLS_TOOL_H

#include <stdint.h>

#include "core/error.h"

/* What the programs of blobfs share. Each defines these three; main is in tool.c. */
extern const char tool_name[];
extern const char tool_usage[]; /* ends with a newline */

/* As a verb's: 0, a positive enum status, or a negative errno with the sentence recorded.
 */
int tool_run(int argc, char **argv);

/* What getopt_long returned '?' or ':' for. */
int tool_unknown_option(char **argv, int at);

/* A number with an optional K, M, G or T (powers of 1024). STATUS_USAGE else. */
int tool_size(const char *option, const char *text, uint64_t *size);

#endif
