/* SPDX-License-Identifier: MIT */
#include "cli/diff_blobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "blobfs/check.h"
#include "blobfs/names.h"
#include "blobfs/refs.h"
#include "core/erofs_content.h"
#include "core/fsverity.h"
#include "core/hex.h"
#include "core/progress.h"

void diff_blobs_close(struct diff_blobs *b)
{
	for (size_t i = 0; b->trees && i < b->list.n_refs; i++)
		file_close(&b->trees[i]);
	free(b->trees);
	free(b->digests);
	free(b->sizes);
	free(b->reached);
	store_list_free(&b->list);
	*b = (struct diff_blobs){0};
}

static int make_room(struct diff_blobs *b, size_t n)
{
	b->digests = calloc(n + 1, OBJECTS_DIGEST);
	b->sizes = calloc(n + 1, sizeof *b->sizes);
	b->reached = calloc(n + 1, sizeof *b->reached);
	return b->digests && b->sizes && b->reached ? 0 : error_memory();
}

/* ---- a directory, while files can be opened ---------------------------------------- */

static int look_at_blob(struct diff_blobs *b, const struct objects *o, size_t i)
{
	const uint8_t *digest = store_list_digest(&b->list, i);
	AUTO_FILE f = FILE_CLOSED;
	int r = objects_find(o, digest, &f);
	if (r < 0)
		return r;
	memcpy(b->digests + i * OBJECTS_DIGEST, digest, OBJECTS_DIGEST);
	b->sizes[i] = f.size;
	b->n_digests++;
	if (b->claims)
		return 0;
	b->n_bytes += f.size;
	progress_add(1);
	r = objects_verify(o, digest, 0);
	return r > 0 ? -EBADMSG : r;
}

static int look_at_blobs(struct diff_blobs *b, const struct objects *o)
{
	int r = make_room(b, b->list.n_blobs);
	if (r == 0 && b->list.n_strays)
		r = error_format("%s: objects/%s is not the name of a blob", o->name,
			b->list.strays[0]);
	progress_begin("blobs", b->list.n_blobs);
	for (size_t i = 0; r == 0 && i < b->list.n_blobs; i++)
		r = look_at_blob(b, o, i);
	progress_end();
	return r;
}

/* A tree is copied, as it is checked: nobody can change what is then read. */
static int keep_tree(
	const struct objects *o, const struct store_ref *ref, struct file *to)
{
	uint8_t magic[4] = {0};
	size_t n;
	AUTO_FILE blob = FILE_CLOSED;
	if (ref->fault)
		return error_format("%s", ref->fault);
	int r = objects_find(o, ref->digest, &blob);
	if (r == 0)
		r = file_read_some(&blob, magic, sizeof magic, EROFS_SUPER_OFFSET, &n);
	if (r < 0 || get_le32(magic) != EROFS_SUPER_MAGIC)
		return r;
	if (blob.size > NAMES_LIMIT)
		return error_format("%s: ref %s: too large a tree", o->name, ref->name);
	r = file_in_memory(to, o->name, span_of("", 0));
	if (r == 0)
		r = objects_copy(o, ref->digest, to);
	to->size = blob.size;
	return r;
}

int diff_blobs_open(struct diff_blobs *b, const char *path, bool claims)
{
	AUTO_OBJECTS o = OBJECTS_CLOSED;
	*b = (struct diff_blobs){.name = path, .claims = claims, .is_directory = true};
	int r = objects_open(&o, path, OBJECTS_READ);
	if (r == 0)
		r = store_list_read(&b->list, &o);
	if (r == 0)
		r = look_at_blobs(b, &o);
	if (r < 0)
		return r;
	b->trees = calloc(b->list.n_refs + 1, sizeof *b->trees);
	if (!b->trees)
		return error_memory();
	for (size_t i = 0; i < b->list.n_refs; i++)
		b->trees[i] = FILE_CLOSED;
	for (size_t i = 0; r == 0 && i < b->list.n_refs; i++)
		r = keep_tree(&o, &b->list.refs[i], &b->trees[i]);
	return r;
}

/* ---- lists of files ---------------------------------------------------------------- */

static int by_digest(const void *a, const void *b)
{
	return memcmp(a, b, OBJECTS_DIGEST);
}

