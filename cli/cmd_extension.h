/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_CMD_EXTENSION_H
#define CAIRN_CLI_CMD_EXTENSION_H

#include "cli/verb.h"

/* The verbs of `cairn extension`, one per cmd_extension_*.c; the table is in
 * cmd_extension.c. */
extern const struct verb verb_extension_build;
extern const struct verb verb_extension_status;
extern const struct verb verb_extension_merge;
extern const struct verb verb_extension_refresh;
extern const struct verb verb_extension_unmerge;

#endif
