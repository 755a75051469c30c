/* SPDX-License-Identifier: MIT */
#include "verifier/boot_space.h"

#include <string.h>

#include "verifier/disk.h"

#define MAX_TABLE ((uint64_t)64 << 20)

/* Cluster numbers start at 2. TABLE holds the entries of all; core/fat.c has checked
 * that. */
static bool is_free(const struct fat *fat, const struct buffer *table, uint32_t cluster)
{
	const uint8_t *p = table->data + (uint64_t)cluster * fat->bits / 8;
	if (fat->bits == 32)
		return (get_le32(p) & 0x0fffffff) == 0;
	if (fat->bits == 16)
		return get_le16(p) == 0;
	return ((get_le16(p) >> (cluster & 1 ? 4 : 0)) & 0xfff) == 0;
}

/* Free clusters from FIRST on, up to END (not included). */
static uint32_t free_run(
	const struct fat *fat, const struct buffer *table, uint32_t first, uint32_t end)
{
	uint32_t n = 0;
	while (first + n < end && is_free(fat, table, first + n))
		n++;
	return n;
}

static int look(
	const struct fat *fat, uint64_t offset, uint64_t size, struct boot_space *space)
{
	space->free_bytes += size;
	if (!space->free_is_zero || size == 0)
		return 0;
	int r = disk_find_nonzero(
		fat->file, fat->offset + offset, size, &space->not_zero);
	if (r == 0)
		space->free_is_zero = false;
	return r < 0 ? r : 0;
}

static int check_free(
	const struct fat *fat, const struct buffer *table, struct boot_space *space)
{
	uint32_t end = fat->n_clusters + 2;
	int r = 0;
	for (uint32_t i = 2; r == 0 && i < end;) {
		uint32_t n = free_run(fat, table, i, end);
		r = look(fat, fat->data + (uint64_t)(i - 2) * fat->cluster_size,
			(uint64_t)n * fat->cluster_size, space);
		i += n ? n : 1;
	}
	uint64_t last = fat->data + (uint64_t)fat->n_clusters * fat->cluster_size;
	return r < 0 ? r : look(fat, last, fat->size - last, space);
}

/* TABLE is the first of N copies, which follow each other. */
static int compare_tables(const struct fat *fat, const struct buffer *table, unsigned n,
	struct boot_space *space)
{
	BUFFER other = {0};
	int r = buffer_append_zeros(&other, table->size);
	for (unsigned i = 1; r == 0 && i < n && space->tables_agree; i++) {
		uint64_t at = fat->offset + fat->table + i * (uint64_t)table->size;
		r = file_read(fat->file, other.data, other.size, at);
		size_t same = 0;
		while (r == 0 && same < other.size &&
			other.data[same] == table->data[same])
			same++;
		space->tables_agree = r < 0 || same == other.size;
		space->differ = at + same;
	}
	return r;
}

int boot_space_check(const struct fat *fat, struct boot_space *space)
{
	*space = (struct boot_space){.free_is_zero = true, .tables_agree = true};
	uint8_t n_tables;
	BUFFER table = {0};
	/* The number of tables; fat_open has seen that it is not 0. */
	int r = file_read(fat->file, &n_tables, 1, fat->offset + 16);
	if (r < 0)
		return r;
	uint64_t size = n_tables ? (fat->root - fat->table) / n_tables : 0;
	if (size > MAX_TABLE || size * 8 < (uint64_t)(fat->n_clusters + 2) * fat->bits)
		return error_format(
			"%s: offset %ju: unsupported size of the allocation table",
			fat->file->name, (uintmax_t)fat->offset);
	/* One byte more, for the last entry of FAT12. */
	r = buffer_append_zeros(&table, (size_t)size + 1);
	table.size = (size_t)size;
	if (r == 0)
		r = file_read(
			fat->file, table.data, table.size, fat->offset + fat->table);
	if (r == 0)
		r = compare_tables(fat, &table, n_tables, space);
	return r < 0 ? r : check_free(fat, &table, space);
}
