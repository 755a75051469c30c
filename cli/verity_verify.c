/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "cli/verity_options.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/progress.h"

static void print_ranges(
	const char *what, const struct ranges *r, uint32_t block_size, uint64_t offset)
{
	for (size_t i = 0; i < r->n_items; i++) {
		const struct range *x = &r->items[i];
		uint64_t last = x->first + x->count - 1;
		printf("%s %ju", what, (uintmax_t)x->first);
		if (x->count > 1)
			printf("-%ju", (uintmax_t)last);
		printf(" (offset %ju, %ju bytes)\n",
			(uintmax_t)(offset + x->first * block_size),
			(uintmax_t)(x->count * block_size));
	}
	if (r->incomplete)
		printf("%s: more than can be listed, %ju in all\n", what,
			(uintmax_t)r->blocks);
}

static json_object *ranges_json(const struct ranges *r)
{
	json_object *j = json_object_new_object(), *list = json_object_new_array();
	json_add_number(j, "count", r->blocks);
	for (size_t i = 0; i < r->n_items; i++) {
		json_object *x = json_object_new_object();
		json_add_number(x, "first", r->items[i].first);
		json_add_number(x, "count", r->items[i].count);
		json_append(list, x);
	}
	json_add(j, "ranges", list);
	json_add_bool(j, "complete", !r->incomplete);
	return j;
}

static int print_json(const struct verity_options *o, const uint8_t *root,
	uint64_t tree_offset, const struct merkle_damage *d, bool good)
{
	json_object *j = json_object_new_object();
	json_add_bool(j, "good", good);
	json_add_hex(j, "rootHash", root, hash_size(o->params.alg));
	json_add_number(j, "dataBlocks", o->params.data_blocks);
	json_add_number(j, "dataBlockSize", o->params.data_block_size);
	json_add_number(j, "hashBlockSize", o->params.hash_block_size);
	json_add_number(j, "treeOffset", tree_offset);
	json_add(j, "badData", ranges_json(&d->bad_data));
	json_add(j, "badTree", ranges_json(&d->bad_tree));
	json_add(j, "unreadableData", ranges_json(&d->unreadable_data));
	json_add(j, "unreadableTree", ranges_json(&d->unreadable_tree));
	json_add(j, "unknownData", ranges_json(&d->unknown_data));
	json_add(j, "unknownTree", ranges_json(&d->unknown_tree));
	int r = json_print(j);
	json_object_put(j);
	return r;
}

/* What cannot be read is no content that differs: a failure of its own. */
static int unreadable(const struct verity_options *o, const struct merkle_damage *d)
{
	BUFFER text = {0};
	int r = buffer_printf(&text, "%s: %ju data blocks cannot be read",
		o->arguments[0], (uintmax_t)d->unreadable_data.blocks);
	if (r == 0 && d->unreadable_tree.blocks)
		r = buffer_printf(&text,
			", %ju tree blocks in %s neither, which leaves %ju data blocks "
			"unknown",
			(uintmax_t)d->unreadable_tree.blocks, o->arguments[1],
			(uintmax_t)d->unknown_data.blocks);
	if (r == 0)
		r = buffer_printf(&text, "; all others are good");
	return r < 0 ? r : error_set(STATUS_FAILED, EIO, "%s", buffer_text(&text));
}

static int damaged(const struct verity_options *o, const struct merkle_damage *d)
{
	if (!d->bad_data.blocks && !d->bad_tree.blocks)
		return unreadable(o, d);
	/* The top of the tree is its first block; without a tree the data is the top. */
	if (ranges_have(&d->bad_tree, 0) || o->params.data_blocks == 1)
		return error_set(STATUS_CONTENT, 0,
			"%s: the root hash is of another tree, or the tree's top in %s "
			"is bad: "
			"nothing can be said of the data",
			o->arguments[0], o->arguments[1]);
	uint64_t missing = d->unreadable_data.blocks + d->unreadable_tree.blocks;
	BUFFER text = {0};
	int r = buffer_printf(&text, "%s: %ju bad data blocks", o->arguments[0],
		(uintmax_t)d->bad_data.blocks);
	if (r == 0 && d->bad_tree.blocks)
		r = buffer_printf(&text, ", %ju bad tree blocks in %s",
			(uintmax_t)d->bad_tree.blocks, o->arguments[1]);
	if (r == 0 && missing)
		r = buffer_printf(
			&text, ", %ju blocks that cannot be read", (uintmax_t)missing);
	if (r == 0 && d->unknown_data.blocks)
		r = buffer_printf(&text, "; %ju data blocks remain unknown",
			(uintmax_t)d->unknown_data.blocks);
	return r < 0 ? r : error_set(STATUS_CONTENT, 0, "%s", buffer_text(&text));
}

static int report(const struct verity_options *o, const uint8_t *root,
	uint64_t tree_offset, const struct merkle_damage *d, bool good)
{
	int r = 0;
	if (o->json)
		r = print_json(o, root, tree_offset, d, good);
	else {
		const struct verity_params *p = &o->params;
		print_ranges("bad data block", &d->bad_data, p->data_block_size, 0);
		print_ranges(
			"bad tree block", &d->bad_tree, p->hash_block_size, tree_offset);
		print_ranges("unreadable data block", &d->unreadable_data,
			p->data_block_size, 0);
		print_ranges("unreadable tree block", &d->unreadable_tree,
			p->hash_block_size, tree_offset);
		print_ranges(
			"unknown data block", &d->unknown_data, p->data_block_size, 0);
		print_ranges("unknown tree block", &d->unknown_tree, p->hash_block_size,
			tree_offset);
	}
	if (r < 0 || good)
		return r;
	return damaged(o, d);
}

static int run(int argc, char **argv)
{
	struct verity_options o;
	AUTO_FILE data = FILE_CLOSED, hash = FILE_CLOSED;
	AUTO_MERKLE_DAMAGE damage = {0};
	uint8_t root[HASH_MAX_SIZE];
	uint64_t tree_offset;
	int r = verity_options_parse(&o, argc, argv, 2, 3);
	if (r == 0)
		r = file_open_image(&data, o.arguments[0], O_RDONLY);
	if (r == 0)
		r = verity_options_hash(&o, &data, &hash, &tree_offset);
	if (r == 0)
		r = verity_options_root(&o, root);
	if (r < 0)
		return r;
	interrupt_catch();
	progress_begin("verifying", o.params.data_blocks * o.params.data_block_size);
	r = verity_check(&o.params, &data, 0, &hash, tree_offset, root, o.jobs, &damage);
	progress_end();
	return r < 0 ? r : report(&o, root, tree_offset, &damage, r == 0);
}

const struct verb verity_verb_verify = {.name = "verify", .run = run};
