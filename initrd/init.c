/* SPDX-License-Identifier: MIT */

/*
 * PID 1 of the initrd: from the kernel to the real init of a verified image, or nowhere.
 * docs/boot.md follows one boot. Every function below returns 0 or has recorded why not;
 * main turns that into one line and the policy's action. There is no other way out.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/file.h"
#include "initrd/base.h"
#include "initrd/compose/mounts.h"
#include "initrd/extend.h"
#include "initrd/fail.h"
#include "initrd/modules.h"
#include "initrd/plan/cmdline.h"
#include "initrd/root.h"
#include "initrd/state.h"

/* linux/magic.h: an initramfs is one of these. */
#define RAMFS_TYPE 0x858458f6
#define TMPFS_TYPE 0x01021994

/* This program deletes what is in its root directory: never outside an initramfs. */
static bool in_initramfs(void)
{
	struct statfs fs;
	return getpid() == 1 && statfs("/", &fs) == 0 &&
	       ((unsigned long)fs.f_type == RAMFS_TYPE ||
		       (unsigned long)fs.f_type == TMPFS_TYPE) &&
	       access("/" POLICY_FILE, F_OK) == 0;
}

static int mount_kernel_file_systems(void)
{
	static const char *const run[] = {"mode=0755", NULL};
	int r = mount_at("devtmpfs", "/dev", run, MOUNT_NOSUID);
	if (r == 0)
		r = mount_at(
			"proc", "/proc", NULL, MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC);
	if (r == 0)
		r = mount_at(
			"sysfs", "/sys", NULL, MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC);
	if (r == 0)
		r = mount_at("tmpfs", "/run", run, MOUNT_NOSUID | MOUNT_NODEV);
	return r;
}

/* What boot stubs leave for an initrd (credentials, extensions): nobody vouches for it.
 */
static int delete_extra(void)
{
	int fd = open("/.extra", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		root_delete(fd);
		note("deleted /.extra unread");
	}
	if (fd >= 0 ? rmdir("/.extra") < 0 : unlink("/.extra") < 0 && errno != ENOENT)
		return error_errno("/.extra: cannot delete");
	return 0;
}

static int read_policy(struct policy *policy)
{
	BUFFER file = {0}, line = {0};
	int r = file_slurp("/" POLICY_FILE, POLICY_MAX_SIZE, &file);
	if (r == 0)
		r = policy_parse(policy, buffer_span(&file));
	if (r < 0)
		return r;
	fail_action(policy->on_failure);
	r = fail_watch(policy->timeout_s);
	if (r == 0)
		r = file_slurp("/proc/cmdline", WORDS_SIZE, &line);
	return r < 0 ? r : cmdline_check(policy, buffer_span(&line));
}

/* The real init gets the console as its three descriptors, and nothing else from here. */
static int open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0 && (errno == ENODEV || errno == ENXIO || errno == ENOENT))
		fd = open("/dev/null", O_RDWR);
	if (fd < 0)
		return error_errno("/dev/console: cannot open");
	for (int i = 0; i < 3; i++)
		if (fd != i && dup2(fd, i) < 0)
			return error_errno("/dev/console: cannot duplicate");
	if (fd > 2)
		close(fd);
	return 0;
}

/* Only returns if it failed. The program is the file that was checked, not its name. */
static int run_init(int fd, const char *path)
{
	const char *const argv[] = {path, NULL};
	const char *const envp[] = {"HOME=/", "TERM=linux", NULL};
	umask(022);
	fail_unwatch();
	syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	return error_errno("the real init %s cannot be run", path);
}

/* Puts the real root together, and all that belongs over it. Returns the real init. */
static int compose_root(struct state *s)
{
	int init = root_make(&s->base, &s->policy);
	s->times.mounted = now_ms();
	int r = init < 0 ? init : var_mount(&s->var, &s->policy, ROOT_PATH);
	if (r == 0)
		r = extend_root(&s->policy, ROOT_PATH, &s->n_extensions);
	if (r == 0)
		r = var_persist(&s->policy, ROOT_PATH);
	s->times.composed = now_ms();
	return r < 0 ? r : init;
}

/* Finds the root and whom to trust with it, up to a verified device. */
static int find_root(struct state *s)
{
	int r = mount_kernel_file_systems();
	fail_prepare();
	if (r == 0)
		r = delete_extra();
	if (r == 0)
		r = read_policy(&s->policy);
	if (r == 0)
		r = trust_read(&s->trust, &s->policy);
	s->times.policy = now_ms();
	if (r == 0)
		r = modules_start();
	s->times.modules = now_ms();
	if (r == 0)
		r = base_open(&s->base, &s->policy, &s->trust);
	if (r == 0)
		r = trust_check_floor(&s->trust, &s->policy);
	s->times.found = s->base.found_ms;
	return r;
}

static int boot(void)
{
	static struct state s = {.base = {.signature = "none"}};
	const struct policy *p = &s.policy;
	s.times.start = now_ms();
	int r = find_root(&s);
	int init = r < 0 ? r : compose_root(&s);
	r = init < 0 ? init : state_save(&s);
	if (r == 0)
		r = open_console();
	if (r == 0)
		r = root_enter();
	if (r < 0)
		return r;
	if (s.trust.root.pin)
		note("the root hash is signed by %s", s.trust.root.pin->name);
	note("%s of %s (%s, %.16s...) is verified block by block; running %s",
		p->part == PART_USR ? "/usr" : "root", s.base.disk, p->fs, p->root_hash,
		p->init);
	return run_init(init, p->init);
}

int main(void)
{
	if (!in_initramfs()) {
		static const char text[] =
			"cairn init: only runs as PID 1 of an initramfs\n";
		/* As PID 1 of anything else, ending is what stops the boot. */
		return write(STDERR_FILENO, text, sizeof text - 1) < 0 ? 1 : 2;
	}
	umask(0);
	boot();
	fail_now(error_text());
}
