/* SPDX-License-Identifier: MIT */
#include "cli/verity_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/arguments.h"
#include "core/hex.h"
#include "core/json.h"
#include "core/progress.h"
#include "core/verity_format.h"

/* Hex digits, "-" for none, or "random" for 32 bytes that nobody has had. */
static int take_salt(void *into, const char *text)
{
	struct verity_params *p = into;
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

static int take_uuid(void *into, const char *text)
{
	struct verity_options *o = into;
	o->uuid_given = true;
	if (uuid_decode(text, o->params.uuid))
		return error_usage("--uuid: '%s' is not a UUID", text);
	return 0;
}

static int take_algorithm(void *into, const char *name)
{
	return hash_by_name(name, into);
}

static int take_data_blocks(void *into, const char *text)
{
	struct verity_options *o = into;
	o->data_blocks_given = true;
	return argument_number(
		"--data-blocks", text, 1, UINT64_MAX, &o->params.data_blocks);
}

static int take_hash_offset(void *into, const char *text)
{
	struct verity_options *o = into;
	o->hash_offset_given = true;
	return argument_number("--hash-offset", text, 0, INT64_MAX, &o->hash_offset);
}

/* Numbers are checked for sense later, where a superblock's are too. */
static int parse(struct verity_options *o, int argc, char **argv)
{
	struct verity_params *p = &o->params;
	bool quiet = false;
	const struct argument table[] = {
		{.name = "hash", .letter = 'h', .take = take_algorithm, .into = &p->alg},
		{.name = "salt", .letter = 's', .take = take_salt, .into = p},
		{.name = "output", .letter = 'o', .text = &o->output},
		{.name = "format", .number = &p->version, .max = UINT32_MAX},
		{.name = "data-block-size",
			.number = &p->data_block_size,
			.max = UINT32_MAX},
		{.name = "hash-block-size",
			.number = &p->hash_block_size,
			.max = UINT32_MAX},
		{.name = "data-blocks", .take = take_data_blocks, .into = o},
		{.name = "hash-offset", .take = take_hash_offset, .into = o},
		{.name = "no-superblock", .flag = &o->no_superblock},
		{.name = "uuid", .take = take_uuid, .into = o},
		{.name = "root-hash-file", .text = &o->root_hash_file},
		{.name = "fec-device", .text = &o->fec_device},
		{.name = "fec-offset", .big = &o->fec_offset, .max = INT64_MAX},
		{.name = "fec-roots", .number = &o->fec_roots, .max = UINT32_MAX},
		{.name = "output-hash", .text = &o->output_hash},
		{.name = "in-place", .flag = &o->in_place},
		{.name = "backup", .text = &o->backup},
		{.name = "undo", .text = &o->undo},
		{.name = "force", .flag = &o->force},
		ARGUMENT_JOBS(&o->jobs),
		{.name = "json", .flag = &o->json},
		{.name = "quiet", .flag = &quiet},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	progress_silence(quiet);
	return first;
}

int verity_options_parse(
	struct verity_options *o, int argc, char **argv, int min, int max)
{
	*o = (struct verity_options){.params = VERITY_DEFAULTS, .fec_roots = 2};
	int first = parse(o, argc, argv);
	if (first < 0)
		return first;
	o->n_arguments = argc - first;
	if (o->n_arguments < min || o->n_arguments > max)
		return error_usage(
			"verity %s: %d arguments are too %s; see cairn help verity",
			argv[0], o->n_arguments, o->n_arguments < min ? "few" : "many");
	for (int i = 0; i < o->n_arguments; i++)
		o->arguments[i] = argv[first + i];
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
