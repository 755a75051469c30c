/* SPDX-License-Identifier: MIT */
#include "blobfs/refs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void blobfs_refs_free(struct blobfs_refs *r)
{
	free(r->refs);
	*r = (struct blobfs_refs){0};
}

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool blobfs_ref_name_valid(const char *name, size_t size)
{
	if (size == 0 || size > BLOBFS_REF_NAME_MAX || !is_alphanumeric(name[0]))
		return false;
	for (size_t i = 0; i < size; i++)
		if (!is_alphanumeric(name[i]) &&
			(!name[i] || !strchr("._-+:@/", name[i])))
			return false;
	return true;
}

/* Where NAME is, or would be. */
static size_t position(const struct blobfs_refs *r, const char *name)
{
	size_t low = 0, high = r->n_refs;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(r->refs[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct blobfs_ref *blobfs_refs_find(const struct blobfs_refs *r, const char *name)
{
	size_t at = position(r, name);
	return at < r->n_refs && !strcmp(r->refs[at].name, name) ? &r->refs[at] : NULL;
}

int blobfs_refs_set(
	struct blobfs_refs *r, const char *name, const uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	if (!blobfs_ref_name_valid(name, strlen(name)))
		return error_usage("%s: no name for a ref (letters, digits and ._-+:@/, "
				   "beginning with a letter or digit)",
			name);
	size_t at = position(r, name);
	if (at == r->n_refs || strcmp(r->refs[at].name, name) != 0) {
		void *larger = reallocarray(r->refs, r->n_refs + 1, sizeof *r->refs);
		if (!larger)
			return error_memory();
		r->refs = larger;
		memmove(r->refs + at + 1, r->refs + at,
			(r->n_refs - at) * sizeof *r->refs);
		r->n_refs++;
	}
	memset(&r->refs[at], 0, sizeof r->refs[at]);
	memcpy(r->refs[at].name, name, strlen(name));
	memcpy(r->refs[at].digest, digest, BLOBFS_DIGEST_SIZE);
	return 0;
}

int blobfs_refs_delete(struct blobfs_refs *r, const char *name)
{
	size_t at = position(r, name);
	if (at == r->n_refs || strcmp(r->refs[at].name, name) != 0)
		return error_set(STATUS_FAILED, ENOENT, "%s: no such ref", name);
	r->n_refs--;
	memmove(r->refs + at, r->refs + at + 1, (r->n_refs - at) * sizeof *r->refs);
	return 0;
}

/* One record from *REST, which is shortened by it. */
static int parse_ref(struct span *rest, struct blobfs_ref *ref)
{
	struct span name, digest;
	if (rest->size < 1 || span_part(*rest, 1, rest->data[0], &name) ||
		span_part(*rest, 1 + name.size, BLOBFS_DIGEST_SIZE, &digest) ||
		!blobfs_ref_name_valid((const char *)name.data, name.size))
		return -1;
	memset(ref, 0, sizeof *ref);
	memcpy(ref->name, name.data, name.size);
	memcpy(ref->digest, digest.data, sizeof ref->digest);
	return span_part(*rest, 1 + name.size + digest.size,
		rest->size - 1 - name.size - digest.size, rest);
}

int blobfs_refs_parse(struct blobfs_refs *r, struct span blob, const char *image)
{
	const struct blobfs_refs *none = &(struct blobfs_refs){0};
	struct span rest;
	*r = *none;
	if (span_part(blob, 0, 16, &rest) ||
		memcmp(blob.data, BLOBFS_REFS_MAGIC, BLOBFS_MAGIC_SIZE) != 0)
		return error_format("%s: the refs blob does not begin as one", image);
	uint64_t count = get_le64(blob.data + BLOBFS_MAGIC_SIZE);
	span_part(blob, 16, blob.size - 16, &rest);
	/* The shortest record has 34 bytes. */
	if (count > rest.size / 34)
		return error_format("%s: the refs blob is too short", image);
	r->refs = calloc((size_t)count + 1, sizeof *r->refs);
	if (!r->refs)
		return error_memory();
	for (; r->n_refs < count; r->n_refs++) {
		struct blobfs_ref *ref = &r->refs[r->n_refs];
		if (parse_ref(&rest, ref) < 0 ||
			(r->n_refs > 0 && strcmp(ref[-1].name, ref->name) >= 0))
			return error_format(
				"%s: ref %zu is malformed", image, r->n_refs + 1);
	}
	return rest.size ? error_format("%s: the refs blob is too long", image) : 0;
}

int blobfs_refs_write(const struct blobfs_refs *r, struct buffer *blob)
{
	uint8_t count[8];
	put_le64(count, r->n_refs);
	int e = buffer_append(blob, BLOBFS_REFS_MAGIC, BLOBFS_MAGIC_SIZE);
	if (e == 0)
		e = buffer_append(blob, count, sizeof count);
	for (size_t i = 0; i < r->n_refs && e == 0; i++) {
		const struct blobfs_ref *ref = &r->refs[i];
		uint8_t length = (uint8_t)strlen(ref->name);
		e = buffer_append(blob, &length, 1);
		if (e == 0)
			e = buffer_append(blob, ref->name, length);
		if (e == 0)
			e = buffer_append(blob, ref->digest, sizeof ref->digest);
	}
	return e;
}

static bool is_none(const uint8_t *digest)
{
	static const uint8_t none[BLOBFS_DIGEST_SIZE];
	return memcmp(digest, none, sizeof none) == 0;
}

int blobfs_refs_load(struct blobfs_refs *r, struct blobfs_store *s)
{
	BUFFER blob = {0};
	*r = (struct blobfs_refs){0};
	if (s->fresh || is_none(s->fs.refs))
		return 0;
	int e = blobfs_store_load(s, s->fs.refs, BLOBFS_REFS_MAX, &blob);
	return e < 0 ? error_context(e, "refs")
		     : blobfs_refs_parse(r, buffer_span(&blob), s->device->name);
}

int blobfs_refs_store(const struct blobfs_refs *r, struct blobfs_store *s)
{
	BUFFER blob = {0};
	int e = r->n_refs ? blobfs_refs_write(r, &blob) : 0;
	if (e == 0 && blob.size > BLOBFS_REFS_MAX)
		e = error_set(STATUS_FAILED, EFBIG, "%s: too many refs", s->device->name);
	memset(s->refs, 0, sizeof s->refs);
	if (e == 0 && r->n_refs)
		e = blobfs_add_span(s, buffer_span(&blob), s->refs);
	s->refs_changed = memcmp(s->refs, s->fs.refs, sizeof s->refs) != 0;
	return e;
}
