/* SPDX-License-Identifier: MIT */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/tree_acl.h"
#include "builder/tree_build.h"

/*
 * The tree of a tar archive, read through libarchive. All of it is hostile: names, sizes
 * and sparse maps are checked before they are used.
 */

#define READ_SIZE ((size_t)1 << 18)
#define BLOCK     512

struct reader {
	struct archive *archive;
	const struct file *file;
	uint64_t at; /* in the archive's file */
	int unread;  /* 0, or what reading it failed with, which is recorded */
	uint8_t *data;
	struct tree_builder builder;
	struct file *spool;
	uint64_t end; /* of the last entry, in the uncompressed archive */
};

static int refuse(const struct reader *r, const char *path, const char *why)
{
	char quoted[TREE_QUOTE_SIZE];
	return error_format("%s: %s: %s", r->file->name, tree_quote(path, quoted), why);
}

/* Where the last header began or, before there was one, how far it was read. */
static intmax_t position(const struct reader *r)
{
	int64_t at = archive_read_header_position(r->archive);
	if (at < 0)
		at = archive_filter_bytes(r->archive, 0);
	return at < 0 ? 0 : at;
}

static int malformed(const struct reader *r)
{
	if (r->unread < 0)
		return r->unread;
	const char *why = archive_error_string(r->archive);
	return error_format("%s: offset %jd: %s", r->file->name, position(r),
		why ? why : "not a tar archive");
}

static la_ssize_t give(struct archive *a, void *context, const void **data)
{
	struct reader *r = context;
	size_t n;
	r->unread = file_read_some(r->file, r->data, READ_SIZE, r->at, &n);
	if (r->unread < 0) {
		archive_set_error(a, EIO, "cannot be read");
		return -1;
	}
	r->at += n;
	*data = r->data;
	return (la_ssize_t)n;
}

/* No filter that would run a program, no format but tar. */
static int open_archive(struct reader *r)
{
	struct archive *a = r->archive = archive_read_new();
	r->data = malloc(READ_SIZE);
	if (!a || !r->data)
		return error_memory();
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_format_tar(a);
	if (archive_read_open(a, r, NULL, give, NULL) != ARCHIVE_OK)
		return malformed(r);
	return 0;
}

/* LINKED_FROM: the entry that is a hard link to NAME; NULL: NAME is the entry's own. */
static int refuse_name(const struct reader *r, const char *name, const char *linked_from,
	const char *why)
{
	char quoted[TREE_QUOTE_SIZE], from[TREE_QUOTE_SIZE];
	if (!linked_from)
		return refuse(r, name, why);
	return error_format("%s: %s: is a hard link to %s: %s", r->file->name,
		tree_quote(linked_from, from), tree_quote(name, quoted), why);
}

static const char *problem_of(const char *component, size_t length)
{
	if (length == 2 && component[0] == '.' && component[1] == '.')
		return "a name with \"..\" in it";
	return length > TREE_NAME_MAX ? "a name longer than 255 bytes" : NULL;
}

/* RAW without empty and "." components; refuses what leads out of the tree. */
static int clean_path(
	const struct reader *r, const char *raw, const char *linked_from, char **path)
{
	if (!raw)
		return error_format("%s: offset %jd: an entry without a name",
			r->file->name, position(r));
	if (raw[0] == '/')
		return refuse_name(r, raw, linked_from, "an absolute name");
	/* The longest any program can use; it bounds the directories a name implies. */
	if (strlen(raw) > TREE_TARGET_MAX)
		return refuse_name(r, raw, linked_from, "a path longer than 4095 bytes");
	char *clean = malloc(strlen(raw) + 1), *end = clean;
	if (!clean)
		return error_memory();
	for (const char *at = raw; *at;) {
		size_t length = strcspn(at, "/");
		const char *problem = problem_of(at, length);
		if (problem) {
			free(clean);
			return refuse_name(r, raw, linked_from, problem);
		}
		if (length > 1 || (length == 1 && at[0] != '.')) {
			if (end != clean)
				*end++ = '/';
			memcpy(end, at, length);
			end += length;
		}
		at += length + (at[length] == '/');
	}
	*end = 0;
	*path = clean;
	return 0;
}

