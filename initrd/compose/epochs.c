/* SPDX-License-Identifier: MIT */
#include "initrd/compose/epochs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/path.h"
#include "initrd/compose/inside.h"
#include "initrd/compose/space.h"
#include "initrd/compose/standing.h"

#define OS_RELEASE     "lib/os-release"
#define OS_RELEASE_MAX 65536

int epochs_of_usr(int usr_fd, unsigned *epoch)
{
	BUFFER text = {0};
	int r = inside_slurp(usr_fd, OS_RELEASE, OS_RELEASE_MAX, &text);
	if (r == 0 || r == -ENOENT)
		r = anchors_epoch(buffer_span(&text), "os-release", epoch);
	return r;
}

static int read_usr(struct epochs *e, int usr_fd)
{
	AUTO_ANCHORS anchors = {0};
	int r = epochs_of_usr(usr_fd, &e->own);
	if (r == 0)
		r = anchors_read(&anchors, usr_fd);
	e->base_floor = anchors.epoch_floor;
	return r;
}

/* A descriptor of the base's /usr below ROOT, without what is composed over it: that is
 * taken away where nobody else sees it. */
static int open_base(const char *root)
{
	AUTO_SPACE space = SPACE_NONE;
	struct standing s;
	int r = standing_read(&s, root, HIERARCHY_USR);
	if (r == 0)
		r = standing_check_base(&s);
	if (r == 0 && s.n_ours)
		r = space_enter(&space);
	if (r == 0 && s.n_ours)
		r = standing_reveal(&s);
	standing_free(&s);
	int dir = r < 0 ? r : path_open_dir(root);
	if (dir < 0)
		return dir;
	int usr = inside_open(dir, "usr", O_RDONLY | O_DIRECTORY);
	close(dir);
	if (usr < 0)
		return error_set(STATUS_FAILED, -usr, "%s/usr: cannot open: %s", root,
			strerror(-usr));
	return usr;
}

int epochs_read(struct epochs *e, const char *root, const char *device)
{
	*e = (struct epochs){0};
	int usr = open_base(root);
	if (usr < 0)
		return usr;
	int r = read_usr(e, usr);
	close(usr);
	return r < 0 ? r : rollback_read(device, &e->state, &e->tpm_floor);
}

int epochs_raise(const struct epochs *e, const char *device, unsigned epoch)
{
	unsigned wanted = epoch ? epoch : e->base_floor;
	if (wanted > e->own)
		return error_usage("a floor of %u is above this system's own epoch %u, "
				   "which could not be booted again",
			wanted, e->own);
	if (wanted == 0 || (e->state == ROLLBACK_FLOOR && e->tpm_floor >= wanted))
		return 1;
	return rollback_raise(device, wanted);
}
