/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "builder/acl.h"
#include "builder/filesystem_make.h"
#include "builder/tree_build.h"
#include "core/progress.h"
#include "core/workers.h"

/*
 * squashfs through tar2sqfs of squashfs-tools-ng. mksquashfs -tar was the other choice:
 * it loses the root directory's attributes, takes the leading "/" and "../" off long
 * link targets, and asks the host for user names.
 */

/* squashfs_fs.h has no id for the namespace the ACLs are in. */
static void leave_out_acls(const struct filesystem_job *job)
{
	const struct tree *tree = job->tree;
	const struct tree_entry *first = NULL;
	size_t end = tree_end(tree, job->root);
	char quoted[TREE_QUOTE_SIZE];
	for (size_t i = (size_t)(job->root - tree->entries); i < end; i++)
		if (acl_exists(&tree->entries[i])) {
			first = first ? first : &tree->entries[i];
			job->info->n_acls_left_out++;
		}
	if (first)
		progress_note(
			"squashfs holds no POSIX ACLs: %ju left out, the first of /%s; "
			"modes grant no more than they did",
			(uintmax_t)job->info->n_acls_left_out,
			tree_quote(first->path, quoted));
}

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
	leave_out_acls(job);
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
