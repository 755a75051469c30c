/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "cli/cmd_extension.h"

const struct verb *const verbs[] = {
	&verb_build,
	&verb_help,
	&verb_boot,
	&verb_extension,
	&verb_epoch,
	&verb_key,
	&verb_digest,
	&verb_sign,
	&verb_verity,
	&verb_inspect,
	&verb_locate,
	&verb_diff,
	&verb_verify,
	&verb_examine,
	&verb_blob,
	&verb_ref,
	&verb_store,
	&verb_version,
	NULL,
};

const struct verb *const extension_verbs[] = {
	&verb_extension_build,
	&verb_extension_list,
	&verb_extension_status,
	&verb_extension_merge,
	&verb_extension_refresh,
	&verb_extension_unmerge,
	NULL,
};
