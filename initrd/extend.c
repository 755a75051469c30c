/* SPDX-License-Identifier: MIT */
#include "initrd/extend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "initrd/compose/compose.h"
#include "initrd/fail.h"

#define RUN         "/run/cairn"
#define MUTABLE_ETC "var/lib/extensions.mutable/etc"

static int count(void *context, char *words[3])
{
	unsigned *n = context;
	note("extension %s (%.16s...) is signed by %.16s...", words[0], words[1],
		words[2]);
	(*n)++;
	return 0;
}

static int compose(const struct policy *p, const char *root, enum extension_class class,
	enum compose_mode mode, unsigned *n)
{
	static struct compose_report report;
	struct manifest m;
	const struct compose_options o = {.root = root,
		.run = RUN,
		.class = class,
		.mode = mode,
		.attached = true,
		.bare = !p->extensions};
	int r = compose_refresh(&o, &report);
	if (r == 0 && report.manifest.size)
		r = manifest_parse(&m, buffer_span(&report.manifest), class_name(class));
	if (r == 0 && report.manifest.size)
		r = manifest_extensions(&m, count, n);
	compose_report_free(&report);
	return r;
}

/* The directory that makes a mutable composition of /etc. */
static int make_mutable(const char *root)
{
	static const char *const parts[] = {
		"var/lib", "var/lib/extensions.mutable", MUTABLE_ETC};
	char path[128];
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", root, parts[i]);
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return error_errno("/%s: cannot make", parts[i]);
	}
	return 0;
}

static int extend(const struct policy *p, const char *root, unsigned *n_extensions)
{
	enum compose_mode etc = p->overlay == OVERLAY_ETC ? MODE_EPHEMERAL
				: p->overlay == OVERLAY_ETC_UNAUTHENTICATED
					? MODE_MUTABLE
					: MODE_IMMUTABLE;
	int r = 0;
	*n_extensions = 0;
	if (etc == MODE_MUTABLE)
		r = make_mutable(root);
	if (r == 0 && p->extensions)
		r = compose(p, root, CLASS_SYSEXT, MODE_IMMUTABLE, n_extensions);
	if (r == 0 && (p->extensions || etc != MODE_IMMUTABLE))
		r = compose(p, root, CLASS_CONFEXT, etc, n_extensions);
	return r;
}

/* What the process that composes has to tell. */
struct outcome {
	int r;
	unsigned n_extensions;
	struct error_record why;
};

static int wait_for(pid_t child, int from, struct outcome *o)
{
	ssize_t n;
	do
		n = read(from, o, sizeof *o);
	while (n < 0 && errno == EINTR);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof *o)
		return error_set(STATUS_FAILED, EIO, "composing extensions was killed");
	if (o->r < 0)
		error_put(&o->why);
	return o->r;
}

/*
 * Composing takes a mount namespace, and with that a process gets a root directory of its
 * own. PID 1 must not: it shares its root with the kernel's threads, which would stay in
 * the initramfs and find no modprobe when a file system is to be loaded. So a child does
 * it; what it mounts, it mounts for all.
 */
int extend_root(const struct policy *p, const char *root, unsigned *n_extensions)
{
	static struct outcome o;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno("pipe");
	pid_t child = fork();
	if (child < 0)
		return error_errno("cannot start a process");
	if (child == 0) {
		o.r = extend(p, root, &o.n_extensions);
		if (o.r < 0)
			error_take(&o.why);
		_exit(write(ends[1], &o, sizeof o) == (ssize_t)sizeof o ? 0 : 1);
	}
	close(ends[1]);
	int r = wait_for(child, ends[0], &o);
	close(ends[0]);
	*n_extensions = o.n_extensions;
	return r;
}
