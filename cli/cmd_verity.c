/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>

#include "cli/verity_options.h"
#include "core/hex.h"
#include "core/interrupt.h"
#include "core/output.h"
#include "core/verity_format.h"
#include "core/verity_repair.h"

/* veritysetup writes no newline here, and its readers may count on that. */
static int save_root(
	const struct verity_options *o, const uint8_t *root, struct output *out)
{
	char hex[2 * HASH_MAX_SIZE + 1];
	size_t size = hash_size(o->params.alg);
	hex_encode(root, size, hex);
	int r = file_write(&out->file, hex, 2 * size, 0);
	return r < 0 ? r : output_commit(out);
}

static int run_format(int argc, char **argv)
{
	struct verity_options o;
	int r = verity_options_parse(&o, argc, argv, 2, 2);
	if (r < 0)
		return r;
	struct verity_format f = {
		.data_path = o.arguments[0],
		.hash_path = o.arguments[1],
		.hash_offset = o.hash_offset,
		.in_place = o.hash_offset_given && o.hash_offset > 0,
		.replace = o.force,
		.superblock = !o.no_superblock,
		.data_blocks_given = o.data_blocks_given,
		.uuid_given = o.uuid_given,
		.fec_path = o.fec_device,
		.fec_offset = o.fec_offset,
		.fec_roots = o.fec_roots,
		.jobs = o.jobs,
		.params = o.params,
	};
	/* A place where it cannot be written is refused before anything is. */
	AUTO_OUTPUT root = OUTPUT_CLOSED;
	interrupt_catch();
	if (o.root_hash_file)
		r = output_open(&root, o.root_hash_file, 0666, true);
	if (r == 0)
		r = verity_format(&f);
	o.params = f.params;
	if (r == 0 && o.root_hash_file)
		r = save_root(&o, f.root, &root);
	o.fec_size = f.fec_size;
	return r < 0 ? r : verity_options_print(&o, f.hash_path, f.tree_offset, f.root);
}

const struct verb verity_verb_format = {.name = "format", .run = run_format};

/* The size of the parity; what it covers follows from the size of the hash area's file.
 */
static int dump_fec(
	struct verity_options *o, const struct file *hash, uint64_t tree_offset)
{
	AUTO_FILE parity = FILE_CLOSED;
	struct fec fec;
	int r = file_open_image(&parity, o->fec_device, O_RDONLY);
	if (r == 0)
		r = verity_fec_of(&o->params, o->fec_roots, NULL, hash, tree_offset,
			&parity, o->fec_offset, &fec);
	o->fec_size = r < 0 ? 0 : fec_parity_size(&fec);
	return r;
}

static int run_dump(int argc, char **argv)
{
	struct verity_options o;
	AUTO_FILE hash = FILE_CLOSED;
	uint64_t tree_offset;
	int r = verity_options_parse(&o, argc, argv, 1, 1);
	if (r == 0 && o.no_superblock)
		r = error_usage(
			"verity dump: without a superblock there is nothing to show");
	if (r == 0)
		r = verity_options_hash(&o, NULL, &hash, &tree_offset);
	if (r == 0 && o.fec_device)
		r = dump_fec(&o, &hash, tree_offset);
	return r < 0 ? r : verity_options_print(&o, o.arguments[0], tree_offset, NULL);
}

const struct verb verity_verb_dump = {.name = "dump", .run = run_dump};

static int run(int argc, char **argv)
{
	static const struct verb *const table[] = {
		&verity_verb_format,
		&verity_verb_verify,
		&verity_verb_dump,
		&verity_verb_repair,
		NULL,
	};
	return verb_run_sub(table, argc, argv);
}

const struct verb verb_verity = {
	.name = "verity",
	.run = run,
	.summary = "dm-verity on files and devices, with veritysetup's options",
	.usage =
		"usage: cairn verity format DATA HASH\n"
		"       cairn verity verify DATA HASH [ROOT]\n"
		"       cairn verity dump HASH\n"
		"       cairn verity repair DATA HASH [ROOT]\n"
		"\n"
		"DATA and HASH are files or block devices, and may be the same one.\n"
		"\n"
		"  -h, --hash=sha256           or sha1, sha512\n"
		"  -s, --salt=-                hex, - for none, random\n"
		"      --format=1              hash type, 0 or 1\n"
		"      --data-block-size=4096  512 to 65536\n"
		"      --hash-block-size=4096  512 to 65536\n"
		"      --data-blocks=N         covers only these; else DATA must have "
		"whole blocks\n"
		"      --hash-offset=0         bytes; HASH then exists and keeps the "
		"rest\n"
		"      --no-superblock         only the tree; what it says is given by "
		"options\n"
		"      --uuid=UUID             else derived from the root hash\n"
		"      --root-hash-file=FILE   format writes the root hash to it, "
		"verify reads it\n"
		"      --fec-device=FILE       parity: format writes it, verify compares "
		"it,\n"
		"                              repair mends by it\n"
		"      --fec-offset=0          bytes\n"
		"      --fec-roots=2           parity bytes in 255; 2 to 24\n"
		"  -o, --output=FILE           repair: where the repaired data goes\n"
		"      --output-hash=FILE      repair: the same for HASH\n"
		"      --in-place              repair: replaces DATA and HASH\n"
		"      --backup=FILE           repair in place, on devices too: gets "
		"what "
		"is\n"
		"                              overwritten\n"
		"      --undo=FILE             repair: puts back what is in such a FILE\n"
		"      --force                 replace a HASH or output that exists\n"
		"      --jobs=N                threads; else one per processor\n"
		"      --json                  the result as JSON\n"
		"      --quiet                 no progress, no notes\n"
		"\n"
		"verify lists all that is bad: data blocks, tree blocks, what the disk "
		"cannot give,\n"
		"and the blocks below such a tree block, of which nothing can be said. "
		"Blocks count\n"
		"from 0, tree blocks from the beginning of the tree. Its status is 0 if "
		"all is good,\n"
		"3 if something is bad, and 1 if all that can be read is good.\n",
};
