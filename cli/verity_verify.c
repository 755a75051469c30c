/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "cli/verity_options.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/progress.h"
#include "core/verity_parity.h"
#include "core/verity_repair.h"

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

/* What was compared, and what was found. */
struct check {
	const struct verity_options *options;
	struct file data, hash, parity; /* parity: closed without --fec-device */
	struct fec fec;
	uint64_t tree_offset;
	uint8_t root[HASH_MAX_SIZE];
	struct merkle_damage damage;
	struct verity_parity found;
	bool good;
};

static void check_close(struct check *c)
{
	file_close(&c->data);
	file_close(&c->hash);
	file_close(&c->parity);
	merkle_damage_free(&c->damage);
	verity_parity_free(&c->found);
}

static uint32_t parity_block_size(const struct check *c)
{
	return c->fec.block_size * c->fec.roots;
}

static int print_json(const struct check *c)
{
	const struct verity_params *p = &c->options->params;
	const struct merkle_damage *d = &c->damage;
	json_object *j = json_object_new_object();
	json_add_bool(j, "good", c->good);
	json_add_hex(j, "rootHash", c->root, hash_size(p->alg));
	json_add_number(j, "dataBlocks", p->data_blocks);
	json_add_number(j, "dataBlockSize", p->data_block_size);
	json_add_number(j, "hashBlockSize", p->hash_block_size);
	json_add_number(j, "treeOffset", c->tree_offset);
	json_add(j, "badData", ranges_json(&d->bad_data));
	json_add(j, "badTree", ranges_json(&d->bad_tree));
	json_add(j, "unreadableData", ranges_json(&d->unreadable_data));
	json_add(j, "unreadableTree", ranges_json(&d->unreadable_tree));
	json_add(j, "unknownData", ranges_json(&d->unknown_data));
	json_add(j, "unknownTree", ranges_json(&d->unknown_tree));
	if (c->options->fec_device) {
		json_add_number(j, "parityOffset", c->options->fec_offset);
		json_add_number(j, "parityBlockSize", parity_block_size(c));
		json_add(j, "badParity", ranges_json(&c->found.bad));
		json_add(j, "unreadableParity", ranges_json(&c->found.unreadable));
		json_add(j, "unknownParity", ranges_json(&c->found.unknown));
	}
	int r = json_print(j);
	json_object_put(j);
	return r;
}

static void print_text(const struct check *c)
{
	const struct merkle_damage *d = &c->damage;
	uint32_t data = c->options->params.data_block_size,
		 tree = c->options->params.hash_block_size, parity = parity_block_size(c);
	uint64_t tree_at = c->tree_offset, parity_at = c->options->fec_offset;
	print_ranges("bad data block", &d->bad_data, data, 0);
	print_ranges("bad tree block", &d->bad_tree, tree, tree_at);
	print_ranges("bad parity block", &c->found.bad, parity, parity_at);
	print_ranges("unreadable data block", &d->unreadable_data, data, 0);
	print_ranges("unreadable tree block", &d->unreadable_tree, tree, tree_at);
	print_ranges("unreadable parity block", &c->found.unreadable, parity, parity_at);
	print_ranges("unknown data block", &d->unknown_data, data, 0);
	print_ranges("unknown tree block", &d->unknown_tree, tree, tree_at);
	print_ranges("unknown parity block", &c->found.unknown, parity, parity_at);
}

/* What cannot be read is no content that differs: a failure of its own. */
static int unreadable(const struct check *c)
{
	const struct merkle_damage *d = &c->damage;
	const char *const *name = c->options->arguments;
	BUFFER text = {0};
	int r = buffer_printf(&text, "%s: %ju data blocks cannot be read", name[0],
		(uintmax_t)d->unreadable_data.blocks);
	if (r == 0 && d->unreadable_tree.blocks)
		r = buffer_printf(&text,
			", %ju tree blocks in %s neither, which leaves %ju data blocks "
			"unknown",
			(uintmax_t)d->unreadable_tree.blocks, name[1],
			(uintmax_t)d->unknown_data.blocks);
	if (r == 0)
		r = buffer_printf(&text, "; nothing that could be compared is bad");
	return r < 0 ? r : error_set(STATUS_FAILED, EIO, "%s", buffer_text(&text));
}

