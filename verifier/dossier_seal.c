/* SPDX-License-Identifier: MIT */
#include "verifier/dossier_seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/hex.h"
#include "core/openssl.h"
#include "core/path.h"
#include "core/pkcs7.h"

#define MANIFEST_MAX  65536
#define SIGNATURE_MAX 65536
#define NAME_MAX_SIZE 64 /* of a file in the manifest */
#define FILES_LIMIT   16

int dossier_check_signer(const struct certificate *c)
{
	int r = 0;
	for (int purpose = 0; r == 0 && purpose < N_PURPOSES; purpose++)
		r = certificate_check_purpose(c, (enum purpose)purpose);
	return r < 0 ? error_set(STATUS_TRUST, EKEYREJECTED,
			       "%s: a certificate for images, not for reports", c->name)
		     : 0;
}

int dossier_sign(const struct signer *signer, struct span manifest, struct buffer *der)
{
	BUFFER raw = {0};
	int r = dossier_check_signer(&signer->certificate);
	if (r == 0)
		r = signer_sign(signer, manifest, &raw);
	if (r < 0)
		return r;
	AUTO(pkcs7, PKCS7) *p7 = pkcs7_new(&signer->certificate, buffer_span(&raw));
	if (!p7)
		return -ENOMEM;
	if (!PKCS7_content_new(p7, NID_pkcs7_data) || !PKCS7_set_detached(p7, 1))
		return openssl_error(STATUS_FAILED, "cannot make PKCS#7");
	return DER_APPEND(der, i2d_PKCS7, p7);
}

bool dossier_is(const char *dir)
{
	static const char *const names[] = {
		DOSSIER_MANIFEST, DOSSIER_SIGNATURE, "report.json"};
	struct stat st;
	bool found = false;
	int fd = path_open_dir(dir);
	for (size_t i = 0; fd >= 0 && !found && i < sizeof names / sizeof names[0]; i++)
		found = fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (fd >= 0)
		close(fd);
	error_clear();
	return found;
}

/* ---- verification --------------------------------------------------------------------
 */

struct line {
	uint8_t digest[32];
	char name[NAME_MAX_SIZE];
};

struct check {
	int dirfd;
	struct report *report;
	struct buffer manifest;
	struct line lines[FILES_LIMIT];
	size_t n_lines;
};

static const struct line *find_line(const struct check *c, const char *name)
{
	for (size_t i = 0; i < c->n_lines; i++)
		if (strcmp(c->lines[i].name, name) == 0)
			return &c->lines[i];
	return NULL;
}

/* Names of ours only: nothing that leads out of the directory. */
static bool is_name(const char *name, size_t size)
{
	return size < NAME_MAX_SIZE && size > 7 && memcmp(name, "report.", 7) == 0 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz.0123456789") == size;
}

/* "HEX  NAME" per line, nothing else. */
static int parse_manifest(struct check *c)
{
	char *at = (char *)c->manifest.data, *end;
	if (!at || strlen(at) != c->manifest.size)
		return error_format(DOSSIER_MANIFEST ": empty, or not text");
	for (; *at; at = end + 1) {
		char hex[65];
		struct line *line = &c->lines[c->n_lines];
		end = strchr(at, '\n');
		size_t size = end ? (size_t)(end - at) : 0;
		if (end)
			*end = 0;
		if (c->n_lines == FILES_LIMIT || size < 66 ||
			!is_name(at + 66, size - 66) || find_line(c, at + 66))
			return error_format(DOSSIER_MANIFEST ": line %zu is malformed",
				c->n_lines + 1);
		memcpy(hex, at, 64);
		hex[64] = 0;
		if (memcmp(at + 64, "  ", 2) != 0 ||
			hex_decode(hex, line->digest, sizeof line->digest) < 0)
			return error_format(DOSSIER_MANIFEST ": line %zu is malformed",
				c->n_lines + 1);
		memcpy(line->name, at + 66, size - 66 + 1);
		c->n_lines++;
	}
	return find_line(c, "report.json")
		       ? 0
		       : error_format(DOSSIER_MANIFEST ": does not name report.json");
}

static int slurp(struct check *c, const char *name, size_t limit, struct buffer *b)
{
	AUTO_FILE f = FILE_CLOSED;
	int r = file_open_at(&f, c->dirfd, name);
	if (r == 0 && f.size > limit)
		return error_format("%s: larger than %zu bytes", name, limit);
	if (r == 0)
		r = buffer_append_zeros(b, (size_t)f.size);
	return r < 0 ? r : file_read(&f, b->data, b->size, 0);
}

static void check_file(struct check *c, const struct line *line)
{
	uint8_t digest[32];
	struct stat st;
	AUTO_FILE f = FILE_CLOSED;
	const struct place place = {.area = line->name};
	if (fstatat(c->dirfd, line->name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
		errno == ENOENT) {
		report_fault(c->report, STATUS_CONTENT, "report", &place,
			"is in the manifest and not in the directory");
		return;
	}
	int r = file_open_at(&f, c->dirfd, line->name);
	if (r == 0)
		r = hash_file(HASH_SHA256, &f, 0, f.size, digest);
	if (r < 0)
		report_error(c->report, "report", &place, line->name);
	else if (memcmp(digest, line->digest, sizeof digest) != 0)
		report_fault(c->report, STATUS_CONTENT, "report", &place,
			"is not what it was when the report was written");
	else
		report_good(c->report, "report", &place,
			"has the SHA-256 that the manifest says");
}

/* The manifest as it was read: parsing puts NULs into it. */
static int verify_signature(struct check *c, struct span manifest,
	const struct certificates *pins, const struct certificate **by)
{
	BUFFER der = {0};
	AUTO(pkcs7, PKCS7) *p7 = NULL;
	struct stat st;
	if (fstatat(c->dirfd, DOSSIER_SIGNATURE, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
		errno == ENOENT)
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

/* Files that were laid beside the report are no part of it. */
static int name_strangers(struct check *c)
{
	int copy = fcntl(c->dirfd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	if (!dir)
		return error_errno("cannot list the report's directory");
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;
		const struct place place = {.area = name};
		if (strcmp(name, ".") && strcmp(name, "..") && !find_line(c, name) &&
			strcmp(name, DOSSIER_MANIFEST) && strcmp(name, DOSSIER_SIGNATURE))
			report_uncovered(c->report, "report", &place,
				"is not in the manifest: no part of the report");
	}
	closedir(dir);
	return 0;
}

int dossier_verify(const char *path, const struct certificates *pins, bool no_signature,
	struct report *report)
{
	struct check c = {.report = report};
	BUFFER manifest = {0};
	const struct place place = {.area = DOSSIER_MANIFEST};
	c.dirfd = path_open_dir(path);
	if (c.dirfd < 0)
		return c.dirfd;
	int r = slurp(&c, DOSSIER_MANIFEST, MANIFEST_MAX, &c.manifest);
	if (r == 0)
		r = buffer_append(&manifest, c.manifest.data, c.manifest.size);
	if (r == 0)
		r = parse_manifest(&c);
	if (r < 0) {
		report_error(report, "report", &place, DOSSIER_MANIFEST);
		r = 0;
	} else {
		for (size_t i = 0; i < c.n_lines; i++)
			check_file(&c, &c.lines[i]);
		check_signature(&c, buffer_span(&manifest), pins, no_signature);
		r = name_strangers(&c);
	}
	close(c.dirfd);
	buffer_free(&c.manifest);
	return r;
}
