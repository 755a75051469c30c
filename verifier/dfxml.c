/* SPDX-License-Identifier: MIT */
#include "verifier/dfxml.h"

#include <string.h>

#include "core/hex.h"
#include "core/xml.h"

/* ---- file objects --------------------------------------------------------------------
 */

/* The letters, and The Sleuth Kit's numbers, of a kind of file. */
static const struct kind {
	uint16_t mode;
	char letter;
	unsigned number;
} kinds[] = {{S_IFREG, 'r', 1}, {S_IFDIR, 'd', 2}, {S_IFIFO, 'p', 3}, {S_IFCHR, 'c', 4},
	{S_IFBLK, 'b', 5}, {S_IFLNK, 'l', 6}, {S_IFSOCK, 's', 8}, {0, '-', 0}};

static const struct kind *kind_of(uint16_t mode)
{
	const struct kind *k = kinds;
	while (k->mode && (mode & S_IFMT) != k->mode)
		k++;
	return k;
}

static int put_digest(
	struct buffer *xml, const char *type, const uint8_t *digest, size_t size)
{
	char hex[2 * 32 + 1];
	return buffer_printf(xml, "<hashdigest type=\"%s\">%s</hashdigest>\n", type,
		hex_encode(digest, size, hex));
}

/* Bytes that XML cannot hold are in hex beside it, so that no two names look the same. */
static int put_bytes(struct buffer *xml, const char *name, struct span bytes)
{
	char hex[3];
	int r = buffer_printf(xml, "<%s>", name);
	if (r == 0)
		r = xml_text(xml, bytes);
	if (r == 0)
		r = buffer_printf(xml, "</%s>\n", name);
	if (r < 0 || xml_can_hold(bytes))
		return r;
	r = buffer_printf(xml, "<!-- %s in hex: ", name);
	for (size_t i = 0; r == 0 && i < bytes.size; i++)
		r = buffer_append(xml, hex_encode(bytes.data + i, 1, hex), 2);
	return r < 0 ? r : buffer_printf(xml, " -->\n");
}

static int put_time(struct buffer *xml, const char *name, struct statx_timestamp t)
{
	char text[EXAMINATION_TIME];
	const struct timespec spec = {.tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec};
	return xml_element(xml, name, examination_time(spec, text));
}

static int put_times(struct buffer *xml, const struct dfxml_file *file)
{
	const struct statx *s = file->state;
	const struct statx_timestamp dtime = {.tv_sec = file->dtime};
	int r = put_time(xml, "mtime", s->stx_mtime);
	if (r == 0)
		r = put_time(xml, "ctime", s->stx_ctime);
	if (r == 0)
		r = put_time(xml, "atime", s->stx_atime);
	if (r == 0 && (s->stx_mask & STATX_BTIME))
		r = put_time(xml, "crtime", s->stx_btime);
	if (r == 0 && file->dtime)
		r = put_time(xml, "dtime", dtime);
	return r;
}

int dfxml_file(struct buffer *xml, const struct dfxml_file *file)
{
	const struct statx *s = file->state;
	const struct kind *kind = kind_of(s->stx_mode);
	int r = buffer_printf(xml, "<fileobject>\n");
	if (r == 0)
		r = put_bytes(xml, "filename", file->path);
	if (r == 0)
		r = buffer_printf(xml,
			"<name_type>%c</name_type>\n<filesize>%ju</filesize>\n"
			"<alloc>%d</alloc>\n<inode>%ju</inode>\n"
			"<meta_type>%u</meta_type>\n<mode>%u</mode>\n"
			"<nlink>%u</nlink>\n<uid>%u</uid>\n<gid>%u</gid>\n",
			kind->letter, (uintmax_t)s->stx_size, !file->is_deleted,
			(uintmax_t)s->stx_ino, kind->number, s->stx_mode & 07777u,
			s->stx_nlink, s->stx_uid, s->stx_gid);
	if (r == 0)
		r = put_times(xml, file);
	if (r == 0 && file->target)
		r = put_bytes(
			xml, "link_target", span_of(file->target, strlen(file->target)));
	if (r == 0 && file->sha256)
		r = put_digest(xml, "sha256", file->sha256, 32);
	return r < 0 ? r : buffer_printf(xml, "</fileobject>\n");
}

/* ---- the document --------------------------------------------------------------------
 */

