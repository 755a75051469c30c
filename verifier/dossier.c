/* SPDX-License-Identifier: MIT */
#include "verifier/dossier.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/hex.h"
#include "core/path.h"
#include "verifier/dfxml.h"

static const char *const names[DOSSIER_PARTS] = {"report.json", "report.txt",
	"report.dfxml", DOSSIER_EVENTS, "report.html", DOSSIER_MANIFEST,
	DOSSIER_SIGNATURE};

static int open_part(struct dossier *d, const char *directory, size_t part)
{
	BUFFER path = {0};
	struct stat st;
	int r = buffer_printf(&path, "%s/%s", directory, names[part]);
	if (r == 0 && lstat(buffer_text(&path), &st) == 0)
		return error_set(STATUS_USAGE, EEXIST, "%s: there is a report already",
			buffer_text(&path));
	bool unwanted = (part == DOSSIER_SIGNED && !d->signer) ||
			(part == DOSSIER_PAGE && !d->with_page);
	return r < 0 || unwanted
		       ? r
		       : output_open(&d->outputs[part], buffer_text(&path), 0666, false);
}

/* Last of all, so that nobody finds a log of what could not begin. */
static int open_unfinished(struct dossier *d, const char *path)
{
	d->directory = path_open_dir(path);
	if (d->directory < 0)
		return d->directory;
	int fd = openat(d->directory, DOSSIER_UNFINISHED,
		O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		return error_set(STATUS_USAGE, EEXIST,
			"%s/" DOSSIER_UNFINISHED ": an examination that was killed, or "
			"still runs, has its log there",
			path);
	if (fd < 0)
		return error_errno("%s/" DOSSIER_UNFINISHED ": cannot create", path);
	d->unfinished = fd;
	return 0;
}

int dossier_open(struct dossier *d, const char *path, bool list_files)
{
	BUFFER inside = {0};
	int r = path_make_dirs(path, 0777);
	d->to_directory = true;
	if (r == 0 && d->signer)
		r = dossier_check_signer(&d->signer->certificate);
	for (size_t i = 0; i < DOSSIER_PARTS && r == 0; i++)
		r = open_part(d, path, i);
	if (r == 0 && list_files)
		r = buffer_printf(&inside, "%s/%s", path, names[DOSSIER_DFXML]);
	if (r == 0 && list_files)
		r = file_scratch(&d->files, buffer_text(&inside));
	return r < 0 ? r : open_unfinished(d, path);
}

static int make_log(struct dossier *d, const struct event_log *log)
{
	return log->incomplete ? error_memory()
			       : buffer_append(&d->texts[DOSSIER_LOG], log->text.data,
					 log->text.size);
}

static int make_json(struct dossier *d, const struct examination *e)
{
	json_object *document = json_object_new_object();
	json_add_text(document, "tool", "cairn " CAIRN_VERSION);
	examination_json(e, document);
	int r = json_save(document, &d->texts[DOSSIER_JSON]);
	json_object_put(document);
	return r;
}

/* The list lies in a file, as there may be more of it than memory holds. */
static int write_dfxml(struct dossier *d, const struct examination *e)
{
	const struct file *to = &d->outputs[DOSSIER_DFXML].file;
	BUFFER head = {0}, tail = {0};
	struct stat st = {0};
	int r = dfxml_head(&head, e);
	if (r == 0)
		r = dfxml_tail(&tail, e);
	if (r == 0 && d->files.fd >= 0 && fstat(d->files.fd, &st) < 0)
		r = error_errno("%s: cannot get the size", d->files.name);
	uint64_t size = e->mount_options ? (uint64_t)st.st_size : 0;
	if (r == 0)
		r = file_write(to, head.data, head.size, 0);
	if (r == 0 && size)
		r = file_copy(&d->files, 0, to, head.size, size, false);
	return r < 0 ? r : file_write(to, tail.data, tail.size, head.size + size);
}

/* Of the files as they are about to be put in place, and signs that. */
static int seal(struct dossier *d)
{
	struct buffer *sums = &d->texts[DOSSIER_SUMS];
	int r = 0;
	for (size_t i = 0; i < DOSSIER_SUMS && r == 0; i++) {
		uint8_t digest[32];
		char hex[65];
		struct stat st;
		const struct file *f = &d->outputs[i].file;
		if (f->fd < 0)
			continue;
		if (fstat(f->fd, &st) < 0)
			return error_errno("%s: cannot get the size", names[i]);
		r = hash_file(HASH_SHA256, f, 0, (uint64_t)st.st_size, digest);
		if (r == 0)
			r = buffer_printf(sums, "%s  %s\n",
				hex_encode(digest, sizeof digest, hex), names[i]);
	}
	return r < 0 || !d->signer ? r
				   : dossier_sign(d->signer, buffer_span(sums),
					     &d->texts[DOSSIER_SIGNED]);
}

static int write_parts(struct dossier *d, size_t first, size_t end)
{
	int r = 0;
	for (size_t i = first; i < end && r == 0; i++)
		if (d->texts[i].size)
			r = file_write(&d->outputs[i].file, d->texts[i].data,
				d->texts[i].size, 0);
	return r;
}

int dossier_write(struct dossier *d, const struct examination *e)
{
	int r = make_json(d, e);
	if (r == 0)
		r = examination_text(e, &d->texts[DOSSIER_TEXT]);
	if (r == 0)
		r = make_log(d, &e->log);
	if (r == 0 && d->with_page)
		r = examination_page(e, &d->texts[DOSSIER_PAGE]);
	if (r < 0 || !d->to_directory)
		return r;
	r = write_dfxml(d, e);
	if (r == 0)
		r = write_parts(d, 0, DOSSIER_SUMS);
	if (r == 0)
		r = seal(d);
	if (r == 0)
		r = write_parts(d, DOSSIER_SUMS, DOSSIER_PARTS);
	return r < 0 ? r : output_commit_all(d->outputs, DOSSIER_PARTS);
}

void dossier_close(struct dossier *d)
{
	for (size_t i = 0; i < DOSSIER_PARTS; i++) {
		output_close(&d->outputs[i]);
		buffer_free(&d->texts[i]);
	}
	file_close(&d->files);
	if (d->unfinished) {
		unlinkat(d->directory, DOSSIER_UNFINISHED, 0);
		close(d->unfinished);
	}
	if (d->directory >= 0)
		close(d->directory);
	d->unfinished = 0;
	d->directory = -1;
}
