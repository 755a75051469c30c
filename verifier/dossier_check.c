/* SPDX-License-Identifier: MIT */
#include "verifier/dossier_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/hex.h"
#include "core/openssl.h"
#include "core/path.h"
#include "core/pkcs7.h"
#include "verifier/dossier_seal.h"

#define MANIFEST_MAX  65536
#define SIGNATURE_MAX 65536
#define NAME_MAX_SIZE 64 /* of a file in the manifest */
#define REPORT_JSON   "report.json"
#define JSON_MAX      ((size_t)64 << 20)
#define LOG_MAX       ((size_t)64 << 20)

/* ---- the directory ---------------------------------------------------------------- */

/* Names of ours only: nothing that leads out of the directory. */
static bool is_name(const char *name, size_t size)
{
	return size < NAME_MAX_SIZE && size > 7 && memcmp(name, "report.", 7) == 0 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz.0123456789") == size;
}

void dossier_files_close(struct dossier_files *f)
{
	for (size_t i = 0; i < f->n_items; i++) {
		free(f->items[i].name);
		file_close(&f->items[i].file);
	}
	for (size_t i = 0; i < f->n_strangers; i++)
		free(f->strangers[i]);
	*f = (struct dossier_files){0};
}

static int take_entry(struct dossier_files *f, int dirfd, const char *name)
{
	bool ours = is_name(name, strlen(name)) && f->n_items < DOSSIER_FILES_MAX;
	if (!ours && f->n_strangers == DOSSIER_STRANGERS_MAX) {
		f->n_more++;
		return 0;
	}
	char *copy = strdup(name);
	if (!copy)
		return error_memory();
	if (!ours) {
		f->strangers[f->n_strangers++] = copy;
		return 0;
	}
	struct dossier_file *item = &f->items[f->n_items++];
	*item = (struct dossier_file){.name = copy, .file = FILE_CLOSED};
	item->failed = file_open_at(&item->file, dirfd, name) < 0;
	if (item->failed)
		error_take(&item->why);
	return 0;
}

int dossier_files_open(struct dossier_files *f, const char *path)
{
	const struct dirent *entry;
	int fd = path_open_dir(path), r = 0;
	if (fd < 0)
		return fd;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir)
		r = error_errno("%s: cannot be listed", path);
	while (r == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = take_entry(f, fd, entry->d_name);
	if (dir)
		closedir(dir);
	else if (copy >= 0)
		close(copy);
	close(fd);
	return r;
}

/* ---- the manifest ----------------------------------------------------------------- */

struct line {
	uint8_t digest[32];
	char name[NAME_MAX_SIZE];
};

struct check {
	struct dossier_files *files;
	struct report *report;
	struct line lines[DOSSIER_FILES_MAX];
	size_t n_lines;
};

static const struct line *find_line(const struct check *c, const char *name)
{
	for (size_t i = 0; i < c->n_lines; i++)
		if (strcmp(c->lines[i].name, name) == 0)
			return &c->lines[i];
	return NULL;
}

/* NULL: there is no such file. */
static struct dossier_file *find_file(const struct check *c, const char *name)
{
	for (size_t i = 0; i < c->files->n_items; i++)
		if (strcmp(c->files->items[i].name, name) == 0)
			return &c->files->items[i];
	return NULL;
}

static int usable(const struct dossier_file *f, const char *name)
{
	if (!f)
		return error_set(STATUS_FAILED, ENOENT, "%s: is not there", name);
	if (!f->failed)
		return 0;
	error_put(&f->why);
	return -EIO;
}

static int slurp(const struct check *c, const char *name, size_t limit, struct buffer *b)
{
	const struct dossier_file *f = find_file(c, name);
	int r = usable(f, name);
	if (r == 0 && f->file.size > limit)
		return error_set(STATUS_UNCHECKED, EFBIG, "%s: larger than %zu bytes",
			name, limit);
	if (r == 0)
		r = buffer_append_zeros(b, (size_t)f->file.size);
	return r < 0 ? r : file_read(&f->file, b->data, b->size, 0);
}