static int put_environment(struct buffer *xml, const struct examination *e)
{
	char start[EXAMINATION_TIME];
	BUFFER line = {0};
	int r = buffer_printf(&line, "cairn");
	for (size_t i = 0; r == 0 && e->invocation && e->invocation[i]; i++)
		r = buffer_printf(&line, " %s", e->invocation[i]);
	const char *const fields[][2] = {{"os_sysname", e->kernel.sysname},
		{"os_release", e->kernel.release}, {"os_version", e->kernel.version},
		{"host", e->kernel.nodename}, {"arch", e->kernel.machine},
		{"command_line", buffer_text(&line)},
		{"start_time", examination_time(e->start, start)}};
	if (r == 0)
		r = buffer_printf(xml, "<execution_environment>\n");
	for (size_t i = 0; r == 0 && i < sizeof fields / sizeof fields[0]; i++)
		r = xml_element(xml, fields[i][0], fields[i][1]);
	return r < 0 ? r
		     : buffer_printf(
			       xml, "<uid>%u</uid>\n</execution_environment>\n", e->uid);
}

static int put_creator(struct buffer *xml, const struct examination *e)
{
	int r = buffer_printf(xml, "<creator version=\"1.0\">\n<program>cairn</program>\n"
				   "<version>" CAIRN_VERSION "</version>\n");
	if (r == 0)
		r = put_environment(xml, e);
	return r < 0 ? r : buffer_printf(xml, "</creator>\n");
}

/* The image is a file, too: the schema has no other place for its size and digests. */
static int put_image(struct buffer *xml, const struct examined_file *f)
{
	const struct file_digests *d = &f->first;
	int r = buffer_printf(xml, "<fileobject>\n");
	if (r == 0)
		r = put_bytes(xml, "filename", span_of(f->path, strlen(f->path)));
	if (r == 0)
		r = buffer_printf(xml,
			"<name_type>r</name_type>\n<filesize>%ju</filesize>\n",
			(uintmax_t)f->before.size);
	if (r == 0 && d->done)
		r = put_digest(xml, "sha256", d->sha256, sizeof d->sha256);
	if (r == 0 && d->done && d->interop)
		r = put_digest(xml, "sha1", d->sha1, sizeof d->sha1);
	if (r == 0 && d->done && d->interop)
		r = put_digest(xml, "md5", d->md5, sizeof d->md5);
	return r < 0 ? r : buffer_printf(xml, "</fileobject>\n");
}

static int put_name(struct buffer *xml, const struct examined_file *f)
{
	return put_bytes(xml, "image_filename", span_of(f->path, strlen(f->path)));
}

int dfxml_head(struct buffer *xml, const struct examination *e)
{
	const struct examined_file *image = &e->files[0];
	int r = buffer_printf(xml,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<dfxml xmlns=\"http://www.forensicswiki.org/wiki/"
		"Category:Digital_Forensics_XML\"\n"
		"  xmlns:dc=\"http://purl.org/dc/elements/1.1/\" version=\"1.1.0\">\n");
	if (r == 0)
		r = buffer_printf(
			xml, "<metadata><dc:type>Disk Image</dc:type></metadata>\n");
	if (r == 0)
		r = put_creator(xml, e);
	if (r == 0)
		r = buffer_printf(xml, "<source>\n");
	/* Of an image in segments the first has its name. */
	for (size_t i = 0; i < EXAMINED_FILES && r == 0; i++)
		if (e->files[i].path)
			r = put_name(xml, &e->files[i]);
	for (size_t i = 1; i < e->n_segments && r == 0; i++)
		if (e->segments[i].path)
			r = put_name(xml, &e->segments[i]);
	if (r == 0)
		r = buffer_printf(xml, "</source>\n");
	if (r < 0 || !e->mount_options)
		return r;
	r = buffer_printf(xml, "<volume offset=\"%ju\">\n", (uintmax_t)image->offset);
	if (r == 0 && image->offset)
		r = buffer_printf(xml, "<partition_offset>%ju</partition_offset>\n",
			(uintmax_t)image->offset);
	if (r == 0)
		r = buffer_printf(xml, "<sector_size>512</sector_size>\n");
	if (r == 0)
		r = xml_element(xml, "ftype_str", e->file_system);
	return r < 0 ? r
		     : buffer_printf(xml, "<allocated_only>%d</allocated_only>\n",
			       !e->lists_deleted);
}

int dfxml_tail(struct buffer *xml, const struct examination *e)
{
	int r = buffer_printf(xml, "%s", e->mount_options ? "</volume>\n" : "");
	for (size_t i = 0; i < EXAMINED_FILES && r == 0; i++)
		if (e->files[i].path)
			r = put_image(xml, &e->files[i]);
	return r < 0 ? r : buffer_printf(xml, "</dfxml>\n");
}