/* Data and tree are good. */
static int bad_parity(const struct check *c)
{
	if (c->found.bad.blocks)
		return error_set(STATUS_CONTENT, 0,
			"%s: %ju parity blocks are not those of data and tree, which are "
			"good",
			c->options->fec_device, (uintmax_t)c->found.bad.blocks);
	return error_set(STATUS_FAILED, EIO,
		"%s: %ju parity blocks cannot be read; data and tree are good",
		c->options->fec_device, (uintmax_t)c->found.unreadable.blocks);
}

static int damaged(const struct check *c)
{
	const struct merkle_damage *d = &c->damage;
	const char *const *name = c->options->arguments;
	uint64_t missing = d->unreadable_data.blocks + d->unreadable_tree.blocks;
	if (!d->bad_data.blocks && !d->bad_tree.blocks)
		return missing ? unreadable(c) : bad_parity(c);
	/* The top of the tree is its first block; without a tree the data is the top. */
	if (ranges_have(&d->bad_tree, 0) || c->options->params.data_blocks == 1)
		return error_set(STATUS_CONTENT, 0,
			"%s: the root hash is of another tree, or the tree's top in %s "
			"is bad: "
			"nothing can be said of the data",
			name[0], name[1]);
	BUFFER text = {0};
	int r = buffer_printf(
		&text, "%s: %ju bad data blocks", name[0], (uintmax_t)d->bad_data.blocks);
	if (r == 0 && d->bad_tree.blocks)
		r = buffer_printf(&text, ", %ju bad tree blocks in %s",
			(uintmax_t)d->bad_tree.blocks, name[1]);
	if (r == 0 && c->found.bad.blocks)
		r = buffer_printf(&text, ", %ju bad parity blocks in %s",
			(uintmax_t)c->found.bad.blocks, c->options->fec_device);
	if (r == 0 && missing)
		r = buffer_printf(
			&text, ", %ju blocks that cannot be read", (uintmax_t)missing);
	if (r == 0 && d->unknown_data.blocks)
		r = buffer_printf(&text, "; %ju data blocks remain unknown",
			(uintmax_t)d->unknown_data.blocks);
	return r < 0 ? r : error_set(STATUS_CONTENT, 0, "%s", buffer_text(&text));
}

static int report(const struct check *c)
{
	int r = 0;
	if (c->options->json)
		r = print_json(c);
	else
		print_text(c);
	return r < 0 || c->good ? r : damaged(c);
}

static int open_files(struct verity_options *o, struct check *c)
{
	int r = file_open_image(&c->data, o->arguments[0], O_RDONLY);
	if (r == 0)
		r = verity_options_hash(o, &c->data, &c->hash, &c->tree_offset);
	if (r == 0)
		r = verity_options_root(o, c->root);
	if (r < 0 || !o->fec_device)
		return r;
	r = file_open_image(&c->parity, o->fec_device, O_RDONLY);
	if (r == 0)
		r = verity_fec_of(&o->params, o->fec_roots, &c->data, &c->hash,
			c->tree_offset, &c->parity, o->fec_offset, &c->fec);
	return r;
}

static int compare(struct check *c)
{
	const struct verity_options *o = c->options;
	const struct verity_params *p = &o->params;
	progress_begin("verifying", p->data_blocks * p->data_block_size);
	int r = verity_check(
		p, &c->data, 0, &c->hash, c->tree_offset, c->root, o->jobs, &c->damage);
	progress_end();
	c->good = r == 0;
	if (r < 0 || !o->fec_device)
		return r;
	progress_begin("parity", fec_blocks(&c->fec) * c->fec.block_size);
	r = verity_parity_check(
		p, &c->fec, &c->parity, o->fec_offset, o->jobs, &c->damage, &c->found);
	progress_end();
	c->good = c->good && r == 0;
	return r;
}

static int run(int argc, char **argv)
{
	struct verity_options o;
	struct check c = {.options = &o,
		.data = FILE_CLOSED,
		.hash = FILE_CLOSED,
		.parity = FILE_CLOSED};
	int r = verity_options_parse(&o, argc, argv, 2, 3);
	if (r < 0)
		return r;
	interrupt_catch();
	r = open_files(&o, &c);
	if (r == 0)
		r = compare(&c);
	if (r >= 0)
		r = report(&c);
	check_close(&c);
	return r;
}

const struct verb verity_verb_verify = {.name = "verify", .run = run};
