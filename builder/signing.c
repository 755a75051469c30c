/* SPDX-License-Identifier: MIT */
#include "builder/signing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/authenticode.h"
#include "core/dps.h"
#include "core/fat.h"
#include "core/hex.h"
#include "core/progress.h"
#include "core/signature.h"
#include "core/verity.h"

#define ESP_DEPTH     8
#define PROGRAMS_MAX  64
#define PROGRAM_LIMIT ((size_t)512 << 20)

static struct signing_item *add_item(struct signing *s)
{
	struct signing_item *items =
		reallocarray(s->items, s->n_items + 1, sizeof *items);
	if (!items) {
		error_memory();
		return NULL;
	}
	/* The PE of a program refers to its bytes, which do not move with the items. */
	s->items = items;
	items[s->n_items] = (struct signing_item){0};
	return &items[s->n_items++];
}

/* ---- partitions and hash tree ----------------------------------------------------- */

static int take_partition(const struct signing *s, const struct gpt_partition *p,
	const struct gpt_partition **as)
{
	if (*as)
		return error_format("%s: has partitions %u and %u of one kind; which to "
				    "sign is not for me to choose",
			s->file.name, (*as)->number, p->number);
	*as = p;
	return 0;
}

static int find_partitions(struct signing *s)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < s->gpt.n_partitions; i++) {
		const struct gpt_partition *p = &s->gpt.partitions[i];
		const struct dps_type *type = dps_by_uuid(p->type);
		enum dps_role role = type ? type->role : DPS_OTHER;
		if (role == DPS_ROOT || role == DPS_USR)
			r = take_partition(s, p, &s->data);
		else if (role == DPS_ROOT_VERITY || role == DPS_USR_VERITY)
			r = take_partition(s, p, &s->hash);
		else if (role == DPS_ROOT_SIG || role == DPS_USR_SIG)
			r = take_partition(s, p, &s->signature);
		else if (role == DPS_ESP)
			r = take_partition(s, p, &s->esp);
	}
	if (r == 0 && (!s->data || !s->hash || !s->signature))
		r = error_format(
			"%s: has no partitions for data, hash tree and signature",
			s->file.name);
	if (r == 0 && s->signature->size < SIGNATURE_PARTITION_SIZE)
		r = error_format(
			"%s: signature partition at offset %ju: %ju bytes are too "
			"small",
			s->file.name, (uintmax_t)s->signature->offset,
			(uintmax_t)s->signature->size);
	return r;
}

/* The root hash that the partitions' UUIDs spell must be that of what they hold. */
static int check_tree(struct signing *s, unsigned jobs)
{
	uint8_t root[32];
	struct verity_params p;
	uint64_t tree, size, bytes;
	memcpy(root, s->data->uuid, 16);
	memcpy(root + 16, s->hash->uuid, 16);
	hex_encode(root, sizeof root, s->root_hash);
	int r = verity_superblock_read(&s->file, s->hash->offset, &p);
	if (r == 0)
		r = verity_tree_offset(&p, s->hash->offset, &tree);
	if (r == 0)
		r = verity_tree_size(&p, &size);
	if (r < 0)
		return r;
	if (p.alg != HASH_SHA256 || tree - s->hash->offset > s->hash->size ||
		size > s->hash->size - (tree - s->hash->offset) ||
		u64_mul(p.data_blocks, p.data_block_size, &bytes) ||
		bytes > s->data->size)
		return error_format(
			"%s: verity superblock at offset %ju: does not fit the "
			"partitions",
			s->file.name, (uintmax_t)s->hash->offset);
	AUTO_MERKLE_DAMAGE damage = {0};
	progress_begin("checking", bytes);
	r = verity_check(
		&p, &s->file, s->data->offset, &s->file, tree, root, jobs, &damage);
	progress_end();
	if (r > 0)
		r = error_set(STATUS_CONTENT, EBADMSG,
			"%s: the content is not what the root hash %s of its partitions "
			"says; it will not be signed",
			s->file.name, s->root_hash);
	return r;
}

static int add_root_hash(struct signing *s)
{
	BUFFER partition = {0};
	AUTO_SIGNATURE old = {0};
	struct signing_item *item = add_item(s);
	if (!item)
		return -ENOMEM;
	int r = buffer_append(&item->request, s->root_hash, strlen(s->root_hash));
	if (r == 0)
		r = buffer_append_zeros(&partition, SIGNATURE_PARTITION_SIZE);
	if (r == 0)
		r = file_read(
			&s->file, partition.data, partition.size, s->signature->offset);
	if (r < 0)
		return r;
	/* Whatever is there and not zero would be overwritten: that needs to be asked
	 * for. */
	item->is_signed =
		signature_parse(&old, buffer_span(&partition), s->file.name) != 1;
	return 0;
}

/* ---- programs on the ESP ---------------------------------------------------------- */