static int get_id(const struct reader *r, const char *path, int64_t value, uint32_t *id)
{
	/* The highest number means "no user". */
	if (value < 0 || value >= UINT32_MAX)
		return refuse(r, path, "an owner that is no 32-bit number");
	*id = (uint32_t)value;
	return 0;
}

static void get_mtime(struct tree_entry *e, struct archive_entry *from)
{
	e->mtime = archive_entry_mtime(from);
	long ns = archive_entry_mtime_nsec(from);
	e->mtime_ns = ns > 0 && ns < 1000000000 ? (uint32_t)ns : 0;
	/* "-5.5" in an archive is half a second before -5. */
	if (e->mtime < 0 && e->mtime > INT64_MIN && e->mtime_ns) {
		e->mtime--;
		e->mtime_ns = 1000000000 - e->mtime_ns;
	}
}

static int get_target(
	const struct reader *r, struct tree_entry *e, struct archive_entry *from)
{
	const char *target = archive_entry_symlink(from);
	size_t length = target ? strlen(target) : 0;
	if (length == 0 || length > TREE_TARGET_MAX)
		return refuse(r, e->path, "a symbolic link to nowhere");
	e->size = length;
	e->target = strdup(target);
	return e->target ? 0 : error_memory();
}

static int get_device(
	const struct reader *r, struct tree_entry *e, struct archive_entry *from)
{
	/* As Linux encodes them: 12 and 20 bits. */
	dev_t major = archive_entry_rdevmajor(from),
	      minor = archive_entry_rdevminor(from);
	if (major >> 12 || minor >> 20)
		return refuse(r, e->path, "a device number out of range");
	e->major = (uint32_t)major;
	e->minor = (uint32_t)minor;
	return 0;
}

/* GNU tar writes "%" and "=" of an attribute's name as "%25" and "%3D". */
static int add_xattr(
	struct tree_entry *e, const char *name, const void *value, size_t size)
{
	char *plain = malloc(strlen(name) + 1), *end = plain;
	if (!plain)
		return error_memory();
	for (const char *at = name; *at; at++) {
		bool percent = !strncmp(at, "%25", 3), equals = !strncmp(at, "%3D", 3);
		*end++ = (char)(percent ? '%' : equals ? '=' : *at);
		at += percent || equals ? 2 : 0;
	}
	*end = 0;
	int r = tree_add_xattr(e, plain, value, size);
	free(plain);
	return r;
}

static int get_xattrs(
	const struct reader *r, struct tree_entry *e, struct archive_entry *from)
{
	const char *name;
	const void *value;
	size_t size;
	archive_entry_xattr_reset(from);
	while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK)
		if (name && add_xattr(e, name, value, size) < 0)
			return error_memory();
	return tree_add_acls(e, from, r->file->name);
}

static int add_piece(struct reader *r, struct tree_entry *e, const void *data,
	size_t size, int64_t offset)
{
	uint64_t end;
	const struct tree_extent *last =
		e->n_extents ? &e->extents[e->n_extents - 1] : NULL;
	uint64_t least = last ? last->offset + last->size : 0;
	if (offset < 0 || (uint64_t)offset < least ||
		u64_add((uint64_t)offset, size, &end) || end > e->size)
		return refuse(r, e->path, "its sparse map makes no sense");
	if (size == 0)
		return 0;
	int result = file_write(r->spool, data, size, r->spool->size);
	if (result == 0)
		result = tree_add_extent(e, (uint64_t)offset, size, r->spool->size);
	r->spool->size += size;
	return result;
}

static int get_content(struct reader *r, struct tree_entry *e)
{
	const void *data;
	size_t size;
	la_int64_t offset;
	int result, status;
	while ((status = archive_read_data_block(r->archive, &data, &size, &offset)) ==
		ARCHIVE_OK) {
		result = add_piece(r, e, data, size, offset);
		if (result < 0)
			return result;
	}
	return status == ARCHIVE_EOF ? 0 : malformed(r);
}

