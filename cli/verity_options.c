/* SPDX-License-Identifier: MIT */
#include "cli/verity_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/arguments.h"
#include "core/hex.h"
#include "core/json.h"
#include "core/progress.h"
#include "core/verity_format.h"

enum {
	OPT_FORMAT = 256,
	OPT_DATA_BLOCK_SIZE,
	OPT_HASH_BLOCK_SIZE,
	OPT_DATA_BLOCKS,
	OPT_HASH_OFFSET,
	OPT_NO_SUPERBLOCK,
	OPT_UUID,
	OPT_ROOT_HASH_FILE,
	OPT_FEC_DEVICE,
	OPT_FEC_OFFSET,
	OPT_FEC_ROOTS,
	OPT_OUTPUT_HASH,
	OPT_IN_PLACE,
	OPT_BACKUP,
	OPT_UNDO,
	OPT_FORCE,
	OPT_JOBS,
	OPT_JSON,
	OPT_QUIET,
};

static const struct option options[] = {
	{"hash", required_argument, NULL, 'h'},
	{"salt", required_argument, NULL, 's'},
	{"output", required_argument, NULL, 'o'},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"data-block-size", required_argument, NULL, OPT_DATA_BLOCK_SIZE},
	{"hash-block-size", required_argument, NULL, OPT_HASH_BLOCK_SIZE},
	{"data-blocks", required_argument, NULL, OPT_DATA_BLOCKS},
	{"hash-offset", required_argument, NULL, OPT_HASH_OFFSET},
	{"no-superblock", no_argument, NULL, OPT_NO_SUPERBLOCK},
	{"uuid", required_argument, NULL, OPT_UUID},
	{"root-hash-file", required_argument, NULL, OPT_ROOT_HASH_FILE},
	{"fec-device", required_argument, NULL, OPT_FEC_DEVICE},
	{"fec-offset", required_argument, NULL, OPT_FEC_OFFSET},
	{"fec-roots", required_argument, NULL, OPT_FEC_ROOTS},
	{"output-hash", required_argument, NULL, OPT_OUTPUT_HASH},
	{"in-place", no_argument, NULL, OPT_IN_PLACE},
	{"backup", required_argument, NULL, OPT_BACKUP},
	{"undo", required_argument, NULL, OPT_UNDO},
	{"force", no_argument, NULL, OPT_FORCE},
	{"jobs", required_argument, NULL, OPT_JOBS},
	{"json", no_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{NULL, 0, NULL, 0},
};

/* Hex digits, "-" for none, or "random" for 32 bytes that nobody has had. */
static int parse_salt(struct verity_params *p, const char *text)
{
	size_t length = strlen(text);
	p->salt_size = 0;
	if (!strcmp(text, "-"))
		return 0;
	if (!strcmp(text, "random")) {
		p->salt_size = 32;
		return getrandom(p->salt, 32, 0) == 32 ? 0
						       : error_errno("no random salt");
	}
	if (length == 0 || length % 2)
		return error_usage("--salt: '%s' is not bytes in hex", text);
	if (length / 2 > MERKLE_SALT_MAX)
		return error_format("a salt of %zu bytes; at most %d are possible",
			length / 2, MERKLE_SALT_MAX);
	if (hex_decode(text, p->salt, length / 2))
		return error_usage("--salt: '%s' is not bytes in hex", text);
	p->salt_size = length / 2;
	return 0;
}

static int parse_uuid(struct verity_options *o, const char *text)
{
	o->uuid_given = true;
	if (uuid_decode(text, o->params.uuid))
		return error_usage("--uuid: '%s' is not a UUID", text);
	return 0;
}

/* Numbers that are checked for sense later, where a superblock's are too. */
static int parse_u32(const char *option, const char *text, uint32_t *value)
{
	uint64_t v;
	int r = argument_number(option, text, 0, UINT32_MAX, &v);
	if (r == 0)
		*value = (uint32_t)v;
	return r;
}

static int parse_version(struct verity_params *p, const char *text)
{
	uint32_t v;
	int r = parse_u32("--format", text, &v);
	if (r == 0)
		p->version = v;
	return r;
}