/* "HEX  NAME" */
static bool parse_line(
	const struct check *c, const char *text, size_t size, struct line *line)
{
	char hex[65];
	if (size < 66 || memcmp(text + 64, "  ", 2) != 0 ||
		!is_name(text + 66, size - 66) || find_line(c, text + 66))
		return false;
	memcpy(hex, text, 64);
	hex[64] = 0;
	memcpy(line->name, text + 66, size - 66 + 1);
	return hex_decode(hex, line->digest, sizeof line->digest) == 0;
}

/* Puts NULs into MANIFEST. */
static int parse_manifest(struct check *c, struct buffer *manifest)
{
	char *at = (char *)manifest->data, *end;
	if (!at || strlen(at) != manifest->size)
		return error_format(DOSSIER_MANIFEST ": empty, or not text");
	for (; *at; at = end + 1) {
		end = strchr(at, '\n');
		if (end)
			*end = 0;
		if (!end || c->n_lines == DOSSIER_FILES_MAX ||
			!parse_line(c, at, (size_t)(end - at), &c->lines[c->n_lines]))
			return error_format(DOSSIER_MANIFEST ": line %zu is malformed",
				c->n_lines + 1);
		c->n_lines++;
	}
	if (!find_line(c, REPORT_JSON) || !find_line(c, DOSSIER_EVENTS))
		return error_format(DOSSIER_MANIFEST ": does not name " REPORT_JSON
						     " and " DOSSIER_EVENTS);
	return 0;
}

static void check_file(struct check *c, const struct line *line)
{
	uint8_t digest[32];
	const struct place place = {.area = line->name};
	const struct dossier_file *f = find_file(c, line->name);
	if (!f) {
		report_fault(c->report, STATUS_CONTENT, "report", &place,
			"is in the manifest and not in the directory");
		return;
	}
	int r = usable(f, line->name);
	if (r == 0)
		r = hash_file(HASH_SHA256, &f->file, 0, f->file.size, digest);
	if (r < 0)
		report_error(c->report, "report", &place, line->name);
	else if (memcmp(digest, line->digest, sizeof digest) != 0)
		report_fault(c->report, STATUS_CONTENT, "report", &place,
			"is not what it was when the report was written");
	else
		report_good(c->report, "report", &place,
			"has the SHA-256 that the manifest says");
}

/* ---- the log ---------------------------------------------------------------------- */

/* What report.json says of the log. */
static int read_head(const struct check *c, struct event_log_head *head)
{
	BUFFER text = {0};
	json_object *report = NULL, *log = NULL, *lines = NULL, *hash = NULL;
	int r = slurp(c, REPORT_JSON, JSON_MAX, &text);
	if (r == 0)
		r = json_parse(buffer_span(&text), REPORT_JSON, JSON_MAX, &report);
	if (r < 0)
		return r;
	bool found = json_object_object_get_ex(report, "log", &log) &&
		     json_object_object_get_ex(log, "lines", &lines) &&
		     json_object_object_get_ex(log, "sha256", &hash) &&
		     json_object_is_type(lines, json_type_int) &&
		     json_object_is_type(hash, json_type_string);
	head->n_lines = found ? json_object_get_uint64(lines) : 0;
	if (!found || hex_decode(json_object_get_string(hash), head->sha256,
			      sizeof head->sha256) < 0)
		r = error_format(REPORT_JSON ": does not say what the log was");
	json_object_put(report);
	return r;
}

static void check_log(struct check *c)
{
	BUFFER text = {0};
	struct event_log_head head;
	uint64_t set_back = 0;
	const struct place place = {.area = DOSSIER_EVENTS};
	if (!find_file(c, DOSSIER_EVENTS) || !find_file(c, REPORT_JSON))
		return; /* they are in the manifest, so this was told */
	int r = read_head(c, &head);
	if (r == 0)
		r = slurp(c, DOSSIER_EVENTS, LOG_MAX, &text);
	if (r == 0)
		r = event_log_check(buffer_span(&text), DOSSIER_EVENTS, &head, &set_back);
	if (set_back)
		report_note(c->report, "log", &place,
			"line %ju is older than the one before: the clock was set back",
			(uintmax_t)set_back);
	if (r < 0)
		report_error(c->report, "log", &place, DOSSIER_EVENTS);
	else
		report_good(c->report, "log", &place,
			"%ju lines, each chained to the one before, and the last is the "
			"one that " REPORT_JSON " names",
			(uintmax_t)head.n_lines);
}