/* The number of a blob, which a ref then reaches; -EIO, STATUS_CONTENT, without it. */
static int reach(struct diff_blobs *b, const uint8_t *digest, size_t *number)
{
	char text[OBJECTS_DIGEST_TEXT];
	const uint8_t *found = b->n_digests ? bsearch(digest, b->digests, b->n_digests,
						      OBJECTS_DIGEST, by_digest)
					    : NULL;
	if (!found)
		return error_set(STATUS_CONTENT, EIO, "%s: there is no blob sha256:%s",
			b->name, hex_encode(digest, OBJECTS_DIGEST, text));
	*number = (size_t)(found - b->digests) / OBJECTS_DIGEST;
	b->reached[*number] = true;
	return 0;
}

static int add_blob(struct diff_blobs *b, struct files *files, const char *path, size_t i)
{
	struct files_entry *e;
	int r = files_add(files, span_of(path, strlen(path)), &e);
	if (r < 0)
		return r;
	e->mode = S_IFREG | 0444;
	e->size = b->sizes[i];
	memcpy(e->digest, b->digests + i * OBJECTS_DIGEST, OBJECTS_DIGEST);
	e->has_digest = true;
	return 0;
}

/* Where the contents are, which the tree itself does not have. */
static bool is_of_overlay(const char *name)
{
	return !strcmp(name, "trusted.overlay.metacopy") ||
	       !strcmp(name, "trusted.overlay.redirect");
}

static int collect_bytes(void *context, struct span data)
{
	return buffer_append(context, data.data, data.size);
}

/* Small contents are inside of the tree. */
static int digest_inside(
	const struct erofs *e, const struct erofs_inode *inode, struct files_entry *to)
{
	BUFFER bytes = {0};
	struct erofs_content content;
	if (inode->size > EROFS_SUPER_OFFSET * 64)
		return error_format(
			"%s: %s: a file without a digest", e->file->name, to->path);
	erofs_content_init(&content, e);
	int r = erofs_content_stream(&content, inode, collect_bytes, &bytes);
	erofs_content_free(&content);
	return r < 0 ? r
		     : fsverity_digest_span(
			       &FSVERITY_DEFAULTS, buffer_span(&bytes), to->digest);
}

static int digest_of(
	struct diff_blobs *b, const struct erofs *e, uint64_t nid, struct files_entry *to)
{
	struct erofs_inode inode;
	size_t number;
	int r = erofs_inode(e, nid, &inode);
	if (r == 0)
		r = names_blob(e, &inode, to->digest);
	if (r == 0)
		r = reach(b, to->digest, &number);
	else if (r == 1)
		r = digest_inside(e, &inode, to);
	to->has_digest = r == 0;
	return r;
}

static int copy_entry(struct diff_blobs *b, const struct erofs *e, const char *name,
	const struct files_entry *from, struct files *files)
{
	BUFFER path = {0};
	struct files_entry *to;
	bool is_root = from->path_size == 1;
	int r = buffer_printf(&path, "/%s%s", name, is_root ? "" : from->path);
	if (r == 0)
		r = files_add(files, buffer_span(&path), &to);
	if (r < 0)
		return r;
	char *own = to->path;
	size_t size = to->path_size, n_bytes = to->n_bytes;
	*to = *from;
	to->path = own;
	to->path_size = size;
	to->n_bytes = n_bytes;
	to->target = NULL;
	to->xattrs = NULL;
	to->n_xattrs = 0;
	if (from->target && !(to->target = strdup(from->target)))
		return error_memory();
	for (size_t i = 0; r == 0 && i < from->n_xattrs; i++)
		if (!is_of_overlay(from->xattrs[i].name))
			r = files_add_xattr(to, from->xattrs[i].name,
				span_of(from->xattrs[i].value, from->xattrs[i].size));
	return r == 0 && S_ISREG(to->mode) ? digest_of(b, e, from->inode, to) : r;
}

/* As names_hides_blobs: they are overlayfs', not the tree's. */
static bool hides_blobs(const struct files_entry *e)
{
	return S_ISCHR(e->mode) && !e->major && !e->minor;
}

static int add_tree(struct diff_blobs *b, const struct file *image, const char *name,
	struct files *files)
{
	AUTO_FILES tree = {0};
	struct erofs e;
	int r = files_load(&tree, image, 0, image->size);
	if (r == 0)
		r = erofs_open(&e, image, 0, image->size);
	for (size_t i = 0; r == 0 && i < tree.n_items; i++)
		if (!hides_blobs(&tree.items[i]))
			r = copy_entry(b, &e, name, &tree.items[i], files);
	return r < 0 ? error_context(r, "ref %s", name) : r;
}

