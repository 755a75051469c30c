/* SPDX-License-Identifier: MIT */
#include "initrd/compose/ddi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/dps.h"
#include "core/gpt.h"
#include "core/hex.h"
#include "initrd/compose/inside.h"
#include "initrd/compose/loop.h"
#include "initrd/compose/mounts.h"
#include "initrd/plan/vouch.h"

#define BLOCK     4096
#define WAIT_MS   20
#define WAITS_MAX 100 /* for a device of the same name that is about to go */

void ddi_close(struct ddi *d)
{
	file_close(&d->file);
	buffer_free(&d->signature);
	if (d->mount >= 0)
		close(d->mount);
	*d = DDI_CLOSED;
}

/* ---- what the image says --------------------------------------------------- */

/* The partitions that matter, by role: data, hash tree, signature. */
struct parts {
	const struct gpt_partition *of[3];
};

static int find_parts(const struct ddi *d, const struct gpt *gpt, struct parts *p)
{
	static const enum dps_role roles[] = {DPS_ROOT, DPS_ROOT_VERITY, DPS_ROOT_SIG};
	static const char *const what[] = {"root", "hash tree", "signature"};
	for (size_t i = 0; i < gpt->n_partitions; i++) {
		const struct dps_type *t = dps_by_uuid(gpt->partitions[i].type);
		for (size_t k = 0; t && k < 3; k++) {
			if (t->role != roles[k])
				continue;
			if (strcmp(t->architecture, dps_native()) != 0)
				return error_format("%s: is built for %s, not for %s",
					d->file.name, t->architecture, dps_native());
			if (p->of[k])
				return error_format("%s: has two %s partitions",
					d->file.name, what[k]);
			p->of[k] = &gpt->partitions[i];
		}
	}
	for (size_t k = 0; k < 3; k++)
		if (!p->of[k])
			return error_set(k == 0 ? STATUS_FORMAT : STATUS_TRUST, EINVAL,
				"%s: has no %s partition", d->file.name, what[k]);
	return 0;
}

/* The two halves of the root hash are the UUIDs of the two partitions (UAPI.2). */
static void take_root_hash(struct ddi *d, const struct parts *p)
{
	hex_encode(p->of[0]->uuid, 16, d->root_hash);
	hex_encode(p->of[1]->uuid, 16, d->root_hash + 32);
}

static int read_parts(struct ddi *d, const struct parts *p)
{
	uint8_t sb[TABLE_SUPERBLOCK_SIZE];
	d->data_offset = p->of[0]->offset;
	d->data_size = p->of[0]->size;
	d->hash_offset = p->of[1]->offset;
	d->hash_size = p->of[1]->size;
	take_root_hash(d, p);
	int r = file_read(&d->file, sb, sizeof sb, d->hash_offset);
	if (r == 0)
		r = table_parse(
			&d->table, SPAN(sb), d->file.name, d->data_size, d->hash_size);
	size_t size =
		p->of[2]->size < VOUCH_MAX_SIZE ? (size_t)p->of[2]->size : VOUCH_MAX_SIZE;
	if (r == 0)
		r = buffer_append_zeros(&d->signature, size);
	return r < 0 ? r : file_read(&d->file, d->signature.data, size, p->of[2]->offset);
}

int ddi_open(struct ddi *d, struct found *f, enum extension_class class)
{
	AUTO_GPT gpt = {0};
	struct parts parts = {{NULL}};
	*d = DDI_CLOSED;
	d->class = class;
	snprintf(d->name, sizeof d->name, "%s", f->name);
	if (f->is_directory)
		return error_set(STATUS_TRUST, EKEYREJECTED,
			"%s: is a directory: nothing vouches for it", f->path);
	int fd = f->fd;
	f->fd = -1;
	int r = file_from_fd(&d->file, fd, f->path);
	if (r == 0)
		r = gpt_read_file(&d->file, 0, &gpt);
	if (r == 0)
		r = find_parts(d, &gpt, &parts);
	return r < 0 ? r : read_parts(d, &parts);
}

int ddi_vouch(struct ddi *d, const struct anchors *a)
{
	enum purpose purpose =
		d->class == CLASS_CONFEXT ? PURPOSE_CONFEXT : PURPOSE_SYSEXT;
	return anchors_check(a, purpose, d->file.name, d->root_hash,
		buffer_span(&d->signature), &d->by);
}

/* ---- dm-verity ------------------------------------------------------------- */