static int get_by_type(struct reader *r, struct tree_entry *e, struct archive_entry *from)
{
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		if (!archive_entry_size_is_set(from) || archive_entry_size(from) < 0)
			return refuse(r, e->path, "a file without a size");
		e->size = (uint64_t)archive_entry_size(from);
		return get_content(r, e);
	case S_IFLNK:
		return get_target(r, e, from);
	case S_IFCHR:
	case S_IFBLK:
		return get_device(r, e, from);
	case S_IFDIR:
	case S_IFIFO:
		return 0;
	default:
		return refuse(
			r, e->path, "neither a file nor anything else an image holds");
	}
}

static int get_entry(struct reader *r, struct tree_entry *e, struct archive_entry *from)
{
	e->mode = archive_entry_mode(from) & (S_IFMT | 07777);
	if (S_ISLNK(e->mode))
		e->mode = S_IFLNK | 0777;
	if (!e->path[0] && !S_ISDIR(e->mode))
		return refuse(r, "./", "the root is not a directory");
	get_mtime(e, from);
	int result = get_id(r, e->path, archive_entry_uid(from), &e->uid);
	if (result == 0)
		result = get_id(r, e->path, archive_entry_gid(from), &e->gid);
	if (result == 0)
		result = get_xattrs(r, e, from);
	return result < 0 ? result : get_by_type(r, e, from);
}

static int add_entry(struct reader *r, struct archive_entry *from)
{
	char *path;
	struct tree_item *item;
	int result = clean_path(r, archive_entry_pathname(from), NULL, &path);
	if (result == 0)
		result = tree_builder_add(&r->builder, path, &item);
	if (result < 0)
		return result;
	const char *link = archive_entry_hardlink(from);
	if (!link)
		return get_entry(r, &item->entry, from);
	if (!path[0])
		return refuse(r, "./", "the root is not a directory");
	return clean_path(r, link, path, &item->link);
}

/* Names are bytes here: that they are no text of the C locale is no fault of theirs. */
static bool is_fault(const struct reader *r, int status)
{
	const char *why = archive_error_string(r->archive);
	return status != ARCHIVE_OK &&
	       (status != ARCHIVE_WARN || !why || !strstr(why, "can't be converted"));
}

/* An archive that ends without its end mark has lost its tail, perhaps whole entries. */
static int check_end(const struct reader *r)
{
	uint64_t end = (uint64_t)archive_filter_bytes(r->archive, 0);
	if (end >= u64_div_up(r->end, BLOCK) * BLOCK + BLOCK)
		return 0;
	return error_format(
		"%s: ends at offset %ju without the end mark of a tar archive",
		r->file->name, (uintmax_t)end);
}

static int read_entries(struct reader *r)
{
	for (;;) {
		struct archive_entry *entry;
		int status = archive_read_next_header(r->archive, &entry);
		if (status == ARCHIVE_EOF)
			return check_end(r);
		if (is_fault(r, status))
			return malformed(r);
		archive_clear_error(r->archive);
		int result = add_entry(r, entry);
		if (result < 0)
			return result;
		r->end = (uint64_t)archive_filter_bytes(r->archive, 0);
	}
}

int tree_load_tar(struct tree *tree, const struct file *archive)
{
	struct reader r = {.file = archive,
		.spool = &tree->spool,
		.builder = {.name = archive->name}};
	/* libarchive converts names to the locale's character set; C's keeps the bytes.
	 */
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), old = (locale_t)0;
	int result = c == (locale_t)0 ? error_memory() : 0;
	if (result == 0) {
		old = uselocale(c);
		result = open_archive(&r);
	}
	if (result == 0)
		result = read_entries(&r);
	if (result == 0)
		result = tree_builder_finish(&r.builder, tree);
	archive_read_free(r.archive);
	free(r.data);
	tree_builder_free(&r.builder);
	if (c != (locale_t)0) {
		uselocale(old);
		freelocale(c);
	}
	return result;
}