static int parse_fec_roots(struct verity_options *o, const char *text)
{
	uint32_t v;
	int r = parse_u32("--fec-roots", text, &v);
	if (r == 0)
		o->fec_roots = v;
	return r;
}

static int parse_flag(struct verity_options *o, int option, char **argv)
{
	switch (option) {
	case OPT_NO_SUPERBLOCK:
		o->no_superblock = true;
		return 0;
	case OPT_IN_PLACE:
		o->in_place = true;
		return 0;
	case OPT_FORCE:
		o->force = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_QUIET:
		progress_silence(true);
		return 0;
	default:
		return argument_unknown(option, argv);
	}
}

static int parse_option(struct verity_options *o, int option, char **argv)
{
	switch (option) {
	case 'h':
		return hash_by_name(optarg, &o->params.alg);
	case 's':
		return parse_salt(&o->params, optarg);
	case 'o':
		o->output = optarg;
		return 0;
	case OPT_FORMAT:
		return parse_version(&o->params, optarg);
	case OPT_DATA_BLOCK_SIZE:
		return parse_u32("--data-block-size", optarg, &o->params.data_block_size);
	case OPT_HASH_BLOCK_SIZE:
		return parse_u32("--hash-block-size", optarg, &o->params.hash_block_size);
	case OPT_DATA_BLOCKS:
		o->data_blocks_given = true;
		return argument_number(
			"--data-blocks", optarg, 1, UINT64_MAX, &o->params.data_blocks);
	case OPT_HASH_OFFSET:
		o->hash_offset_given = true;
		return argument_number(
			"--hash-offset", optarg, 0, INT64_MAX, &o->hash_offset);
	case OPT_UUID:
		return parse_uuid(o, optarg);
	case OPT_ROOT_HASH_FILE:
		o->root_hash_file = optarg;
		return 0;
	case OPT_FEC_DEVICE:
		o->fec_device = optarg;
		return 0;
	case OPT_FEC_OFFSET:
		return argument_number(
			"--fec-offset", optarg, 0, INT64_MAX, &o->fec_offset);
	case OPT_OUTPUT_HASH:
		o->output_hash = optarg;
		return 0;
	case OPT_BACKUP:
		o->backup = optarg;
		return 0;
	case OPT_UNDO:
		o->undo = optarg;
		return 0;
	case OPT_FEC_ROOTS:
		return parse_fec_roots(o, optarg);
	case OPT_JOBS:
		return argument_jobs(optarg, &o->jobs);
	default:
		return parse_flag(o, option, argv);
	}
}

int verity_options_parse(
	struct verity_options *o, int argc, char **argv, int min, int max)
{
	*o = (struct verity_options){.params = VERITY_DEFAULTS, .fec_roots = 2};
	int option, r = 0;
	opterr = 0;
	while (r == 0 &&
		(option = getopt_long(argc, argv, ":h:s:o:", options, NULL)) != -1)
		r = parse_option(o, option, argv);
	if (r < 0)
		return r;
	o->n_arguments = argc - optind;
	if (o->n_arguments < min || o->n_arguments > max)
		return error_usage(
			"verity %s: %d arguments are too %s; see cairn help verity",
			argv[0], o->n_arguments, o->n_arguments < min ? "few" : "many");
	for (int i = 0; i < o->n_arguments; i++)
		o->arguments[i] = argv[optind + i];
	return 0;
}

int verity_options_hash(struct verity_options *o, const struct file *data,
	struct file *hash, uint64_t *tree_offset)
{
	int r = file_open_image(hash, o->arguments[data ? 1 : 0], 0);
	if (r < 0)
		return r;
	if (!o->no_superblock) {
		r = verity_superblock_read(hash, o->hash_offset, &o->params);
		return r < 0 ? r
			     : verity_tree_offset(
				       &o->params, o->hash_offset, tree_offset);
	}
	*tree_offset = o->hash_offset;
	if (!o->data_blocks_given && data)
		r = verity_cover_all(data, &o->params);
	return r < 0 ? r : verity_check_params(&o->params);
}

