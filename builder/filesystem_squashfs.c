/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "builder/filesystem_make.h"
#include "core/workers.h"

/*
 * squashfs through tar2sqfs of squashfs-tools-ng. mksquashfs -tar was the other choice:
 * it loses the root directory's attributes, takes the leading "/" and "../" off long
 * link targets, and asks the host for user names.
 */

int filesystem_make_squashfs(const struct filesystem_job *job)
{
	const struct filesystem_options *o = job->options;
	char out[32], epoch[48], jobs[16], level[32];
	BUFFER version = {0};
	int r = filesystem_tool_version("tar2sqfs", "--version", &version);
	if (r < 0)
		return r;
	const char *number = strrchr(buffer_text(&version), ' ');
	snprintf(job->info->tool, sizeof job->info->tool, "tar2sqfs%s",
		number ? number : "");
	snprintf(out, sizeof out, "/proc/self/fd/%d", job->out->fd);
	snprintf(epoch, sizeof epoch, "SOURCE_DATE_EPOCH=%jd", (intmax_t)o->epoch);
	snprintf(jobs, sizeof jobs, "%u", o->jobs ? o->jobs : workers_default());
	snprintf(level, sizeof level, "level=%d", job->level);
	const char *argv[16] = {"tar2sqfs", "--quiet", "--force", "--no-skip", "-b",
		"131072", "-j", jobs, "-c", job->method};
	size_t n = 10;
	if (job->level >= 0) {
		argv[n++] = "-X";
		argv[n++] = level;
	}
	argv[n++] = out;
	const char *environment[] = {epoch, NULL};
	return filesystem_feed(job, argv, environment);
}
