/* SPDX-License-Identifier: MIT */
#include "verifier/age.h"

#include <errno.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/erofs_image.h"
#include "initrd/compose/anchors.h"
#include "initrd/compose/revoked.h"
#include "verifier/probe.h"

#define RELEASE_MAX 65536

/* What the list compares: the fingerprint, and issuer and serial number in DER. */
static bool is_revoked(struct span list, const struct certificate *by)
{
	struct pin pin = {0};
	const uint8_t *issuer;
	uint8_t *serial = NULL;
	size_t n_issuer = 0;
	X509_NAME_get0_der(X509_get_issuer_name(by->x509), &issuer, &n_issuer);
	int n = i2d_ASN1_INTEGER(X509_get_serialNumber(by->x509), &serial);
	/* One that has no encoding is none that the list can name, nor one to be let by.
	 */
	bool revoked = n < 2 || n_issuer == 0;
	if (!revoked) {
		pin.issuer = span_of(issuer, n_issuer);
		pin.serial = span_of(serial + 2, (size_t)n - 2);
		memcpy(pin.fingerprint, by->fingerprint, sizeof pin.fingerprint);
		revoked = revoked_pin(list, &pin);
	}
	OPENSSL_free(serial);
	return revoked;
}

void age_check_revoked(const struct verify_options *o, const struct certificate *by,
	const char *root_hash, const char *check, const struct place *place,
	struct report *report)
{
	if (!o->revoked.size)
		return;
	bool signer = by && is_revoked(o->revoked, by);
	bool content = root_hash && revoked_root_hash(o->revoked, root_hash);
	if (signer)
		report_fault(report, STATUS_TRUST, check, place,
			"signed by a revoked certificate, %s", by->name);
	if (content)
		report_fault(
			report, STATUS_TRUST, check, place, "its root hash is revoked");
	if (!signer && !content)
		report_good(report, check, place, "not revoked");
}

void age_check_epoch(const struct verify_options *o, unsigned epoch,
	const struct place *place, struct report *report)
{
	if (!o->has_floor)
		report_note(report, "rollback", place,
			"epoch %u; rollback: unprotected, as no floor was given", epoch);
	else if (epoch < o->epoch_floor)
		report_fault(report, STATUS_TRUST, "rollback", place,
			"its epoch %u is below the floor %u", epoch, o->epoch_floor);
	else
		report_good(report, "rollback", place,
			"its epoch %u is not below the floor %u", epoch, o->epoch_floor);
}

/* ---- the file inside ----------------------------------------------------------------
 */

/* Follows PATH, plain names with slashes between, from NID. Returns 1 with its *NID. */
static int walk(const struct erofs *e, const char *path, uint64_t *nid)
{
	int r = 1;
	while (r == 1 && *path) {
		struct erofs_inode dir;
		size_t size = strcspn(path, "/");
		r = erofs_inode(e, *nid, &dir);
		if (r == 0)
			r = S_ISDIR(dir.mode)
				    ? erofs_find(e, &dir, span_of(path, size), nid)
				    : 0;
		path += size + (path[size] == '/');
	}
	return r;
}

static int take_release(void *context, struct span name, uint64_t nid)
{
	static const char prefix[] = "extension-release.";
	if (name.size <= sizeof prefix - 1 ||
		memcmp(name.data, prefix, sizeof prefix - 1))
		return 0;
	*(uint64_t *)context = nid;
	return 1;
}

/* Finds the file that states the epoch of an image for PURPOSE: 1 with its *NID. */
static int find_release(
	const struct erofs *e, enum purpose purpose, bool usr, uint64_t *nid)
{
	struct erofs_inode dir;
	*nid = e->root;
	if (purpose == PURPOSE_ROOT)
		return walk(e, usr ? "lib/os-release" : "usr/lib/os-release", nid);
	int r = walk(e,
		purpose == PURPOSE_CONFEXT ? "etc/extension-release.d"
					   : "usr/lib/extension-release.d",
		nid);
	if (r != 1)
		return r;
	r = erofs_inode(e, *nid, &dir);
	return r < 0 ? r : S_ISDIR(dir.mode) ? erofs_list(e, &dir, take_release, nid) : 0;
}

static int read_release(const struct erofs *e, uint64_t nid, struct buffer *text)
{
	struct erofs_inode file;
	int r = erofs_inode(e, nid, &file);
	if (r == 0 && (!S_ISREG(file.mode) || file.size > RELEASE_MAX))
		r = error_format("not a regular file of at most %d bytes", RELEASE_MAX);
	if (r == 0)
		r = buffer_append_zeros(text, (size_t)file.size);
	return r < 0 ? r : erofs_read(e, &file, text->data, text->size, 0);
}

/* Returns 0 with the epoch, 1 if there is no file that states one. */
static int read_epoch(
	const struct payload *p, enum purpose purpose, bool usr, unsigned *epoch)
{
	struct erofs e;
	struct probe probe;
	BUFFER text = {0};
	uint64_t nid;
	int r = probe_file_system(p->disk->file, p->data.offset, p->data.size, &probe);
	if (r == 0 && probe.kind != PROBE_EROFS)
		return error_set(STATUS_UNCHECKED, EOPNOTSUPP, "%s is not looked into",
			probe_name(probe.kind));
	if (r == 0)
		r = erofs_open(&e, p->disk->file, p->data.offset, p->data.size);
	if (r == 0)
		r = find_release(&e, purpose, usr, &nid);
	if (r <= 0)
		return r < 0 ? r : 1;
	r = read_release(&e, nid, &text);
	return r < 0 ? r : anchors_epoch(buffer_span(&text), "release file", epoch);
}

void age_check_payload(
	const struct payload *p, const struct verify_options *o, struct report *report)
{
	unsigned epoch = 0;
	if (!p->set->data)
		return;
	int r = read_epoch(p, o->purpose, p->set->role == DPS_USR, &epoch);
	if (r >= 0)
		age_check_epoch(o, epoch, &p->data, report);
	else if (o->has_floor)
		report_fault(report, STATUS_UNCHECKED, "rollback", &p->data,
			"its epoch could not be read: %s", error_text());
	else
		report_note(report, "rollback", &p->data,
			"rollback: unprotected; its epoch was not read: %s",
			error_text());
}
