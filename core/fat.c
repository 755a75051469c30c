/* SPDX-License-Identifier: MIT */
#include "core/fat.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define SLOT          32u
#define DIRECTORY_MAX (65536u * SLOT) /* what the format allows a directory */

/* Bits of a slot's attributes. */
#define VOLUME    0x08
#define DIRECTORY 0x10
#define LONG_NAME 0x0f
#define ALL_BITS  0x3f

static int malformed(const struct fat *fat, uint64_t at, const char *why)
{
	return error_format("%s: at offset %ju: FAT file system: %s", fat->file->name,
		(uintmax_t)(fat->offset + at), why);
}

static bool sane_sector(uint32_t sector)
{
	return is_power_of_two(sector) && sector >= 512 && sector <= 4096;
}

/* Where the parts of the file system lie, from the boot sector's numbers. */
static int place(struct fat *fat, const uint8_t *boot)
{
	uint64_t sector = get_le16(boot + 11), reserved = get_le16(boot + 14);
	uint64_t tables = boot[16], total = get_le16(boot + 19);
	uint64_t table = get_le16(boot + 22);
	bool is_32 = table == 0;
	if (total == 0)
		total = get_le32(boot + 32);
	if (is_32)
		table = get_le32(boot + 36);
	fat->root_entries = is_32 ? 0 : get_le16(boot + 17);
	fat->cluster_size = (uint32_t)sector * boot[13];
	fat->table = reserved * sector;
	fat->root = fat->table + tables * table * sector;
	fat->data = fat->root + u64_div_up(fat->root_entries * SLOT, sector) * sector;
	if (reserved == 0 || tables == 0 || table == 0)
		return malformed(fat, 14, "no reserved sector or no table");
	if (total * sector > fat->size || fat->data >= total * sector)
		return malformed(fat, 32, "it does not fit its partition");
	uint64_t n = (total * sector - fat->data) / fat->cluster_size;
	fat->bits = is_32 ? 32 : n < 4085 ? 12 : 16;
	if (n == 0 || n > (is_32 ? 0x0ffffff5u : 65524u))
		return malformed(fat, 32, "an impossible number of clusters");
	if ((n + 2) * fat->bits > table * sector * 8)
		return malformed(fat, 22, "its table is too short");
	fat->n_clusters = (uint32_t)n;
	return 0;
}

static void copy_label(struct fat *fat, const uint8_t *label)
{
	size_t n = 11;
	while (n && (label[n - 1] == ' ' || label[n - 1] == 0))
		n--;
	for (size_t i = 0; i < n; i++)
		fat->label[i] = label[i] < 0x20 || label[i] > 0x7e ? '?' : (char)label[i];
	fat->label[n] = 0;
}

int fat_open(struct fat *fat, const struct file *f, uint64_t offset, uint64_t size)
{
	*fat = (struct fat){.file = f, .offset = offset, .size = size};
	uint8_t boot[512];
	uint64_t end;
	if (u64_add(offset, size, &end) || size < sizeof boot || end > f->size)
		return malformed(fat, 0, "the partition is outside the file");
	int r = file_read(f, boot, sizeof boot, offset);
	if (r < 0)
		return r;
	if (get_le16(boot + 510) != 0xaa55 || !sane_sector(get_le16(boot + 11)) ||
		!is_power_of_two(boot[13]))
		return malformed(fat, 0, "no boot sector");
	if ((r = place(fat, boot)) < 0)
		return r;
	unsigned more = fat->bits == 32 ? 28 : 0;
	fat->root_cluster = more ? get_le32(boot + 44) : 0;
	fat->volume_id = get_le32(boot + 39 + more);
	copy_label(fat, boot + 43 + more);
	return 0;
}

/* ---- chains ---------------------------------------------------------------------- */

/* A piece of the table in memory, so that following a chain is not a read per cluster. */
struct window {
	uint64_t start;
	size_t size;
	uint8_t bytes[4096 + 4];
};

static int table_entry(
	const struct fat *fat, struct window *w, uint32_t cluster, uint32_t *value)
{
	uint64_t at = (uint64_t)cluster * fat->bits / 8;
	if (!w->size || at < w->start || at + 4 > w->start + w->size) {
		/* The data area follows the table, so reading four bytes on is safe. */
		w->start = at & ~UINT64_C(4095);
		uint64_t left = fat->size - fat->table - w->start;
		w->size = left < sizeof w->bytes ? (size_t)left : sizeof w->bytes;
		int r = file_read(fat->file, w->bytes, w->size,
			fat->offset + fat->table + w->start);
		if (r < 0)
			return r;
	}
	const uint8_t *p = w->bytes + (at - w->start);
	if (fat->bits == 32)
		*value = get_le32(p) & 0x0fffffff;
	else if (fat->bits == 16)
		*value = get_le16(p);
	else
		*value = (get_le16(p) >> (cluster & 1 ? 4 : 0)) & 0xfff;
	return 0;
}

