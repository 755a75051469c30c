/* SPDX-License-Identifier: MIT */
#include "blobfs/reader.h"

#include "blobfs/reader_parts.h"

int blobfs_read_device(struct blobfs *fs, uint64_t offset, uint8_t *data, size_t size)
{
	if (!is_inside(fs, offset, size))
		return fail(fs, offset, BLOBFS_MALFORMED);
	if (fs->platform.read(fs->platform.context, offset, data, size))
		return fail(fs, offset, BLOBFS_IO);
	return 0;
}

int blobfs_hash(struct blobfs *fs, const uint8_t *data, size_t size, size_t count,
	uint8_t *digests)
{
	int r = fs->platform.hash(fs->platform.context, data, size, count, digests);
	return r ? BLOBFS_IO : 0;
}

int blobfs_check_hash(struct blobfs *fs, const uint8_t *data, size_t size,
	const uint8_t *expected, uint64_t offset)
{
	uint8_t got[BLOBFS_DIGEST_SIZE];
	int r = blobfs_hash(fs, data, size, 1, got);
	if (r == 0 && !is_digest(got, expected))
		r = BLOBFS_DAMAGED;
	return r ? fail(fs, offset, r) : 0;
}

/* Reads a superblock or page into FS->block: BLOBFS_NOT_ONE without MAGIC. */
static int read_sealed(struct blobfs *fs, uint64_t offset, const char *magic)
{
	if (!is_inside(fs, offset, BLOBFS_BLOCK))
		return fail(fs, offset, BLOBFS_NOT_ONE);
	int r = blobfs_read_device(fs, offset, fs->block, BLOBFS_BLOCK);
	if (r)
		return r;
	if (compare(fs->block, (const uint8_t *)magic, BLOBFS_MAGIC_SIZE) != 0)
		return fail(fs, offset, BLOBFS_NOT_ONE);
	return blobfs_check_hash(
		fs, fs->block, BLOBFS_SEAL, fs->block + BLOBFS_SEAL, offset);
}

/* ---- superblock -------------------------------------------------------------------- */

static bool get_run(const struct blobfs *fs, const struct blobfs_disk_run *disk,
	struct blobfs_run *run)
{
	uint64_t size;
	run->offset = get_le64(disk->offset);
	run->pages = get_le64(disk->pages);
	return u64_mul(run->pages, BLOBFS_BLOCK, &size) == 0 &&
	       is_aligned(fs, run->offset, size);
}

/* Takes the superblock in FS->block, whose seal is good, apart. */
static int parse_super(struct blobfs *fs)
{
	const struct blobfs_super *s = (const void *)fs->block;
	if (get_le32(s->version) != BLOBFS_VERSION ||
		(get_le64(s->incompatible) & ~BLOBFS_INCOMPATIBLE) != 0 ||
		s->block_log2 != BLOBFS_BLOCK_LOG2 ||
		s->hash_algorithm != BLOBFS_HASH_SHA256)
		return BLOBFS_UNSUPPORTED;
	uint32_t header_size = get_le32(s->header_size);
	fs->n_runs = get_le16(s->n_runs);
	fs->compatible = get_le64(s->compatible);
	fs->ro_compatible = get_le64(s->ro_compatible);
	fs->generation = get_le64(s->generation);
	fs->device_size = get_le64(s->device_size);
	fs->used_end = get_le64(s->used_end);
	fs->free_entries = get_le64(s->free_entries);
	copy(fs->uuid, s->uuid, sizeof fs->uuid);
	copy(fs->refs, s->refs, sizeof fs->refs);
	if (header_size < sizeof *s || header_size > BLOBFS_SEAL ||
		fs->n_runs > BLOBFS_MAX_RUNS || fs->generation == 0 ||
		!is_inside(fs, 0, fs->device_size) || fs->used_end > fs->device_size ||
		!get_run(fs, &s->free, &fs->free))
		return BLOBFS_MALFORMED;
	for (uint32_t i = 0; i < fs->n_runs; i++)
		if (!get_run(fs, &s->runs[i], &fs->runs[i]))
			return BLOBFS_MALFORMED;
	return 0;
}

