/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/filesystem_make.h"
#include "core/hex.h"
#include "core/path.h"
#include "core/workers.h"

/*
 * erofs through mkfs.erofs, which takes a whole tree as a tar stream from 1.7 on; 1.8 is
 * the first that compresses with several threads, to the same bytes as with one.
 */

/* What is compressed together: a little better than 4096, still little to read at once.
 */
#define CLUSTER_SIZE "16384"

/* "mkfs.erofs (erofs-utils) 1.8.6" or "mkfs.erofs 1.5" */
static int check_version(const struct filesystem_job *job)
{
	BUFFER line = {0};
	int r = filesystem_tool_version("mkfs.erofs", "--version", &line);
	/* Before 1.6 the option is refused, below a line with the version. */
	if (r < 0 && line.size == 0)
		return r;
	if (line.data)
		line.data[strcspn(buffer_text(&line), "\n")] = 0;
	const char *number = strrchr(buffer_text(&line), ' ');
	unsigned major = 0, minor = 0;
	if (!number || sscanf(number, " %u.%u", &major, &minor) != 2 ||
		(major == 1 && minor < 8) || major < 1)
		return error_set(STATUS_FAILED, ENOENT,
			"mkfs.erofs: version 1.8 or later is needed, this is \"%s\"",
			buffer_text(&line));
	snprintf(job->info->tool, sizeof job->info->tool, "mkfs.erofs%s", number);
	return 0;
}

/* Where mkfs.erofs may keep contents while it reads the stream. */
static int scratch_variable(const struct filesystem_job *job, struct buffer *variable)
{
	const char *path = job->options->scratch;
	if (!path)
		return buffer_printf(variable, "TMPDIR=%s",
			getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp");
	size_t length = (size_t)(path_base(path) - path);
	return buffer_printf(variable, "TMPDIR=%.*s.", (int)length, path);
}

int filesystem_make_erofs(const struct filesystem_job *job)
{
	const struct filesystem_options *o = job->options;
	char uuid[UUID_TEXT_SIZE], out[32], epoch[32], workers[32], method[40];
	BUFFER scratch = {0};
	int r = check_version(job);
	if (r == 0)
		r = scratch_variable(job, &scratch);
	if (r < 0)
		return r;
	snprintf(out, sizeof out, "/proc/self/fd/%d", job->out->fd);
	snprintf(epoch, sizeof epoch, "-T%jd", (intmax_t)o->epoch);
	snprintf(workers, sizeof workers, "--workers=%u",
		o->jobs ? o->jobs : workers_default());
	snprintf(method, sizeof method, job->level < 0 ? "-z%s" : "-z%s,level=%d",
		job->method, job->level);
	uuid_encode(o->uuid, uuid);
	const char *argv[16] = {"mkfs.erofs", "--quiet", "--tar=f", "-b4096",
		"--mkfs-time", epoch, workers, "-U", uuid};
	size_t n = 9;
	if (o->label) {
		argv[n++] = "-L";
		argv[n++] = o->label;
	}
	if (strcmp(job->method, "none")) {
		argv[n++] = method;
		argv[n++] = "-C" CLUSTER_SIZE;
	}
	argv[n++] = out;
	const char *environment[] = {buffer_text(&scratch), NULL};
	return filesystem_feed(job, argv, environment);
}
