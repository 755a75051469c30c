/* SPDX-License-Identifier: MIT */
#include "builder/filesystem_make.h"

int filesystem_make_ext4(const struct filesystem_job *job)
{
	return error_set(STATUS_FAILED, 0, "%s: not yet", job->tree->name);
}
