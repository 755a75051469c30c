/* SPDX-License-Identifier: MIT */
#include "builder/sealed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/hex.h"
#include "core/progress.h"
#include "core/signature.h"
#include "core/verity_repair.h"

void sealed_free(struct sealed *s)
{
	file_close(&s->scratch);
	buffer_free(&s->signature);
	*s = SEALED_EMPTY;
}

static int open_scratch(const char *beside, struct file *f)
{
	if (beside)
		return file_scratch(f, beside);
	const char *directory = getenv("TMPDIR");
	char *path;
	if (asprintf(&path, "%s/cairn", directory ? directory : "/var/tmp") < 0)
		return error_memory();
	int r = file_scratch(f, path);
	free(path);
	return r;
}

static int make_filesystem(struct sealed *s, const struct sealed_options *o)
{
	struct filesystem_options f = o->filesystem;
	/* The same for all versions: ext4 mixes it into every checksum. */
	int r = identity_uuid(o->identity, o->purpose, false, f.uuid);
	if (r == 0)
		r = open_scratch(f.scratch, &s->scratch);
	return r < 0 ? r : filesystem_make(o->tree, &f, &s->scratch, &s->filesystem);
}

static int plan_verity(struct sealed *s, const struct identity *identity)
{
	struct verity_params *p = &s->verity;
	*p = VERITY_DEFAULTS;
	p->data_blocks = s->filesystem.size / p->data_block_size;
	p->salt_size = IDENTITY_SALT_SIZE;
	int r = identity_salt(identity, p->salt);
	if (r == 0)
		r = identity_uuid(identity, "verity", true, p->uuid);
	return r < 0 ? r : verity_check_params(p);
}

/* The parity goes behind the tree, where the kernel and veritysetup can be told of it. */
static int make_parity(struct sealed *s, uint64_t tree, const struct sealed_options *o)
{
	const struct fec_layout layout = {.roots = o->fec_roots,
		.data = &s->scratch,
		.tree = &s->scratch,
		.tree_at = tree};
	struct fec fec;
	int r = verity_fec(&s->verity, &layout, &fec);
	if (r < 0)
		return r;
	s->fec_offset = s->hash_size;
	s->hash_size += fec_parity_size(&fec);
	progress_begin("parity", fec_blocks(&fec) * fec.block_size);
	r = fec_encode(&fec, &s->scratch, s->hash_offset + s->fec_offset, o->jobs);
	progress_end();
	return r;
}

static int make_verity(struct sealed *s, const struct sealed_options *o)
{
	uint8_t superblock[VERITY_SUPERBLOCK_SIZE];
	uint64_t tree = 0, size = 0;
	int r = plan_verity(s, o->identity);
	s->hash_offset = s->filesystem.size;
	if (r == 0)
		r = verity_tree_offset(&s->verity, s->hash_offset, &tree);
	if (r == 0)
		r = verity_tree_size(&s->verity, &size);
	if (r < 0)
		return r;
	s->hash_size = tree + size - s->hash_offset;
	if (ftruncate(s->scratch.fd, (off_t)(tree + size)) < 0)
		return error_errno("%s: cannot grow", s->scratch.name);
	s->scratch.size = tree + size;
	verity_superblock_write(&s->verity, superblock);
	r = file_write(&s->scratch, superblock, sizeof superblock, s->hash_offset);
	progress_begin("hashing", s->filesystem.size);
	if (r == 0)
		r = verity_build(
			&s->verity, &s->scratch, 0, &s->scratch, tree, o->jobs, s->root);
	progress_end();
	hex_encode(s->root, sizeof s->root, s->root_hex);
	return r < 0 || !o->fec_roots ? r : make_parity(s, tree, o);
}

int sealed_make(struct sealed *s, const struct sealed_options *o)
{
	int r = make_filesystem(s, o);
	return r < 0 ? r : make_verity(s, o);
}

int sealed_sign(struct sealed *s, const struct signer *signer)
{
	AUTO_SIGNATURE signature = {0};
	if (!signer)
		return signature_partition(NULL, &s->signature);
	int r = signature_make(&signature, signer, s->root_hex);
	return r < 0 ? r : signature_partition(&signature, &s->signature);
}

void sealed_parts(const struct sealed *s, bool usr, const char *architecture,
	struct layout_part parts[SEALED_N_PARTS])
{
	static const enum dps_role roles[2][SEALED_N_PARTS] = {
		{DPS_ROOT, DPS_ROOT_VERITY, DPS_ROOT_SIG},
		{DPS_USR, DPS_USR_VERITY, DPS_USR_SIG},
	};
	const uint64_t sizes[SEALED_N_PARTS] = {
		s->filesystem.size, s->hash_size, s->signature.size};
	for (int i = 0; i < SEALED_N_PARTS; i++)
		parts[i] = (struct layout_part){.read_only = true,
			.type = dps_find(roles[usr][i], architecture),
			.size = sizes[i]};
	memcpy(parts[SEALED_DATA].uuid, s->root, 16);
	memcpy(parts[SEALED_HASH].uuid, s->root + 16, 16);
}

int sealed_write(const struct sealed *s, const struct layout_part parts[SEALED_N_PARTS],
	const struct file *f, bool fresh)
{
	int r = file_copy(
		&s->scratch, 0, f, parts[SEALED_DATA].offset, s->filesystem.size, fresh);
	if (r == 0)
		r = file_copy(&s->scratch, s->hash_offset, f, parts[SEALED_HASH].offset,
			s->hash_size, fresh);
	return r < 0 ? r
		     : file_write(f, s->signature.data, s->signature.size,
			       parts[SEALED_SIGNATURE].offset);
}