/* What is read of a bad block is EIO: an extension must not take the system down. */
static int make_device(const struct ddi *d, struct mapper *m, const char *uuid)
{
	static struct policy policy = {.verity = VERITY_EIO};
	AUTO_LOOP data = LOOP_CLOSED, hash = LOOP_CLOSED;
	BUFFER table = {0};
	char name[64];
	snprintf(name, sizeof name, DDI_DEVICE_PREFIX "%.32s", d->root_hash);
	strcpy(policy.root_hash, d->root_hash);
	int r = loop_open(&data, d->file.fd, d->file.name, d->data_offset, d->data_size);
	if (r == 0)
		r = loop_open(
			&hash, d->file.fd, d->file.name, d->hash_offset, d->hash_size);
	if (r == 0)
		r = table_write(&d->table, &policy, data.device, hash.device, NULL, false,
			&table);
	if (r == 0)
		r = mapper_make(m, name, uuid, d->table.data_blocks * (BLOCK / 512),
			buffer_text(&table));
	return r;
}

/*
 * The type by the magic number, read through dm-verity: erofs at 1024
 * (EROFS_SUPER_OFFSET), squashfs at 0, ext4 at 1080. Nothing else is mounted.
 */
static const char *file_system_of(const uint8_t block[BLOCK])
{
	if (get_le32(block + 1024) == 0xe0f5e1e2)
		return "erofs";
	if (get_le32(block) == 0x73717368)
		return "squashfs";
	if (get_le16(block + 1080) == 0xef53)
		return "ext4";
	return NULL;
}

/*
 * The number of a device that goes is given to the next one that is made. While the node
 * is open it stays what it is: it must be the device that was found, not its successor.
 */
static int check_node(const struct ddi *d, const struct mapper *m, const char *uuid)
{
	struct mapper now;
	int found = mapper_find(&now, uuid, d->root_hash);
	if (found < 0 || (found && !strcmp(now.node, m->node)))
		return found < 0 ? found : 0;
	return error_set(STATUS_FAILED, ENXIO, "%s: %s is not its device any more",
		d->file.name, m->node);
}

static int mount_device(struct ddi *d, const struct mapper *m, const char *uuid)
{
	static const char *const no_recovery[] = {"noload", NULL};
	uint8_t block[BLOCK];
	AUTO_FILE node = FILE_CLOSED;
	int r = file_open_image(&node, m->node, O_RDONLY);
	if (r == 0)
		r = check_node(d, m, uuid);
	if (r == 0 && file_read(&node, block, sizeof block, 0) < 0)
		return error_set(STATUS_CONTENT, EIO,
			"%s: does not verify against its root hash", d->file.name);
	const char *type = r < 0 ? NULL : file_system_of(block);
	if (r == 0 && !type)
		return error_format(
			"%s: neither erofs nor squashfs nor ext4", d->file.name);
	if (r < 0)
		return r;
	d->mount = mount_make(type, m->node, !strcmp(type, "ext4") ? no_recovery : NULL,
		MOUNT_RO | MOUNT_NODEV);
	return d->mount < 0 ? error_context(d->mount, "%s", d->file.name) : 0;
}

/* One try with the device that is there, or a new one. */
static int try_mount(struct ddi *d, const char *uuid)
{
	struct mapper m;
	struct error_record why;
	int found = mapper_find(&m, uuid, d->root_hash);
	int r = found < 0 ? found : found ? 0 : make_device(d, &m, uuid);
	if (r < 0)
		return r;
	r = mount_device(d, &m, uuid);
	if (r < 0)
		error_take(&why);
	/* Also after a failure, and if it is shared: in use it stays. */
	int released = mapper_release(&m);
	if (r < 0)
		error_put(&why);
	return r < 0 ? r : found ? 0 : released;
}

int ddi_mount(struct ddi *d)
{
	char uuid[96];
	int r = 0;
	snprintf(uuid, sizeof uuid, "CAIRN-VERITY-%s", d->root_hash);
	for (int i = 0; i < WAITS_MAX; i++) {
		r = try_mount(d, uuid);
		/* One that is going away is still listed, or cannot be opened any more.
		 */
		if (r != -EBUSY && r != -ENXIO && r != -ENOENT && r != -ENODEV)
			break;
		nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000000L}, NULL);
	}
	return r;
}

/* ---- its files ------------------------------------------------------------- */

int ddi_check_release(struct ddi *d, const struct release *host, const struct anchors *a)
{
	char path[EXTENSION_NAME_MAX + 64];
	BUFFER text = {0};
	struct release release;
	snprintf(path, sizeof path, "/%s/extension-release.d/extension-release.%s",
		d->class == CLASS_CONFEXT ? "etc" : "usr/lib", d->name);
	int r = inside_slurp(d->mount, path, RELEASE_MAX_SIZE, &text);
	if (r < 0)
		return error_format("%s: its %s cannot be read", d->file.name, path);
	r = release_parse(&release, d->class, buffer_span(&text), d->file.name);
	if (r == 0)
		r = release_match(&release, host, d->file.name);
	if (r == 0)
		r = anchors_epoch(buffer_span(&text), d->file.name, &d->epoch);
	return r < 0 ? r : anchors_check_epoch(a, d->file.name, d->epoch);
}
