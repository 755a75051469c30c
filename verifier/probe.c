/* SPDX-License-Identifier: MIT */
#include "verifier/probe.h"

#include <string.h>

#define SUPERBLOCKS 2048 /* all of the superblocks that are looked at lie in here */

/* The kernel's fs/erofs/erofs_fs.h, struct erofs_super_block. */
#define EROFS_AT       1024
#define EROFS_MAGIC    0xe0f5e1e2u
#define EROFS_LOG_SIZE (EROFS_AT + 12)
#define EROFS_BLOCKS   (EROFS_AT + 36)
#define EROFS_UUID     (EROFS_AT + 48)

/* The kernel's fs/squashfs/squashfs_fs.h, struct squashfs_super_block. */
#define SQUASHFS_MAGIC      0x73717368u
#define SQUASHFS_BLOCK_SIZE 12
#define SQUASHFS_BYTES_USED 40

/* The kernel's Documentation/filesystems/ext4/super.rst. */
#define EXT_AT           1024
#define EXT_MAGIC        0xef53
#define EXT_BLOCKS_LOW   (EXT_AT + 4)
#define EXT_LOG_SIZE     (EXT_AT + 24)
#define EXT_MAGIC_AT     (EXT_AT + 56)
#define EXT_COMPAT       (EXT_AT + 92)
#define EXT_INCOMPAT     (EXT_AT + 96)
#define EXT_RO_COMPAT    (EXT_AT + 100)
#define EXT_UUID         (EXT_AT + 104)
#define EXT_BLOCKS_HIGH  (EXT_AT + 336)
#define EXT_HAS_JOURNAL  0x4u
#define EXT_JOURNAL_DEV  0x8u
#define EXT_NEEDS_REPLAY 0x4u
#define EXT_64BIT        0x80u
#define EXT_READ_ONLY    0x1000u

const char *probe_name(enum probe_kind kind)
{
	static const char *const names[] = {"unknown", "erofs", "squashfs", "ext4"};
	return names[kind];
}

static void take_uuid(struct probe *p, const uint8_t *uuid)
{
	memcpy(p->uuid, uuid, 16);
	p->has_uuid = true;
}

/* Blocks of 2^LOG bytes. */
static int take_size(struct probe *p, uint64_t blocks, uint32_t log)
{
	p->block_size = UINT32_C(1) << log;
	return u64_mul(blocks, p->block_size, &p->size);
}

static int probe_erofs(struct probe *p, const uint8_t *s)
{
	p->kind = PROBE_EROFS;
	p->read_only = true;
	take_uuid(p, s + EROFS_UUID);
	uint8_t log = s[EROFS_LOG_SIZE];
	return log < 9 || log > 16 ? -1 : take_size(p, get_le32(s + EROFS_BLOCKS), log);
}

static int probe_squashfs(struct probe *p, const uint8_t *s)
{
	p->kind = PROBE_SQUASHFS;
	p->read_only = true;
	p->block_size = get_le32(s + SQUASHFS_BLOCK_SIZE);
	p->size = get_le64(s + SQUASHFS_BYTES_USED);
	return is_power_of_two(p->block_size) && p->block_size >= 4096 &&
			       p->block_size <= 1 << 20
		       ? 0
		       : -1;
}

static int probe_ext(struct probe *p, const uint8_t *s)
{
	uint32_t incompat = get_le32(s + EXT_INCOMPAT);
	p->kind = PROBE_EXT;
	p->has_journal = (get_le32(s + EXT_COMPAT) & EXT_HAS_JOURNAL) ||
			 (incompat & (EXT_JOURNAL_DEV | EXT_NEEDS_REPLAY));
	p->read_only = (get_le32(s + EXT_RO_COMPAT) & EXT_READ_ONLY) && !p->has_journal;
	take_uuid(p, s + EXT_UUID);
	uint64_t blocks = get_le32(s + EXT_BLOCKS_LOW);
	if (incompat & EXT_64BIT)
		blocks |= (uint64_t)get_le32(s + EXT_BLOCKS_HIGH) << 32;
	uint32_t log = get_le32(s + EXT_LOG_SIZE);
	return log > 6 ? -1 : take_size(p, blocks, log + 10);
}

int probe_file_system(
	const struct file *f, uint64_t offset, uint64_t size, struct probe *p)
{
	uint8_t s[SUPERBLOCKS] = {0};
	*p = (struct probe){0};
	int r = file_read(f, s, size < sizeof s ? (size_t)size : sizeof s, offset);
	if (r < 0)
		return r;
	int bad = 0;
	if (get_le32(s + EROFS_AT) == EROFS_MAGIC)
		bad = probe_erofs(p, s);
	else if (get_le32(s) == SQUASHFS_MAGIC)
		bad = probe_squashfs(p, s);
	else if (get_le16(s + EXT_MAGIC_AT) == EXT_MAGIC)
		bad = probe_ext(p, s);
	if (bad)
		return error_format("%s: offset %ju: absurd numbers in the %s superblock",
			f->name, (uintmax_t)offset, probe_name(p->kind));
	if (p->size > size)
		return error_format(
			"%s: offset %ju: %s of %ju bytes, there is room for %ju", f->name,
			(uintmax_t)offset, probe_name(p->kind), (uintmax_t)p->size,
			(uintmax_t)size);
	return 0;
}
