/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobfs/format.h"
#include "builder/uki.h"
#include "cli/diff.h"
#include "core/hash.h"
#include "core/hex.h"
#include "verifier/inspect.h"
#include "verifier/payload.h"
#include "verifier/verify_store.h"

#define MANIFEST_MAX ((size_t)16 << 20)

/* ---- directories and archives ------------------------------------------------------ */

/* Pieces come with their offsets, and holes are left out: they are zeros. */
static int take_piece(void *context, struct span data, uint64_t offset)
{
	return file_write(context, data.data, data.size, offset);
}

/* By way of a file in memory, in which holes stay holes. */
static int digest_entry(
	const struct tree *tree, const struct tree_entry *from, struct files_entry *to)
{
	AUTO_FILE memory = FILE_CLOSED;
	int r = file_in_memory(&memory, from->path, (struct span){0});
	if (r == 0 && ftruncate(memory.fd, (off_t)from->size) < 0)
		r = error_errno("%s: cannot keep it in memory", from->path);
	if (r == 0)
		r = tree_stream(tree, from, take_piece, &memory);
	if (r == 0)
		r = hash_file(HASH_SHA256, &memory, 0, from->size, to->digest);
	to->has_digest = r == 0;
	return r;
}

static int add_entry(struct diff_side *s, const struct tree_entry *from)
{
	BUFFER path = {0};
	struct files_entry *to;
	const struct tree_entry *first = &s->tree.entries[from->first_name];
	int r = buffer_printf(&path, "/%s", from->path);
	if (r == 0)
		r = files_add(&s->files, buffer_span(&path), &to);
	if (r < 0)
		return r;
	to->inode = from->first_name;
	to->mode = from->mode;
	to->uid = from->uid;
	to->gid = from->gid;
	to->n_links = from->n_names;
	to->size = S_ISREG(from->mode) ? from->size : 0;
	to->mtime = from->mtime;
	to->mtime_ns = from->mtime_ns;
	to->major = from->major;
	to->minor = from->minor;
	if (from->target && !(to->target = strdup(from->target)))
		return error_memory();
	for (size_t i = 0; r == 0 && i < from->n_xattrs; i++)
		r = files_add_xattr(to, from->xattrs[i].name,
			span_of(from->xattrs[i].value, from->xattrs[i].size));
	return r == 0 && S_ISREG(from->mode) ? digest_entry(&s->tree, first, to) : r;
}

static int load_tree(struct diff_side *s)
{
	int r = tree_load(&s->tree, s->path, NULL);
	for (size_t i = 0; r == 0 && i < s->tree.n_entries; i++)
		r = add_entry(s, &s->tree.entries[i]);
	files_sort(&s->files);
	return r;
}

/* ---- images ------------------------------------------------------------------------ */

/* The list of packages in "os.manifest.json" beside "os.raw". It is not signed. */
static int load_packages(struct diff_side *s)
{
	BUFFER path = {0}, text = {0};
	json_object *manifest, *list;
	size_t n = strlen(s->path);
	if (n > 4 &&
		(!strcmp(s->path + n - 4, ".raw") || !strcmp(s->path + n - 4, ".img")))
		n -= 4;
	int r = buffer_printf(&path, "%.*s.manifest.json", (int)n, s->path);
	if (r < 0 || access(buffer_text(&path), R_OK) < 0)
		return r;
	r = file_slurp(buffer_text(&path), MANIFEST_MAX, &text);
	if (r == 0)
		r = json_parse(
			buffer_span(&text), buffer_text(&path), MANIFEST_MAX, &manifest);
	if (r < 0)
		return r;
	if (json_object_object_get_ex(manifest, "packages", &list) &&
		json_object_is_type(list, json_type_array))
		s->packages = json_object_get(list);
	json_object_put(manifest);
	return 0;
}

