/* SPDX-License-Identifier: MIT */
/* Puts the signatures into a copy of the image, and the copy in the image's place. */
#include "builder/signing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/bundle.h"
#include "builder/esp.h"
#include "core/hash.h"
#include "core/interrupt.h"
#include "core/json.h"

#define SIGNING_STEP ((size_t)65536)
#define BESIDE_LIMIT ((size_t)1 << 30)

static int copy_image(const struct file *from, struct bundle *b)
{
	struct stat st;
	const struct file *to = &b->items[BUNDLE_IMAGE].file;
	int r = bundle_begin(b, from->size);
	if (r < 0)
		return r;
	if (fstat(from->fd, &st) < 0)
		return error_errno("%s: cannot stat", from->name);
	/* The owner is kept where we may; an image of somebody else's becomes ours. */
	if (fchown(to->fd, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		return error_errno("%s: cannot keep its owner", from->name);
	if (fchmod(to->fd, st.st_mode & 0777) < 0)
		return error_errno("%s: cannot keep its mode", from->name);
	return file_copy(from, 0, to, 0, from->size, true);
}

static int replace_programs(const struct signing *s, const struct file *image)
{
	size_t n = s->n_items - 1;
	if (n == 0)
		return 0;
	struct esp_file *files = calloc(n, sizeof *files);
	if (!files)
		return error_memory();
	for (size_t i = 0; i < n; i++)
		files[i] = (struct esp_file){
			s->items[i + 1].path, buffer_span(&s->items[i + 1].done)};
	int r = esp_replace(image, s->esp->offset, s->esp->size, files, n);
	free(files);
	return r;
}

/* The JSON, and zeros to the partition's end, which may be larger than ours. */
static int write_signature(const struct signing *s, const struct file *image)
{
	const struct buffer *done = &s->items[0].done;
	uint64_t offset = s->signature->offset;
	int r = file_write(image, done->data, done->size, offset);
	BUFFER zeros = {0};
	if (r == 0)
		r = buffer_append_zeros(&zeros, SIGNING_STEP);
	for (uint64_t at = done->size; r == 0 && at < s->signature->size;) {
		uint64_t left = s->signature->size - at;
		size_t n = left < SIGNING_STEP ? (size_t)left : SIGNING_STEP;
		r = file_write(image, zeros.data, n, offset + at);
		at += n;
	}
	return r;
}

/* ---- the files beside it ---------------------------------------------------------- */

/* What ITEM was before. */
static int read_old(const struct bundle *b, enum bundle_item item, struct buffer *old)
{
	return file_slurp(b->items[item].path, BESIDE_LIMIT, old);
}

static int keep(struct bundle *b, enum bundle_item item)
{
	BUFFER old = {0};
	int r = b->wanted[item] ? read_old(b, item, &old) : 0;
	return r < 0 ? r : bundle_put(b, item, buffer_span(&old));
}

/* The split-off UKI: whichever program it was, it becomes that one's signed form. */
static int put_uki(const struct signing *s, struct bundle *b, struct buffer *uki)
{
	int r = b->wanted[BUNDLE_EFI] ? read_old(b, BUNDLE_EFI, uki) : 1;
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 1; i < s->n_items; i++) {
		const struct signing_item *item = &s->items[i];
		if (item->program.size != uki->size ||
			memcmp(item->program.data, uki->data, uki->size) != 0)
			continue;
		uki->size = 0;
		r = buffer_append(uki, item->done.data, item->done.size);
		break;
	}
	return r < 0 ? r : bundle_put(b, BUNDLE_EFI, buffer_span(uki));
}

static int update_digest(
	json_object *o, const struct file *f, uint64_t offset, uint64_t size)
{
	uint8_t digest[32];
	int r = hash_file(HASH_SHA256, f, offset, size, digest);
	json_add_hex(o, "sha256", digest, sizeof digest);
	return r;
}

/* A member keeps its place when it gets a new value. */
static int update_manifest(const struct signing *s, const struct bundle *b,
	struct span uki, json_object *manifest)
{
	const struct file *image = bundle_image(b);
	json_object *partitions, *boot, *part, *offset;
	int r = 0;
	json_add_text(manifest, "certificateFingerprint", s->fingerprint);
	if (!json_object_object_get_ex(manifest, "partitions", &partitions) ||
		!json_object_is_type(partitions, json_type_array))
		return error_format(
			"%s: has no partitions", b->items[BUNDLE_MANIFEST].path);
	for (size_t i = 0; r == 0 && i < json_object_array_length(partitions); i++) {
		json_object *o = json_object_array_get_idx(partitions, i);
		json_object_object_get_ex(o, "offset", &offset);
		uint64_t at = json_object_get_uint64(offset);
		if (at == s->signature->offset)
			r = update_digest(o, image, at, s->signature->size);
		else if (s->esp && at == s->esp->offset)
			r = update_digest(o, image, at, s->esp->size);
	}
	if (uki.size && json_object_object_get_ex(manifest, "boot", &boot) &&
		json_object_object_get_ex(boot, "uki", &part)) {
		uint8_t digest[32];
		json_add_number(part, "size", uki.size);
		if (r == 0)
			r = hash_parts(HASH_SHA256, &uki, 1, digest);
		json_add_hex(part, "sha256", digest, sizeof digest);
	}
	return r;
}

static int put_manifest(const struct signing *s, struct bundle *b, struct span uki)
{
	BUFFER text = {0}, new = {0};
	json_object *manifest = NULL;
	int r = b->wanted[BUNDLE_MANIFEST] ? read_old(b, BUNDLE_MANIFEST, &text) : 1;
	if (r != 0)
		return r < 0 ? r : 0;
	r = json_parse(buffer_span(&text), b->items[BUNDLE_MANIFEST].path, BESIDE_LIMIT,
		&manifest);
	if (r == 0)
		r = update_manifest(s, b, uki, manifest);
	if (r == 0)
		r = json_save(manifest, &new);
	json_object_put(manifest);
	return r < 0 ? r : bundle_put(b, BUNDLE_MANIFEST, buffer_span(&new));
}

static int put_beside(const struct signing *s, struct bundle *b)
{
	BUFFER uki = {0};
	int r = keep(b, BUNDLE_ROOTHASH);
	if (r == 0)
		r = keep(b, BUNDLE_VMLINUZ);
	if (r == 0)
		r = keep(b, BUNDLE_INITRD);
	if (r == 0)
		r = put_uki(s, b, &uki);
	if (r == 0)
		r = bundle_convert(b);
	if (r == 0)
		r = put_manifest(s, b, buffer_span(&uki));
	return r < 0 || !b->wanted[BUNDLE_SUMS] ? r : bundle_sum(b);
}

static int fill(const struct signing *s, struct bundle *b)
{
	int r = copy_image(&s->file, b);
	if (r == 0)
		r = write_signature(s, bundle_image(b));
	if (r == 0)
		r = replace_programs(s, bundle_image(b));
	return r < 0 ? r : put_beside(s, b);
}

int signing_save(struct signing *s)
{
	struct bundle b;
	const struct bundle_options options = {
		.path = s->file.name, .replace = true, .existing = true};
	int r = bundle_open(&b, &options);
	if (r < 0)
		return r;
	r = fill(s, &b);
	if (r == 0)
		r = interrupt_check();
	if (r == 0)
		r = bundle_commit(&b);
	bundle_close(&b);
	return r;
}