static bool is_end(const struct fat *fat, uint32_t value)
{
	return value >= (fat->bits == 32          ? 0x0ffffff8u
				: fat->bits == 16 ? 0xfff8u
						  : 0xff8u);
}

static bool is_cluster(const struct fat *fat, uint32_t value)
{
	return value >= 2 && value - 2 < fat->n_clusters;
}

/*
 * Appends the bytes of the chain that starts at CLUSTER, at most WANTED; less if the
 * chain ends before. Neighbouring clusters are read at once.
 */
static int read_chain(
	const struct fat *fat, uint32_t cluster, uint64_t wanted, struct buffer *b)
{
	struct window w = {0};
	for (bool more = true; more && wanted;) {
		uint32_t first = cluster, next = cluster;
		uint64_t n = 0;
		if (!is_cluster(fat, cluster))
			return malformed(fat, fat->table, "a chain leaves the disk");
		do {
			cluster = next;
			n += fat->cluster_size;
			int r = table_entry(fat, &w, cluster, &next);
			if (r < 0)
				return r;
		} while (next == cluster + 1 && is_cluster(fat, next) && n < wanted);
		more = !is_end(fat, next);
		cluster = next;
		size_t size = (size_t)(n < wanted ? n : wanted);
		int r = buffer_reserve(b, size);
		if (r == 0)
			r = file_read(fat->file, b->data + b->size, size,
				fat->offset + fat->data +
					(uint64_t)(first - 2) * fat->cluster_size);
		if (r < 0)
			return r;
		b->size += size;
		b->data[b->size] = 0;
		wanted -= size;
	}
	return 0;
}

int fat_read(const struct fat *fat, const struct fat_entry *entry, size_t limit,
	struct buffer *b)
{
	if (entry->is_directory)
		return error_format("%s: FAT file system: %s is a directory",
			fat->file->name, entry->name);
	if (entry->size > limit)
		return error_format("%s: FAT file system: %s has %u bytes, more than the "
				    "%zu allowed",
			fat->file->name, entry->name, entry->size, limit);
	if (entry->size > (uint64_t)fat->n_clusters * fat->cluster_size)
		return error_format("%s: FAT file system: %s is larger than the disk",
			fat->file->name, entry->name);
	size_t before = b->size;
	int r = entry->size ? read_chain(fat, entry->cluster, entry->size, b) : 0;
	if (r == 0 && b->size - before < entry->size)
		return error_format("%s: FAT file system: %s ends after %zu of %u bytes",
			fat->file->name, entry->name, b->size - before, entry->size);
	return r;
}

/* ---- directories ----------------------------------------------------------------- */

static int read_directory(
	const struct fat *fat, const struct fat_entry *directory, struct buffer *b)
{
	uint32_t first = directory ? directory->cluster : 0;
	if (directory && !directory->is_directory)
		return error_format("%s: FAT file system: %s is not a directory",
			fat->file->name, directory->name);
	if (first == 0 && fat->bits != 32) {
		size_t size = (size_t)fat->root_entries * SLOT;
		int r = buffer_append_zeros(b, size);
		return r < 0 ? r
			     : file_read(
				       fat->file, b->data, size, fat->offset + fat->root);
	}
	int r = read_chain(fat, first ? first : fat->root_cluster, DIRECTORY_MAX + 1, b);
	if (r == 0 && b->size > DIRECTORY_MAX)
		return malformed(fat, fat->table, "a directory has no end");
	return r;
}

/* A long name is spread over slots that stand before their file, last part first. */
struct long_name {
	uint16_t units[20 * 13];
	unsigned expected; /* number of the next slot; 0 when the name is complete */
	bool valid;
	uint8_t checksum; /* of the short name it belongs to */
};

static void take_long_slot(struct long_name *l, const uint8_t *slot)
{
	static const uint8_t places[13] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
	unsigned number = slot[0] & 0x1f;
	if (slot[0] & 0x40) {
		*l = (struct long_name){.valid = number >= 1 && number <= 20,
			.expected = number,
			.checksum = slot[13]};
	} else if (number != l->expected || slot[13] != l->checksum) {
		l->valid = false;
	}
	if (!l->valid || number == 0)
		return;
	for (unsigned i = 0; i < 13; i++)
		l->units[(number - 1) * 13 + i] = get_le16(slot + places[i]);
	l->expected = number - 1;
}

static uint8_t short_checksum(const uint8_t *name)
{
	uint8_t sum = 0;
	for (unsigned i = 0; i < 11; i++)
		sum = (uint8_t)((sum << 7 | sum >> 1) + name[i]);
	return sum;
}

/* Appends the code point C as UTF-8; there is always room (see FAT_NAME_SIZE). */
static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80)
		return out[0] = (char)c, 1;
	if (c < 0x800)
		return out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 63)),
		       2;
	size_t n = 0;
	if (c >= 0x10000)
		out[n++] = (char)(0xf0 | c >> 18),
		out[n++] = (char)(0x80 | (c >> 12 & 63));
	else
		out[n++] = (char)(0xe0 | c >> 12);
	out[n++] = (char)(0x80 | (c >> 6 & 63));
	out[n++] = (char)(0x80 | (c & 63));
	return n;
}