/* Whether WORD at the beginning of S names a root hash; VALUE is what follows. */
static bool names_hash(struct span word, struct span *value)
{
	static const char *const keys[] = {"roothash=", "usrhash="};
	for (int i = 0; i < 2; i++) {
		size_t n = strlen(keys[i]);
		if (word.size >= n && memcmp(word.data, keys[i], n) == 0) {
			*value = span_of(word.data + n, word.size - n);
			return true;
		}
	}
	return false;
}

/* A UKI must boot this root and no other: exactly one word says so. */
static int check_cmdline(const struct signing *s, const char *path, struct span line)
{
	unsigned n = 0, n_right = 0;
	struct span value;
	for (size_t at = 0; at < line.size;) {
		size_t end = at;
		while (end < line.size && !memchr(" \n\t\"", line.data[end], 5))
			end++;
		if (names_hash(span_of(line.data + at, end - at), &value)) {
			n++;
			n_right += value.size == strlen(s->root_hash) &&
				   memcmp(value.data, s->root_hash, value.size) == 0;
		}
		at = end + 1;
	}
	if (n == 1 && n_right == 1)
		return 0;
	return error_set(STATUS_CONTENT, EBADMSG,
		"%s: %s: its command line does not name the root hash %s; it will not be "
		"signed",
		s->file.name, path, s->root_hash);
}

static int check_program(const struct signing *s, struct signing_item *item)
{
	struct span line;
	int r = pe_parse(&item->pe, buffer_span(&item->program), item->path);
	if (r == 0 && pe_section(&item->pe, ".linux")) {
		r = pe_find(&item->pe, ".cmdline", &line);
		if (r > 0)
			line = span_of("", 0);
		if (r >= 0)
			r = check_cmdline(s, item->path, line);
	}
	if (r == 0)
		r = authenticode_export(&item->pe, &item->request);
	item->is_signed = item->pe.certificates != 0;
	return r;
}

struct walk {
	struct signing *s;
	const struct fat *fat;
	const char *directory; /* with a slash at its end, or "" */
	unsigned depth;
};

static int add_program(struct walk *w, const struct fat_entry *entry)
{
	if (w->s->n_items > PROGRAMS_MAX)
		return error_format("%s: more than %d EFI programs on the ESP",
			w->s->file.name, PROGRAMS_MAX);
	struct signing_item *item = add_item(w->s);
	if (!item)
		return -ENOMEM;
	if (asprintf(&item->path, "%s%s", w->directory, entry->name) < 0) {
		item->path = NULL;
		return error_memory();
	}
	int r = fat_read(w->fat, entry, PROGRAM_LIMIT, &item->program);
	return r < 0 ? r : check_program(w->s, item);
}

static int visit(void *context, const struct fat_entry *entry)
{
	struct walk *w = context;
	if (!entry->is_directory)
		return fat_is_program(entry) ? add_program(w, entry) : 0;
	if (w->depth == ESP_DEPTH)
		return error_format(
			"%s: directories too deep on the ESP", w->s->file.name);
	char *directory = NULL;
	if (asprintf(&directory, "%s%s/", w->directory, entry->name) < 0)
		return error_memory();
	struct walk below = {w->s, w->fat, directory, w->depth + 1};
	int r = fat_list(w->fat, entry, visit, &below);
	free(directory);
	return r;
}

static int add_programs(struct signing *s)
{
	struct fat fat;
	if (!s->esp)
		return 0;
	int r = fat_open(&fat, &s->file, s->esp->offset, s->esp->size);
	struct walk w = {s, &fat, "", 0};
	return r < 0 ? r : fat_list(&fat, NULL, visit, &w);
}

/* ---- the whole -------------------------------------------------------------------- */

int signing_open(struct signing *s, const char *path, unsigned jobs)
{
	*s = SIGNING_CLOSED;
	int r = file_open(&s->file, path);
	if (r == 0)
		r = gpt_read_file(&s->file, 0, &s->gpt);
	if (r == 0)
		r = find_partitions(s);
	if (r == 0)
		r = check_tree(s, jobs);
	if (r == 0)
		r = add_root_hash(s);
	if (r == 0)
		r = add_programs(s);
	if (r < 0)
		signing_close(s);
	return r;
}

void signing_close(struct signing *s)
{
	for (size_t i = 0; i < s->n_items; i++) {
		struct signing_item *item = &s->items[i];
		free(item->path);
		buffer_free(&item->request);
		buffer_free(&item->program);
		buffer_free(&item->done);
	}
	free(s->items);
	gpt_free(&s->gpt);
	file_close(&s->file);
	*s = SIGNING_CLOSED;
}

bool signing_is_signed(const struct signing *s)
{
	for (size_t i = 0; i < s->n_items; i++)
		if (s->items[i].is_signed)
			return true;
	return false;
}

int signing_sign(struct signing *s, const struct signer *signer)
{
	AUTO_SIGNATURE signature = {0};
	strcpy(s->fingerprint, signer->certificate.fingerprint);
	int r = signature_make(&signature, signer, s->root_hash);
	if (r == 0)
		r = signature_partition(&signature, &s->items[0].done);
	for (size_t i = 1; r == 0 && i < s->n_items; i++)
		r = authenticode_sign(&s->items[i].pe, signer, &s->items[i].done);
	return r;
}
