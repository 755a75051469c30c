/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/verity_repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 64 KiB in which no block is like another. */
static struct file the_data(void)
{
	struct file f = FILE_CLOSED;
	static uint8_t bytes[65536];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 512);
	if (file_in_memory(&f, "data", SPAN(bytes)) < 0)
		abort();
	return f;
}

/*
 * Any hash area, and any parity (the same bytes): a check ends, each block it speaks of
 * exists, and a block is not bad and unknown at once. A repair ends, too.
 */
static void check_area(const struct verity_params *p, const struct file *data,
	const struct file *hash, uint64_t tree_offset)
{
	AUTO_MERKLE_DAMAGE d = {0};
	uint8_t root[HASH_MAX_SIZE] = {0};
	uint64_t tree_size;
	if (verity_tree_size(p, &tree_size) < 0)
		abort();
	/* The top block's own digest, so that there is something below it to look at. */
	struct merkle_params m = verity_merkle(p);
	struct merkle_params top = m;
	top.data_block_size = m.tree_block_size;
	top.data_blocks = 1;
	struct merkle_data block = {hash, tree_offset, m.tree_block_size};
	if (tree_size && merkle_build(&top, &block, NULL, 0, 1, root) < 0)
		return;
	int r = verity_check(p, data, 0, hash, tree_offset, root, 1, &d);
	if (r <= 0)
		return;
	uint64_t n = d.bad_data.blocks + d.unknown_data.blocks;
	if (n > p->data_blocks)
		abort();
	if ((d.bad_tree.blocks + d.unknown_tree.blocks) * p->hash_block_size > tree_size)
		abort();
	struct fec fec;
	struct file copy = FILE_CLOSED;
	uint8_t bytes[65536];
	if (verity_fec_of(p, 2, data, hash, tree_offset, hash, 0, &fec) < 0)
		return;
	if (file_read(data, bytes, sizeof bytes, 0) < 0 ||
		file_in_memory(&copy, "copy", SPAN(bytes)) < 0)
		abort();
	fec.parts[0].file = &copy;
	struct verity_repair repair = {
		"copy", p, &copy, hash, tree_offset, root, &fec, hash, 0, 1, 0, 0};
	verity_repair(&repair);
	file_close(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct file data = FILE_CLOSED;
	if (data.fd < 0)
		data = the_data();
	struct verity_params p;
	uint64_t tree_offset;
	struct file hash = FILE_CLOSED;
	if (size > 262144 ||
		verity_superblock_parse(span_of(input, size), "fuzz", 0, &p) < 0 ||
		verity_tree_offset(&p, 0, &tree_offset) < 0)
		return 0;
	if (file_in_memory(&hash, "hash", span_of(input, size)) < 0)
		abort();
	check_area(&p, &data, &hash, tree_offset);
	file_close(&hash);
	return 0;
}