static bool decode_long(const struct long_name *l, char name[FAT_NAME_SIZE])
{
	size_t n = 0;
	for (unsigned i = 0; i < 255 && l->units[i] != 0 && l->units[i] != 0xffff; i++) {
		uint32_t c = l->units[i];
		if (c >= 0xd800 && c < 0xdc00 && l->units[i + 1] >= 0xdc00 &&
			l->units[i + 1] < 0xe000)
			c = 0x10000 + ((c - 0xd800) << 10) + (l->units[++i] - 0xdc00u);
		else if ((c >= 0xd800 && c < 0xe000) || c < 0x20 || c == '/')
			return false;
		n += put_utf8(name + n, c);
	}
	name[n] = 0;
	return n > 0;
}

static char short_char(uint8_t c, bool lower)
{
	if (c <= 0x20 || c > 0x7e || c == '/')
		return '?';
	return (char)(lower && c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static void decode_short(const uint8_t *slot, char name[FAT_SHORT_SIZE])
{
	size_t n = 0, base = 8, extension = 3;
	while (base && slot[base - 1] == ' ')
		base--;
	while (extension && slot[8 + extension - 1] == ' ')
		extension--;
	/* Bits 3 and 4 of byte 12: base and extension are in small letters. */
	for (size_t i = 0; i < base; i++)
		name[n++] = short_char(slot[i], slot[12] & 0x08);
	if (extension)
		name[n++] = '.';
	for (size_t i = 0; i < extension; i++)
		name[n++] = short_char(slot[8 + i], slot[12] & 0x10);
	if (n == 0)
		name[n++] = '?';
	name[n] = 0;
}

static void decode_entry(const struct fat *fat, const uint8_t *slot,
	const struct long_name *l, struct fat_entry *e)
{
	*e = (struct fat_entry){.is_directory = slot[11] & DIRECTORY,
		.size = slot[11] & DIRECTORY ? 0 : get_le32(slot + 28),
		.cluster = get_le16(slot + 26),
		.date = get_le16(slot + 24),
		.time = get_le16(slot + 22)};
	if (fat->bits == 32)
		e->cluster |= (uint32_t)get_le16(slot + 20) << 16;
	bool is_long =
		l->valid && l->expected == 0 && l->checksum == short_checksum(slot);
	decode_short(slot, e->short_name);
	if (!is_long || !decode_long(l, e->name))
		strcpy(e->name, e->short_name);
}

/* "." and "..": nothing else that begins with a dot may be passed over. */
static bool is_dot(const uint8_t *slot)
{
	return !memcmp(slot, ".          ", 11) || !memcmp(slot, "..         ", 11);
}

int fat_list(const struct fat *fat, const struct fat_entry *directory,
	int (*found)(void *context, const struct fat_entry *entry), void *context)
{
	BUFFER slots = {0};
	struct long_name l = {0};
	struct fat_entry e;
	int r = read_directory(fat, directory, &slots);
	for (size_t at = 0; r == 0 && at + SLOT <= slots.size; at += SLOT) {
		const uint8_t *slot = slots.data + at;
		if (slot[0] == 0)
			break;
		if (slot[0] == 0xe5) {
			l.valid = false;
		} else if ((slot[11] & ALL_BITS) == LONG_NAME) {
			take_long_slot(&l, slot);
		} else {
			decode_entry(fat, slot, &l, &e);
			l.valid = false;
			if (!is_dot(slot) && !(slot[11] & VOLUME))
				r = found(context, &e);
		}
	}
	return r;
}

static bool ends_in_efi(const char *name)
{
	size_t n = strlen(name);
	return n > 4 && !strcasecmp(name + n - 4, ".efi");
}

bool fat_is_program(const struct fat_entry *entry)
{
	return !entry->is_directory &&
	       (ends_in_efi(entry->name) || ends_in_efi(entry->short_name));
}

struct search {
	const char *name;
	size_t length;
	struct fat_entry *entry;
};

static int is_it(void *context, const struct fat_entry *entry)
{
	const struct search *s = context;
	if (strlen(entry->name) != s->length ||
		strncasecmp(entry->name, s->name, s->length))
		return 0;
	*s->entry = *entry;
	return 1;
}

int fat_find(const struct fat *fat, const char *path, struct fat_entry *entry)
{
	struct fat_entry directory;
	bool in_root = true;
	for (const char *name = path + strspn(path, "/"); *name;) {
		struct search s = {name, strcspn(name, "/"), entry};
		int r = fat_list(fat, in_root ? NULL : &directory, is_it, &s);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		name += s.length + strspn(name + s.length, "/");
		if (!*name)
			return 0;
		directory = *entry;
		in_root = false;
	}
	return error_set(STATUS_FORMAT, ENOENT, "%s: FAT file system: no file %s",
		fat->file->name, path);
}