static int read_root_file(const char *path, struct buffer *text)
{
	int r = file_slurp(path, 1024, text);
	while (r == 0 && text->size && text->data[text->size - 1] == '\n')
		text->data[--text->size] = 0;
	return r;
}

int verity_options_root(const struct verity_options *o, uint8_t *root)
{
	BUFFER text = {0};
	const char *from = o->n_arguments > 2 ? "the root hash given" : o->root_hash_file;
	if ((o->n_arguments > 2) == (o->root_hash_file != NULL))
		return error_usage("the root hash is wanted as an argument or in "
				   "--root-hash-file%s",
			o->root_hash_file ? ", not both" : "");
	int r = o->root_hash_file ? read_root_file(o->root_hash_file, &text)
				  : buffer_printf(&text, "%s", o->arguments[2]);
	if (r < 0)
		return r;
	size_t size = hash_size(o->params.alg);
	/* A NUL in the file would end the string early; then the length differs. */
	if (text.size != 2 * size || hex_decode(buffer_text(&text), root, size))
		return error_format("%s: is not %zu hex digits, as a %s root hash is",
			from, 2 * size, hash_name(o->params.alg));
	return 0;
}

static int print_json(const struct verity_options *o, uint64_t tree_size,
	const char *uuid, const uint8_t *root)
{
	const struct verity_params *p = &o->params;
	json_object *j = json_object_new_object();
	json_add_text(j, "uuid", *uuid ? uuid : NULL);
	json_add_number(j, "hashType", p->version);
	json_add_number(j, "dataBlocks", p->data_blocks);
	json_add_number(j, "dataBlockSize", p->data_block_size);
	json_add_number(j, "hashBlocks", tree_size / p->hash_block_size);
	json_add_number(j, "hashBlockSize", p->hash_block_size);
	json_add_text(j, "hashAlgorithm", hash_name(p->alg));
	if (o->fec_size) {
		json_add_number(j, "fecRoots", o->fec_roots);
		json_add_number(j, "fecSize", o->fec_size);
	}
	json_add_hex(j, "salt", p->salt, p->salt_size);
	if (root)
		json_add_hex(j, "rootHash", root, hash_size(p->alg));
	int r = json_print(j);
	json_object_put(j);
	return r;
}

int verity_options_print(const struct verity_options *o, const char *hash_path,
	uint64_t tree_offset, const uint8_t *root)
{
	const struct verity_params *p = &o->params;
	char hex[2 * MERKLE_SALT_MAX + 1], uuid[UUID_TEXT_SIZE] = "";
	uint64_t tree_size;
	int r = verity_tree_size(p, &tree_size);
	if (r < 0)
		return r;
	if (!o->no_superblock)
		uuid_encode(p->uuid, uuid);
	if (o->json)
		return print_json(o, tree_size, uuid, root);
	printf("VERITY header information for %s\n", hash_path);
	printf("UUID:            \t%s\n", uuid);
	printf("Hash type:       \t%u\n", p->version);
	printf("Data blocks:     \t%ju\n", (uintmax_t)p->data_blocks);
	printf("Data block size: \t%u\n", p->data_block_size);
	printf("Hash blocks:     \t%ju\n", (uintmax_t)(tree_size / p->hash_block_size));
	printf("Hash block size: \t%u\n", p->hash_block_size);
	printf("Hash algorithm:  \t%s\n", hash_name(p->alg));
	if (o->fec_size) {
		printf("FEC RS roots:   \t%u\n", o->fec_roots);
		printf("FEC blocks:     \t%ju\n",
			(uintmax_t)(o->fec_size / p->data_block_size));
	}
	hex_encode(p->salt, p->salt_size, hex);
	printf("Salt:            \t%s\n", p->salt_size ? hex : "-");
	if (root)
		printf("Root hash:      \t%s\n",
			hex_encode(root, hash_size(p->alg), hex));
	if (o->hash_offset == 0)
		printf("Hash device size: \t%ju [bytes]\n",
			(uintmax_t)(tree_offset + tree_size));
	if (o->fec_size && o->fec_offset == 0)
		printf("FEC device size: \t%ju [bytes]\n", (uintmax_t)o->fec_size);
	return 0;
}
