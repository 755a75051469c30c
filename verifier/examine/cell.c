/* SPDX-License-Identifier: MIT */
#include "verifier/examine/cell.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/error.h"

/* The file FD as a mount of its own that nothing is written through. */
static int clone_file(int fd)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME |
					      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
					      MOUNT_ATTR_NOEXEC,
		.attr_clr = MOUNT_ATTR__ATIME};
	int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0) {
		close(tree);
		return -1;
	}
	return tree;
}

/* An empty directory in memory, mounted over everything else. */
static int make_root(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), root = -1;
	if (fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		root = fsmount(fs, FSMOUNT_CLOEXEC,
			MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (fs >= 0)
		close(fs);
	if (root >= 0 &&
		(move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
			fchdir(root) < 0 || chroot(".") < 0)) {
		close(root);
		return -1;
	}
	return root;
}

static int put_file(int root, int tree, size_t number)
{
	char name[32];
	snprintf(name, sizeof name, "segment.%zu", number);
	int fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0)
		return -1;
	close(fd);
	return move_mount(tree, "", root, name, MOVE_MOUNT_F_EMPTY_PATH);
}

int cell_enter(const int *fds, size_t n)
{
	int *trees = calloc(n + 1, sizeof *trees), root = -1, r = 0;
	if (!trees)
		return error_memory();
	/* Before the name space is another: only what is in ours can be cloned. */
	for (size_t i = 0; i < n && r == 0; i++)
		r = (trees[i] = clone_file(fds[i])) < 0 ? -1 : 0;
	if (r == 0 && (unshare(CLONE_NEWNS) < 0 ||
			      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			      (root = make_root()) < 0))
		r = -1;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = put_file(root, trees[i], i + 1);
		close(trees[i]);
		close(fds[i]);
	}
	if (r < 0)
		r = error_errno("cannot make a root directory for the segments alone");
	if (root >= 0)
		close(root);
	free(trees);
	return r;
}
