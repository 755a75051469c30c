/* SPDX-License-Identifier: MIT */
#include "core/verity_format.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/area.h"
#include "core/progress.h"
#include "core/verity_repair.h"

static bool same_file(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool file_is_same(const struct file *a, const struct file *b)
{
	struct stat x, y;
	return fstat(a->fd, &x) == 0 && fstat(b->fd, &y) == 0 && same_file(&x, &y);
}

static bool path_is(const char *path, const struct file *f)
{
	struct stat x, y;
	return stat(path, &x) == 0 && fstat(f->fd, &y) == 0 && same_file(&x, &y);
}

int verity_cover_all(const struct file *data, struct verity_params *p)
{
	struct verity_params others = *p;
	others.data_blocks = 1;
	int r = verity_check_params(&others);
	if (r < 0)
		return r;
	if (data->size % p->data_block_size)
		return error_format(
			"%s: its size of %ju bytes is no multiple of the block size "
			"%u; --data-blocks can state the part to be covered",
			data->name, (uintmax_t)data->size, p->data_block_size);
	p->data_blocks = data->size / p->data_block_size;
	return p->data_blocks ? 0 : error_format("%s: is empty", data->name);
}

/* A UUID that follows from the root hash, so that the same input gives the same bytes. */
static int derive_uuid(struct verity_format *f)
{
	uint8_t digest[32];
	const struct span parts[] = {span_of("cairn verity uuid", 17),
		span_of(f->root, hash_size(f->params.alg))};
	int r = hash_parts(HASH_SHA256, parts, 2, digest);
	if (r < 0)
		return r;
	memcpy(f->params.uuid, digest, 16);
	/* Version 8 of RFC 9562: the contents are the maker's own. */
	f->params.uuid[6] = (uint8_t)((f->params.uuid[6] & 0x0f) | 0x80);
	f->params.uuid[8] = (uint8_t)((f->params.uuid[8] & 0x3f) | 0x80);
	return 0;
}

static int place_tree(struct verity_format *f)
{
	int r = verity_check_params(&f->params);
	if (r == 0)
		r = verity_tree_size(&f->params, &f->tree_size);
	if (r < 0)
		return r;
	uint64_t unit = f->superblock ? 512 : f->params.hash_block_size;
	if (f->hash_offset % unit)
		return error_format("hash offset %ju is no multiple of %ju",
			(uintmax_t)f->hash_offset, (uintmax_t)unit);
	f->tree_offset = f->hash_offset;
	if (f->superblock)
		r = verity_tree_offset(&f->params, f->hash_offset, &f->tree_offset);
	uint64_t end;
	if (r == 0 && (u64_add(f->tree_offset, f->tree_size, &end) || end > INT64_MAX))
		r = error_format(
			"hash offset %ju is out of range", (uintmax_t)f->hash_offset);
	return r;
}

/* What is in the way in a file that exists. */
static int check_room(const struct verity_format *f, const struct file *data,
	const struct file *existing)
{
	if (!existing)
		return 0;
	uint64_t data_end = f->params.data_blocks * f->params.data_block_size;
	if (file_is_same(existing, data) && f->hash_offset < data_end)
		return error_format(
			"%s: the hash area at offset %ju would overlap the data, "
			"which ends at %ju",
			existing->name, (uintmax_t)f->hash_offset, (uintmax_t)data_end);
	if (existing->is_device && f->tree_offset + f->tree_size > existing->size)
		return error_format(
			"%s: the hash area would end at offset %ju, the device "
			"ends at %ju",
			existing->name, (uintmax_t)(f->tree_offset + f->tree_size),
			(uintmax_t)existing->size);
	return 0;
}

/* What a crash leaves on a device must not look like a hash area. */
static int invalidate(const struct verity_format *f, const struct area *a)
{
	static const uint8_t zeros[VERITY_SUPERBLOCK_SIZE];
	if (!f->superblock || a->kind != AREA_DEVICE)
		return 0;
	return file_write(area_file(a), zeros, sizeof zeros, area_offset(a));
}

/* What there is in the hash area's file behind the tree belongs to the parity's input. */
static void find_rest(const struct verity_format *f, const struct area *hash,
	const struct area *parity, struct fec_layout *l)
{
	const struct file *existing = area_existing(hash), *other = area_existing(parity);
	l->rest = existing;
	l->rest_from = f->tree_offset + f->tree_size;
	if (existing && other && file_is_same(existing, other))
		l->rest_to = f->fec_offset;
	else
		l->rest_to = existing ? existing->size : 0;
}

static int check_fec_room(const struct verity_format *f, const struct file *data,
	const struct area *hash, const struct area *parity)
{
	const struct file *existing = area_existing(parity), *other = area_existing(hash);
	uint64_t data_end = f->params.data_blocks * f->params.data_block_size;
	uint64_t tree_end = f->tree_offset + f->tree_size;
	if (!existing)
		return strcmp(f->fec_path, f->hash_path)
			       ? 0
			       : error_usage("%s: a file for both hash area and parity "
					     "must exist "
					     "beforehand",
					 f->fec_path);
	if (file_is_same(existing, data) && f->fec_offset < data_end)
		return error_format(
			"%s: the parity at offset %ju would overlap the data, which "
			"ends at %ju",
			existing->name, (uintmax_t)f->fec_offset, (uintmax_t)data_end);
	if (!other || !file_is_same(existing, other))
		return 0;
	if (f->fec_offset < tree_end)
		return error_format(
			"%s: the parity at offset %ju would overlap the hash area, "
			"which ends at %ju",
			existing->name, (uintmax_t)f->fec_offset, (uintmax_t)tree_end);
	if (f->fec_offset > tree_end && f->fec_offset > existing->size)
		return error_format(
			"%s: ends before the parity's offset %ju, which covers all "
			"up to there",
			existing->name, (uintmax_t)f->fec_offset);
	return 0;
}

/* The parity over the data, the tree where it was just made, and the rest. */
static int build_parity(struct verity_format *f, const struct file *data,
	const struct area *hash, const struct area *parity)
{
	struct fec fec;
	struct fec_layout l = {.roots = f->fec_roots,
		.data = data,
		.tree = area_file(hash),
		.tree_at = area_offset(hash) + f->tree_offset - f->hash_offset};
	find_rest(f, hash, parity, &l);
	int r = verity_fec(&f->params, &l, &fec);
	if (r < 0)
		return r;
	f->fec_size = fec_parity_size(&fec);
	const struct file *device = area_existing(parity);
	if (device && device->is_device &&
		(f->fec_offset > device->size ||
			f->fec_size > device->size - f->fec_offset))
		return error_format("%s: %ju bytes of parity at offset %ju do not fit",
			device->name, (uintmax_t)f->fec_size, (uintmax_t)f->fec_offset);
	progress_begin("parity", fec_blocks(&fec) * fec.block_size);
	r = fec_encode(&fec, area_file(parity), area_offset(parity), f->jobs);
	progress_end();
	return r;
}

static int open_parity(const struct verity_format *f, const struct file *data,
	const struct area *hash, struct area *parity)
{
	if (!f->fec_path)
		return 0;
	int r = area_open(parity, f->fec_path, f->fec_offset,
		f->fec_offset > 0 || path_is(f->fec_path, data), f->replace);
	return r < 0 ? r : check_fec_room(f, data, hash, parity);
}

/* Between superblock and tree an existing file keeps what it has. */
static int keep_gap(const struct verity_format *f, const struct area *a)
{
	uint8_t gap[MERKLE_BLOCK_MAX];
	uint64_t from = f->hash_offset + VERITY_SUPERBLOCK_SIZE;
	size_t n;
	if (!f->superblock || a->kind != AREA_PART || f->tree_offset <= from)
		return 0;
	int r = file_read_some(
		&a->existing, gap, (size_t)(f->tree_offset - from), from, &n);
	return r < 0 ? r : file_write(&a->scratch, gap, n, VERITY_SUPERBLOCK_SIZE);
}

static int finish(struct verity_format *f, struct area *a, struct area *parity)
{
	int r = f->superblock && !f->uuid_given ? derive_uuid(f) : 0;
	if (r == 0 && f->superblock) {
		uint8_t sb[VERITY_SUPERBLOCK_SIZE];
		verity_superblock_write(&f->params, sb);
		r = file_write(area_file(a), sb, sizeof sb, area_offset(a));
	}
	/* A tree without blocks: the scratch file ends with the superblock's block. */
	uint64_t size = f->tree_offset + f->tree_size - f->hash_offset;
	if (r == 0)
		r = keep_gap(f, a);
	if (r == 0 && a->kind == AREA_PART && ftruncate(a->scratch.fd, (off_t)size) < 0)
		r = error_errno(
			"%s: cannot set the size of its temporary file", a->scratch.name);
	/* The parity first: without a superblock it is nothing. */
	if (r == 0 && f->fec_path)
		r = area_commit(parity, f->fec_size);
	return r < 0 ? r : area_commit(a, size);
}

int verity_format(struct verity_format *f)
{
	AUTO_FILE data = FILE_CLOSED;
	AUTO_AREA area = AREA_CLOSED, parity = AREA_CLOSED;
	int r = file_open_image(&data, f->data_path, O_RDONLY);
	if (r == 0 && !f->data_blocks_given)
		r = verity_cover_all(&data, &f->params);
	if (r == 0)
		r = place_tree(f);
	if (r < 0)
		return r;
	r = area_open(&area, f->hash_path, f->hash_offset,
		f->in_place || path_is(f->hash_path, &data), f->replace);
	if (r == 0)
		r = check_room(f, &data, area_existing(&area));
	if (r == 0)
		r = open_parity(f, &data, &area, &parity);
	if (r == 0)
		r = invalidate(f, &area);
	if (r == 0)
		r = verity_build(&f->params, &data, 0, area_file(&area),
			area_offset(&area) + f->tree_offset - f->hash_offset, f->jobs,
			f->root);
	if (r == 0 && f->fec_path)
		r = build_parity(f, &data, &area, &parity);
	return r < 0 ? r : finish(f, &area, &parity);
}
