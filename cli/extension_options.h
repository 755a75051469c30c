/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_EXTENSION_OPTIONS_H
#define CAIRN_CLI_EXTENSION_OPTIONS_H

#include "initrd/compose/compose.h"

/* What list, status, merge, refresh and unmerge are given. */
struct extension_arguments {
	const char *root;
	bool class[N_CLASSES]; /* those that are meant */
	enum compose_mode mode;
	bool have_mode; /* it was given */
	bool allow_gap, no_reload, json;
	unsigned lock_s;
	const char *allow_override[EXTENSIONS_MAX + 1]; /* ends with NULL */
};

/* CHANGES: the options of merge and refresh are known as well. */
int extension_arguments_parse(
	struct extension_arguments *a, int argc, char **argv, bool changes);

#endif