/* Finds the superblock that counts and leaves it in FS->block. */
static int choose_super(struct blobfs *fs)
{
	uint64_t best = 0, chosen = 2;
	int error = BLOBFS_NOT_ONE;
	const struct blobfs_super *s = (const void *)fs->block;
	for (uint64_t i = 0; i < 2; i++) {
		int r = read_sealed(fs, i * BLOBFS_SUPER_B, BLOBFS_MAGIC);
		if (r == BLOBFS_IO)
			fs->unread |= 1U << i;
		if (r != 0) {
			error = r == BLOBFS_NOT_ONE ? error : r;
		} else if (chosen == 2 || get_le64(s->generation) > best) {
			best = get_le64(s->generation);
			chosen = i;
		}
	}
	if (chosen == 2)
		return fail(fs, 0, error);
	fs->bad_offset = chosen * BLOBFS_SUPER_B;
	/* The second one was read last. */
	return chosen == 1 ? 0 : read_sealed(fs, 0, BLOBFS_MAGIC);
}

int blobfs_open(struct blobfs *fs, const struct blobfs_platform *platform,
	struct blobfs_slot *slots, uint32_t n_slots)
{
	fs->platform = *platform;
	fs->slots = slots;
	fs->n_slots = n_slots;
	fs->n_runs = 0;
	fs->unread = 0;
	fs->bad_offset = 0;
	for (uint32_t i = 0; i < n_slots; i++)
		slots[i].valid = 0;
	int r = choose_super(fs);
	return r ? r : parse_super(fs);
}

/* ---- index ------------------------------------------------------------------------- */

int blobfs_read_page(
	struct blobfs *fs, const struct blobfs_run *run, uint64_t page, uint32_t *count)
{
	/* The run was found to be inside the device, so this cannot wrap. */
	uint64_t offset = run->offset + page * BLOBFS_BLOCK;
	*count = 0;
	int r = read_sealed(fs, offset, BLOBFS_INDEX_MAGIC);
	if (r)
		return r == BLOBFS_NOT_ONE ? BLOBFS_DAMAGED : r;
	const struct blobfs_page *p = (const void *)fs->block;
	uint32_t n = get_le32(p->count);
	if (n == 0 || n > BLOBFS_PAGE_ENTRIES)
		return fail(fs, offset, BLOBFS_MALFORMED);
	*count = n;
	return 0;
}

static const struct blobfs_disk_entry *page_entry(
	const struct blobfs *fs, uint32_t number)
{
	const void *first = fs->block + sizeof(struct blobfs_page);
	return (const struct blobfs_disk_entry *)first + number;
}

void blobfs_page_entry(
	const struct blobfs *fs, uint32_t number, struct blobfs_entry *entry)
{
	const struct blobfs_disk_entry *e = page_entry(fs, number);
	copy(entry->digest, e->digest, sizeof entry->digest);
	entry->size = get_le64(e->size);
	entry->data = get_le64(e->data);
	entry->tree = get_le64(e->tree);
	entry->tail = get_le64(e->tail);
}

/* The number of entries among COUNT of the page in FS->block that sort before DIGEST. */
static uint32_t search_page(
	const struct blobfs *fs, uint32_t count, const uint8_t *digest)
{
	uint32_t low = 0, high = count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (compare(page_entry(fs, middle)->digest, digest, BLOBFS_DIGEST_SIZE) <
			0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * One step of the search for DIGEST among the pages [*LOW, *HIGH) of RUN: either the
 * entry is found (*FOUND), or the range shrinks to less than half of it or to nothing.
 */
static int search_step(struct blobfs *fs, const struct blobfs_run *run,
	const uint8_t *digest, uint64_t *low, uint64_t *high, struct blobfs_entry *found)
{
	uint64_t middle = *low + (*high - *low) / 2;
	uint32_t count;
	int r = blobfs_read_page(fs, run, middle, &count);
	if (r)
		return r;
	uint32_t at = search_page(fs, count, digest);
	if (at < count && is_digest(page_entry(fs, at)->digest, digest)) {
		blobfs_page_entry(fs, at, found);
		return 0;
	}
	if (at == count)
		*low = middle + 1;
	else
		*high = at == 0 ? middle : *low;
	return BLOBFS_MISSING;
}

static int search_run(struct blobfs *fs, const struct blobfs_run *run,
	const uint8_t *digest, struct blobfs_entry *found)
{
	uint64_t low = 0, high = run->pages;
	while (low < high) {
		int r = search_step(fs, run, digest, &low, &high, found);
		if (r != BLOBFS_MISSING)
			return r;
	}
	return BLOBFS_MISSING;
}

int blobfs_find(struct blobfs *fs, const uint8_t *digest, struct blobfs_entry *entry)
{
	for (uint32_t i = 0; i < fs->n_runs; i++) {
		int r = search_run(fs, &fs->runs[i], digest, entry);
		if (r == BLOBFS_MISSING)
			continue;
		if (r == 0 && entry->size == BLOBFS_TOMBSTONE)
			return BLOBFS_MISSING;
		return r;
	}
	return BLOBFS_MISSING;
}