/* ---- the signature ---------------------------------------------------------------- */

static int verify_signature(struct check *c, struct span manifest,
	const struct certificates *pins, const struct certificate **by)
{
	BUFFER der = {0};
	AUTO(pkcs7, PKCS7) *p7 = NULL;
	if (!find_file(c, DOSSIER_SIGNATURE))
		return error_set(STATUS_TRUST, EKEYREJECTED, "is not signed");
	int r = slurp(c, DOSSIER_SIGNATURE, SIGNATURE_MAX, &der);
	if (r == 0)
		r = pkcs7_parse(buffer_span(&der), DOSSIER_SIGNATURE, &p7);
	if (r == 0 && (!PKCS7_type_is_data(p7->d.sign->contents) ||
			      !PKCS7_get_detached(p7) || pkcs7_signer(p7)->auth_attr))
		return error_format(
			DOSSIER_SIGNATURE ": not a detached signature of data without "
					  "signed attributes");
	if (r == 0)
		r = pkcs7_verify(p7, manifest, DOSSIER_SIGNATURE, pins, PURPOSE_ROOT, by);
	return r < 0 ? r : dossier_check_signer(*by);
}

static void check_signature(struct check *c, struct span manifest,
	const struct certificates *pins, bool no_signature)
{
	const struct certificate *by = NULL;
	const struct place place = {.area = DOSSIER_MANIFEST};
	if (no_signature)
		report_note(c->report, "signature", &place,
			"who wrote it was not asked: anybody could have");
	else if (!pins)
		report_fault(c->report, STATUS_UNCHECKED, "signature", &place,
			"there is no certificate to check the signature against");
	else if (verify_signature(c, manifest, pins, &by) < 0)
		report_error(c->report, "signature", &place, DOSSIER_SIGNATURE);
	else
		report_good(c->report, "signature", &place, "is signed by %s (%.16s...)",
			by->name, by->fingerprint);
}

/* ---- the whole -------------------------------------------------------------------- */

static void name_stranger(struct check *c, const char *name)
{
	const struct place place = {.area = name};
	report_uncovered(c->report, "report", &place,
		"is not in the manifest: no part of the report");
}

/* Files that were laid beside the report are no part of it. */
static void name_strangers(struct check *c)
{
	const struct dossier_files *f = c->files;
	for (size_t i = 0; i < f->n_items; i++)
		if (!find_line(c, f->items[i].name) &&
			strcmp(f->items[i].name, DOSSIER_MANIFEST) != 0 &&
			strcmp(f->items[i].name, DOSSIER_SIGNATURE) != 0)
			name_stranger(c, f->items[i].name);
	for (size_t i = 0; i < f->n_strangers; i++)
		name_stranger(c, f->strangers[i]);
	const struct place place = {.area = "directory"};
	if (f->n_more)
		report_uncovered(c->report, "report", &place,
			"%ju more files are not in the manifest", (uintmax_t)f->n_more);
}

int dossier_verify(struct dossier_files *f, const struct certificates *pins,
	bool no_signature, struct report *report)
{
	struct check c = {.files = f, .report = report};
	BUFFER manifest = {0};
	BUFFER parsed = {0};
	const struct place place = {.area = DOSSIER_MANIFEST};
	int r = slurp(&c, DOSSIER_MANIFEST, MANIFEST_MAX, &manifest);
	if (r == 0)
		r = buffer_append(&parsed, manifest.data, manifest.size);
	if (r == 0)
		r = parse_manifest(&c, &parsed);
	if (r < 0) {
		report_error(report, "report", &place, DOSSIER_MANIFEST);
		return 0;
	}
	for (size_t i = 0; i < c.n_lines; i++)
		check_file(&c, &c.lines[i]);
	check_log(&c);
	check_signature(&c, buffer_span(&manifest), pins, no_signature);
	name_strangers(&c);
	return 0;
}
