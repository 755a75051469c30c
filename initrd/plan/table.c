/* SPDX-License-Identifier: MIT */
#include "initrd/plan/table.h"

#include <string.h>

#include "core/hex.h"
#include "core/zeros.h"

#define BLOCK      4096
#define PER_BLOCK  (BLOCK / 32) /* digests in a block of the tree */
#define MAX_BLOCKS (UINT64_C(1) << 48)

/*
 * The superblock, from cryptsetup's "DMVerity" on-disk format; integers little-endian:
 *   0 "verity\0\0"   8 u32 superblock version   12 u32 hash type   16 uuid
 *  32 char[32] algorithm   64 u32 data block size   68 u32 hash block size
 *  72 u64 data blocks   80 u16 salt size   82 6 bytes 0   88 salt[256]   344 168 bytes 0
 */
static uint64_t count_tree(uint64_t data_blocks)
{
	uint64_t total = 0;
	for (uint64_t n = data_blocks; n > 1;) {
		n = u64_div_up(n, PER_BLOCK);
		total += n;
	}
	return total;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	return is_zeros(span_of(bytes, size));
}

int table_parse(struct table *t, struct span sb, const char *name, uint64_t data_size,
	uint64_t hash_size)
{
	const uint8_t *b = sb.data;
	if (sb.size < TABLE_SUPERBLOCK_SIZE)
		return error_format("%s: verity superblock is cut short", name);
	if (memcmp(b, "verity\0", 8) != 0)
		return error_format("%s: no verity superblock", name);
	if (get_le32(b + 8) != 1 || get_le32(b + 12) != 1)
		return error_format(
			"%s: verity superblock is not of version 1, type 1", name);
	if (memcmp(b + 32, "sha256", 6) != 0 || !is_zero(b + 38, 26))
		return error_format(
			"%s: verity superblock: algorithm is not sha256", name);
	if (get_le32(b + 64) != BLOCK || get_le32(b + 68) != BLOCK)
		return error_format(
			"%s: verity superblock: blocks are not 4096 bytes", name);
	*t = (struct table){.data_blocks = get_le64(b + 72)};
	t->salt_size = get_le16(b + 80);
	if (t->salt_size > sizeof t->salt || !is_zero(b + 82, 6) ||
		!is_zero(b + 88 + t->salt_size, sizeof t->salt - t->salt_size) ||
		!is_zero(b + 344, 168))
		return error_format("%s: verity superblock: bad salt or padding", name);
	if (t->data_blocks == 0 || t->data_blocks > MAX_BLOCKS ||
		t->data_blocks > data_size / BLOCK)
		return error_format("%s: verity superblock: %ju data blocks do not fit",
			name, (uintmax_t)t->data_blocks);
	t->tree_blocks = count_tree(t->data_blocks);
	if (t->tree_blocks + 1 > hash_size / BLOCK)
		return error_format("%s: verity superblock: %ju tree blocks do not fit",
			name, (uintmax_t)t->tree_blocks);
	memcpy(t->uuid, b + 16, sizeof t->uuid);
	memcpy(t->salt, b + 88, t->salt_size);
	return 0;
}

int table_write(const struct table *t, const struct policy *p, const char *data,
	const char *hash, const char *signature_key, bool probe, struct buffer *text)
{
	static const char *const modes[] = {
		" panic_on_corruption", " restart_on_corruption", ""};
	char salt[2 * sizeof t->salt + 1];
	hex_encode(t->salt, t->salt_size, salt);
	const char *mode = probe ? "" : modes[p->verity];
	unsigned n_options = (*mode ? 1u : 0u) + (signature_key ? 2u : 0u);
	/* The tree follows the block that the superblock lies in. */
	int r = buffer_printf(text, "1 %s %s %d %d %ju 1 sha256 %s %s", data, hash, BLOCK,
		BLOCK, (uintmax_t)t->data_blocks, p->root_hash,
		t->salt_size ? salt : "-");
	if (r == 0 && n_options)
		r = buffer_printf(text, " %u%s%s%s", n_options, mode,
			signature_key ? " root_hash_sig_key_desc " : "",
			signature_key ? signature_key : "");
	return r;
}
