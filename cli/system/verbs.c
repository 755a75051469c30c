/* SPDX-License-Identifier: MIT */

/*
 * The program of a running system, cairn-system: what an image needs of Cairn once it has
 * booted, in one static file. It stands on the same libraries as the whole, but on no
 * part that builds or examines images.
 */

#include <stddef.h>

#include "cli/cmd_extension.h"

const struct verb *const verbs[] = {
	&verb_help,
	&verb_extension,
	&verb_epoch,
	&verb_version,
	NULL,
};

const struct verb *const extension_verbs[] = {
	&verb_extension_list,
	&verb_extension_status,
	&verb_extension_merge,
	&verb_extension_refresh,
	&verb_extension_unmerge,
	NULL,
};
