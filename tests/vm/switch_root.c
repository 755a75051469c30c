/* SPDX-License-Identifier: MIT */
/*
 * The init of guests that are a shell script: loads what /modules lists, in that order,
 * enters the ext4 file system of the first disk as an ordinary system would be entered
 * (not in the initramfs itself: mounts cannot be put beneath others there), and runs
 * /check with bash.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/vm/modules.h"

static void enter(void)
{
	for (int i = 0; i < 1000 && access("/dev/vda", F_OK); i++)
		usleep(20000);
	if (mount("/dev/vda", "/root", "ext4", 0, NULL) < 0)
		stop("mount of the disk");
	if (mount("/dev", "/root/dev", NULL, MS_MOVE, NULL) < 0 || chdir("/root") < 0 ||
		mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
		chdir("/") < 0)
		stop("switch of root");
	if (mount("proc", "/proc", "proc", 0, NULL) < 0 ||
		mount("sys", "/sys", "sysfs", 0, NULL) < 0 ||
		mount("run", "/run", "tmpfs", 0, NULL) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		stop("mounts");
}

int main(void)
{
	char *argv[] = {"bash", "/check", NULL};
	char *envp[] = {"PATH=/usr/bin:/usr/sbin:/bin:/sbin", "HOME=/", "LC_ALL=C", NULL};
	setvbuf(stdout, NULL, _IONBF, 0);
	if (access("/modules", F_OK) == 0)
		mount("dev", "/dev", "devtmpfs", 0, NULL);
	/* As the real init of a system that was entered already, it only runs the script.
	 */
	if (access("/modules", F_OK) == 0) {
		load_modules();
		enter();
	}
	pid_t pid = fork();
	if (pid == 0) {
		execve("/usr/bin/bash", argv, envp);
		stop("bash");
	}
	for (pid_t gone = 0; gone != pid && (gone >= 0 || errno == EINTR);)
		gone = wait(NULL);
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