/* What the first set's hash tree is, if it can be found; that is no must. */
static void find_verity(struct diff_side *s)
{
	struct payload p;
	AUTO_REPORT report = {0};
	if (s->disk.n_sets == 0)
		return;
	payload_init(&p, &s->disk, &s->disk.sets[0]);
	payload_check_structure(&p, &report);
	if (!p.has_tree)
		return;
	s->verity = (struct unchanged_side){.file = &s->file,
		.data_offset = p.data.offset,
		.data_size = p.params.data_blocks * p.params.data_block_size,
		.tree_offset = p.tree_offset,
		.params = p.params};
	s->has_verity =
		hex_decode(p.claimed, s->verity.root, hash_size(p.params.alg)) == 0;
}

static int load_image(struct diff_side *s)
{
	const struct inspect_options o = {.pcr11 = uki_pcr11};
	int r = disk_open(&s->disk, &s->file);
	s->has_table = r == 0;
	if (r < 0 && error_status() != STATUS_FORMAT)
		return r;
	if (!s->has_table)
		return files_load(&s->files, &s->file, 0, s->file.size);
	r = inspect_image(&s->file, &o, &s->inspection);
	if (r < 0)
		return r;
	find_verity(s);
	const struct gpt_partition *p = s->disk.n_sets ? s->disk.sets[0].data : NULL;
	if (!p)
		return error_format(
			"%s: no root or usr partition with files to compare", s->path);
	return files_load(&s->files, &s->file, p->offset, p->size);
}

/* ---- both -------------------------------------------------------------------------- */

static bool is_image(const char *path)
{
	struct stat st;
	uint8_t head[4096] = {0};
	AUTO_FILE f = FILE_CLOSED;
	size_t n;
	if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return false;
	if (S_ISBLK(st.st_mode))
		return true;
	if (file_open_image(&f, path, O_RDONLY) < 0 ||
		file_read_some(&f, head, sizeof head, 0, &n) < 0)
		return true;
	return !memcmp(head, BLOBFS_MAGIC, BLOBFS_MAGIC_SIZE) ||
	       !memcmp(head + 510, "\x55\xaa", 2) || !memcmp(head + 512, "EFI PART", 8) ||
	       get_le32(head + 1024) == 0xe0f5e1e2u || get_le32(head) == 0x73717368u ||
	       get_le16(head + 1024 + 56) == 0xef53;
}

static bool is_blobfs(const struct file *f)
{
	char magic[BLOBFS_MAGIC_SIZE];
	return f->size >= BLOBFS_BLOCK && file_read(f, magic, sizeof magic, 0) == 0 &&
	       !memcmp(magic, BLOBFS_MAGIC, sizeof magic);
}

int diff_side_open(struct diff_side *s, const char *path, bool claims)
{
	*s = (struct diff_side){.path = path, .tree = TREE_EMPTY, .file = FILE_CLOSED};
	s->is_blobs = verify_is_store(path);
	if (s->is_blobs)
		return diff_blobs_open(&s->blobs, path, claims);
	s->is_tree = !is_image(path);
	if (s->is_tree)
		return load_tree(s);
	int r = file_open_image(&s->file, path, O_RDONLY);
	if (r == 0 && is_blobfs(&s->file)) {
		s->is_blobs = true;
		s->blobs = (struct diff_blobs){.name = path, .claims = claims};
		return 0;
	}
	return r < 0 ? r : load_packages(s);
}

int diff_side_load(struct diff_side *s)
{
	if (s->is_blobs)
		return diff_blobs_load(&s->blobs, &s->file, &s->files);
	return s->is_tree ? 0 : load_image(s);
}

void diff_side_close(struct diff_side *s)
{
	files_free(&s->files);
	if (s->has_table)
		disk_close(&s->disk);
	json_object_put(s->inspection);
	json_object_put(s->packages);
	tree_free(&s->tree);
	diff_blobs_close(&s->blobs);
	file_close(&s->file);
}
