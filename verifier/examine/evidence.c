/* SPDX-License-Identifier: MIT */
#include "verifier/examine/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/path.h"
#include "verifier/examine/users.h"

struct place evidence_place(const struct evidence *e)
{
	/* There are many segments: each is named. */
	const struct examined_file *f = e->record;
	return (struct place){
		.area = strcmp(f->role, "segment") == 0 ? path_base(f->path) : f->role};
}

/* What a file can lie on; of others nothing is known. */
static const struct backing {
	uint64_t magic;
	const char *name;
	bool remote; /* others can change it there, and its attributes are theirs */
	/* A lease is refused as if there were a writer unless the server promised one. */
	bool promised_leases;
} backings[] = {{EXT4_SUPER_MAGIC, "ext4", false, false},
	{XFS_SUPER_MAGIC, "xfs", false, false},
	{BTRFS_SUPER_MAGIC, "btrfs", false, false}, {TMPFS_MAGIC, "tmpfs", false, false},
	{OVERLAYFS_SUPER_MAGIC, "overlay", false, false},
	{F2FS_SUPER_MAGIC, "f2fs", false, false},
	{SQUASHFS_MAGIC, "squashfs", false, false},
	{EROFS_SUPER_MAGIC_V1, "erofs", false, false},
	{FUSE_SUPER_MAGIC, "fuse", true, false}, {V9FS_MAGIC, "9p", true, false},
	{CEPH_SUPER_MAGIC, "ceph", true, false}, {AFS_FS_MAGIC, "afs", true, false},
	{NFS_SUPER_MAGIC, "nfs", true, true}, {CIFS_SUPER_MAGIC, "cifs", true, true},
	{SMB2_SUPER_MAGIC, "cifs", true, true}};

static const struct backing *find_backing(const struct evidence *e)
{
	static const struct backing unknown = {.name = ""};
	struct statfs fs;
	if (fstatfs(e->file.fd, &fs) < 0)
		return &unknown;
	/* Some are negative as the type that they have here. */
	uint64_t magic = (uint64_t)fs.f_type & UINT32_MAX;
	for (size_t i = 0; i < sizeof backings / sizeof backings[0]; i++)
		if (backings[i].magic == magic)
			return &backings[i];
	return &unknown;
}

static struct timespec time_of(struct statx_timestamp t)
{
	return (struct timespec){.tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec};
}

/* A server is asked: what this machine remembers of its answers may be a minute old. */
int evidence_state(const struct evidence *e, struct file_state *state)
{
	struct statx st;
	if (statx(e->file.fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
		    &st) < 0)
		return error_errno("%s: cannot stat", e->file.name);
	*state =
		(struct file_state){.device = makedev(st.stx_dev_major, st.stx_dev_minor),
			.inode = st.stx_ino,
			.size = st.stx_size,
			.blocks = st.stx_blocks,
			.mode = st.stx_mode,
			.uid = st.stx_uid,
			.gid = st.stx_gid,
			.n_links = st.stx_nlink,
			.atime = time_of(st.stx_atime),
			.mtime = time_of(st.stx_mtime),
			.ctime = time_of(st.stx_ctime)};
	return 0;
}

/* Records that WRITERS can change the file. */
static int refuse_writers(const struct evidence *e, const char *writers)
{
	return error_set(STATUS_CHANGED, EBUSY,
		"%s: can be written to by %s; nothing was mounted", e->file.name,
		*writers ? writers : "a process that was not found");
}

/*
 * A lease for reading is given only while nobody can write. Returns whether there may be
 * nobody: it was given, or refused for another reason.
 */
static bool take_lease(
	struct evidence *e, const struct backing *backing, struct report *report)
{
	const struct place place = evidence_place(e);
	/* Ignored unless somebody asks for it: what counts is asked of the lease itself.
	 */
	fcntl(e->file.fd, F_SETSIG, SIGURG);
	e->has_lease = fcntl(e->file.fd, F_SETLEASE, F_RDLCK) == 0;
	if (e->has_lease || (errno == EAGAIN && !backing->promised_leases))
		return e->has_lease;
	report_uncovered(report, "lease", &place,
		"no lease could be taken (%s): that somebody opens the file for "
		"writing shows only by its times and content",
		errno == EAGAIN ? "that server has promised none" : strerror(errno));
	return true;
}

/*
 * While the lease holds, no loop device can write to the file, whatever its name: then
 * only those that read it are of interest, and others' devices are left alone.
 */
static const char *loops_name(const struct evidence *e)
{
	return e->has_lease ? path_base(e->file.name) : NULL;
}

/* Refuses a file with writers, and notes who else reads it. */
static int find_users(
	struct evidence *e, const struct backing *backing, struct report *report)
{
	USERS users = {0};
	struct stat st;
	const struct place place = evidence_place(e);
	if (fstat(e->file.fd, &st) < 0)
		return error_errno("%s: cannot stat", e->file.name);
	bool no_writer = take_lease(e, backing, report);
	int r = users_find_loops(&users, &st, loops_name(e));
	/* With a lease there is none, which spares looking at all processes. */
	if (r == 0 && !e->has_lease)
		r = users_find_processes(&users, &st);
	if (r == 0 && (users.writers.size || !no_writer))
		r = refuse_writers(e, buffer_text(&users.writers));
	if (r == 0 && users.read_only.size)
		report_note(report, "attached", &place,
			"is attached read-only by others as well: %s",
			buffer_text(&users.read_only));
	return r;
}

