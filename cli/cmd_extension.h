/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_CMD_EXTENSION_H
#define CAIRN_CLI_CMD_EXTENSION_H

#include "cli/verb.h"

/* The verbs of `cairn extension`, and those of them that this program has (verbs.c). */
extern const struct verb verb_extension_build;
extern const struct verb verb_extension_status;
extern const struct verb verb_extension_merge;
extern const struct verb verb_extension_refresh;
extern const struct verb verb_extension_unmerge;
extern const struct verb verb_extension_list;
extern const struct verb *const extension_verbs[];

#endif