/* IMAGE is closed if the blob is no tree. */
static int add_ref(struct diff_blobs *b, const char *name, const uint8_t *digest,
	const struct file *image, struct files *files)
{
	BUFFER path = {0};
	size_t number;
	int r = reach(b, digest, &number);
	if (r < 0)
		return error_context(r, "ref %s", name);
	if (image->fd >= 0)
		return add_tree(b, image, name, files);
	r = buffer_printf(&path, "/%s", name);
	return r < 0 ? r : add_blob(b, files, buffer_text(&path), number);
}

static int add_others(struct diff_blobs *b, struct files *files)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < b->n_digests; i++) {
		char text[OBJECTS_DIGEST_TEXT];
		BUFFER path = {0};
		if (b->reached[i])
			continue;
		hex_encode(b->digests + i * OBJECTS_DIGEST, OBJECTS_DIGEST, text);
		r = buffer_printf(&path, "/objects/%.2s/%s", text, text + 2);
		if (r == 0)
			r = add_blob(b, files, buffer_text(&path), i);
	}
	return r;
}

/* ---- an image ---------------------------------------------------------------------- */

static int take_all(struct diff_blobs *b, struct blobfs_store *s)
{
	struct blobfs_walk walk = {0};
	struct blobfs_entry entry;
	BUFFER digests = {0};
	BUFFER sizes = {0};
	int r = blobfs_walk_start(&walk, &s->fs, b->name, NULL, 0, s->fs.n_runs);
	while (r == 0 && (r = blobfs_walk_next(&walk, &entry)) == 1) {
		r = 0;
		if (entry.size == BLOBFS_TOMBSTONE ||
			!memcmp(entry.digest, s->fs.refs, BLOBFS_DIGEST_SIZE))
			continue;
		r = buffer_append(&digests, entry.digest, OBJECTS_DIGEST);
		if (r == 0)
			r = buffer_append(&sizes, &entry.size, sizeof entry.size);
	}
	blobfs_walk_stop(&walk);
	size_t n = digests.size / OBJECTS_DIGEST;
	if (r == 0)
		r = make_room(b, n);
	if (r < 0 || !n)
		return r;
	memcpy(b->digests, digests.data, digests.size);
	memcpy(b->sizes, sizes.data, sizes.size);
	b->n_digests = n;
	return 0;
}

/* The first that is wrong; its sentence may come from any thread. */
struct finding_kept {
	enum status status;
	char sentence[512];
};

static void keep_first(void *context, enum status status, const char *sentence)
{
	struct finding_kept *kept = context;
	if (kept->status == STATUS_GOOD) {
		kept->status = status;
		snprintf(kept->sentence, sizeof kept->sentence, "%s", sentence);
	}
}

static int check_image(struct diff_blobs *b, struct blobfs_store *s)
{
	struct finding_kept kept = {.status = STATUS_GOOD};
	struct blobfs_check check = {.context = &kept, .found = keep_first};
	if (b->claims)
		return 0;
	int r = blobfs_check(&check, s);
	b->n_bytes = check.n_bytes;
	if (r < 0 || kept.status == STATUS_GOOD)
		return r;
	return error_set(kept.status, EBADMSG, "%s: %s", b->name, kept.sentence);
}

static int load_image(struct diff_blobs *b, struct blobfs_store *s, struct files *files)
{
	AUTO_BLOBFS_REFS refs = {0};
	int r = check_image(b, s);
	if (r == 0)
		r = blobfs_refs_load(&refs, s);
	if (r == 0)
		r = take_all(b, s);
	for (size_t i = 0; r == 0 && i < refs.n_refs; i++) {
		AUTO_NAMES names = NAMES_CLOSED;
		const struct blobfs_ref *ref = &refs.refs[i];
		r = names_load(&names, s, ref->digest);
		if (r >= 0)
			r = add_ref(b, ref->name, ref->digest, &names.image, files);
	}
	return r;
}

int diff_blobs_load(struct diff_blobs *b, const struct file *f, struct files *files)
{
	struct blobfs_store store = {0};
	struct blobfs_device device;
	int r = 0;
	for (size_t i = 0; r == 0 && i < b->list.n_refs; i++)
		r = add_ref(b, b->list.refs[i].name, b->list.refs[i].digest, &b->trees[i],
			files);
	if (r == 0 && !b->is_directory) {
		r = blobfs_device_on_file(&device, f);
		if (r < 0)
			return r;
		r = blobfs_store_open(&store, &device);
		if (r == 0)
			r = load_image(b, &store, files);
		blobfs_store_close(&store);
		blobfs_device_close(&device);
	}
	if (r == 0)
		r = add_others(b, files);
	files_sort(files);
	return r;
}