/* What does not hold where others answer for the file. */
static void describe_backing(
	const struct evidence *e, const struct backing *backing, struct report *report)
{
	const struct place place = evidence_place(e);
	e->record->backing_type = backing->name;
	if (!backing->remote)
		return;
	report_uncovered(report, "attributes", &place,
		"lies on %s: others can change it there, and its times are what that "
		"server says; what was read was checked all the same",
		backing->name);
	report_uncovered(report, "atime", &place,
		"lies on %s: that server may set the access time when it is read",
		backing->name);
	report_uncovered(report, "attached", &place,
		"lies on %s: who uses it elsewhere is not seen from here", backing->name);
}

int evidence_open(struct evidence *e, const char *path, struct examined_file *record,
	struct report *report)
{
	*e = EVIDENCE_CLOSED;
	e->record = record;
	record->backing_type = "";
	if (!record->path && !(record->path = strdup(path)))
		return error_memory();
	int r = file_open_image(&e->file, path, O_RDONLY | O_NOATIME);
	if (r == 0 && e->file.is_device)
		r = error_format("%s: is a device node; examine looks at files: make an "
				 "image of the device first",
			path);
	if (r == 0)
		r = evidence_state(e, &record->before);
	if (r < 0)
		return r;
	const struct backing *backing = find_backing(e);
	e->is_remote = backing->remote;
	describe_backing(e, backing, report);
	return find_users(e, backing, report);
}

bool evidence_lease_broken(struct evidence *e)
{
	if (!e->has_lease || fcntl(e->file.fd, F_GETLEASE) == F_RDLCK)
		return false;
	/* The writer waits until the lease is gone: detection, not prevention. */
	fcntl(e->file.fd, F_SETLEASE, F_UNLCK);
	e->has_lease = false;
	e->lease_broken = true;
	return true;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void compare_states(const struct evidence *e, struct report *report)
{
	const struct file_state *a = &e->record->before, *b = &e->record->after;
	const struct place place = evidence_place(e);
	const struct {
		bool differs;
		const char *what;
	} attributes[] = {{a->size != b->size, "size"},
		{!same_time(a->mtime, b->mtime), "modification time"},
		{!same_time(a->ctime, b->ctime), "change time"},
		{a->mode != b->mode, "mode"},
		{a->uid != b->uid || a->gid != b->gid, "owner"},
		{a->n_links != b->n_links, "number of links"}};
	BUFFER changed = {0};
	for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
		if (attributes[i].differs)
			buffer_printf(&changed, "%s%s", changed.size ? ", " : "",
				attributes[i].what);
	if (changed.size)
		report_fault(report, STATUS_CHANGED, "attributes", &place,
			"changed while it was examined: %s", buffer_text(&changed));
	else
		report_good(report, "attributes", &place,
			"size, mode, owner, links, modification and change time are as "
			"they were");
	if (a->blocks != b->blocks)
		report_note(report, "attributes", &place,
			"has other room on its disk, %ju then %ju units of 512 bytes: "
			"what had been written before was put there meanwhile",
			(uintmax_t)a->blocks, (uintmax_t)b->blocks);
	if (same_time(a->atime, b->atime))
		report_good(report, "atime", &place, "the access time is as it was");
	else
		report_note(report, "atime", &place, "the access time changed: %s",
			e->is_remote ? "its server set it, for this reading or another"
				     : "somebody else read it");
}

/* The path may lead elsewhere by now; what was examined is the open file. */
static void compare_path(const struct evidence *e, struct report *report)
{
	struct stat st;
	const struct place place = evidence_place(e);
	if (stat(e->file.name, &st) < 0 || st.st_dev != e->record->before.device ||
		st.st_ino != e->record->before.inode)
		report_fault(report, STATUS_CHANGED, "path", &place,
			"the path no longer leads to the file that was examined");
	else
		report_good(report, "path", &place, "the path still leads to this file");
}

static void compare_users(const struct evidence *e, struct report *report)
{
	USERS users = {0};
	struct stat st;
	const struct place place = evidence_place(e);
	if (fstat(e->file.fd, &st) < 0 ||
		users_find_loops(&users, &st, loops_name(e)) < 0) {
		report_fault(report, STATUS_UNCHECKED, "attached", &place,
			"who else uses it could not be seen");
		return;
	}
	if (users.writers.size)
		report_fault(report, STATUS_CHANGED, "attached", &place,
			"can be written to by %s", buffer_text(&users.writers));
	else
		report_good(
			report, "attached", &place, "no writable loop device is over it");
}

void evidence_compare(struct evidence *e, struct report *report)
{
	const struct place place = evidence_place(e);
	if (evidence_state(e, &e->record->after) < 0)
		report_error(report, "attributes", &place, e->file.name);
	else if (!e->is_served)
		compare_states(e, report);
	if (e->is_served)
		return;
	compare_path(e, report);
	compare_users(e, report);
	if (e->has_lease && !evidence_lease_broken(e))
		report_good(report, "lease", &place,
			"nobody opened it for writing%s: the lease held",
			e->is_remote ? ", as far as is known here" : "");
}

void evidence_close(struct evidence *e)
{
	file_close(&e->file);
	e->has_lease = false;
}
