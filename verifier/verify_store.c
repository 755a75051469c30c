/* SPDX-License-Identifier: MIT */
#include "verifier/verify_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "blobfs/names.h"
#include "core/descriptor.h"
#include "core/fsverity.h"
#include "core/hex.h"
#include "core/progress.h"
#include "core/workers.h"
#include "verifier/probe.h"
#include "verifier/verify_other.h"

bool verify_is_store(const char *path)
{
	BUFFER below = {0};
	struct stat st;
	return buffer_printf(&below, "%s/objects", path) == 0 &&
	       stat(buffer_text(&below), &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- who opens --------------------------------------------------------------------- */

/* Goes with the open file, or tells why there is none. */
struct message {
	size_t number; /* of the blob, or of the ref */
	char why[300]; /* "": there is one */
};

/* Returns false when nobody listens. */
static bool send_blob(
	const struct objects *o, int socket, size_t number, const uint8_t *digest)
{
	AUTO_FILE f = FILE_CLOSED;
	struct message m = {.number = number};
	if (objects_find(o, digest, &f) < 0)
		snprintf(m.why, sizeof m.why, "%s", error_text());
	return descriptor_send(socket, &m, sizeof m, f.fd);
}

int verify_store_feed(const struct store_list *list, const struct objects *o, int socket)
{
	for (size_t i = 0; i < list->n_blobs; i++)
		if (!send_blob(o, socket, i, store_list_digest(list, i)))
			return 0;
	for (size_t i = 0; i < list->n_refs; i++)
		if (!send_blob(o, socket, i, list->refs[i].digest))
			return 0;
	return 0;
}

/* ---- who looks --------------------------------------------------------------------- */

struct checking {
	const struct store_list *list;
	struct report *report;
	int socket;
	uint8_t *states; /* of each blob: enum status */
	char **faults;   /* and what is wrong with it, or NULL */
	uint64_t n_bytes;
	/* Of the tree that is looked at: blobs that are not there, and the first of them.
	 */
	size_t n_missing;
	uint8_t missing[OBJECTS_DIGEST];
};

/* The next file that the other process opened; F stays closed if there is none. */
static int receive(const struct checking *c, struct message *m, struct file *f)
{
	int fd = -1;
	ssize_t n = descriptor_receive(c->socket, m, sizeof *m, &fd);
	if (n == (ssize_t)sizeof *m && fd >= 0)
		return file_from_fd(f, fd, "blob");
	if (n == (ssize_t)sizeof *m && m->why[0])
		return 0;
	return error_set(STATUS_FAILED, EIO, "the process that opens blobs has ended");
}

static int compare(const struct file *f, const uint8_t *digest)
{
	struct merkle_data data = {.file = f, .size = f->size};
	uint8_t found[OBJECTS_DIGEST];
	char text[OBJECTS_DIGEST_TEXT];
	int r = fsverity_digest_file(&FSVERITY_DEFAULTS, &data, 1, found);
	if (r < 0 || !memcmp(found, digest, sizeof found))
		return r;
	return error_set(STATUS_CONTENT, EBADMSG, "%ju bytes with the digest %s",
		(uintmax_t)f->size, hex_encode(found, sizeof found, text));
}

/* Blobs come in any order to the threads: what is found is told when all are there. */
static int check_blob(void *context, unsigned worker, uint64_t item)
{
	struct checking *c = context;
	AUTO_FILE f = FILE_CLOSED;
	struct message m;
	(void)worker;
	(void)item;
	int r = receive(c, &m, &f);
	if (r < 0)
		return r;
	if (m.number >= c->list->n_blobs)
		return error_set(STATUS_FAILED, EIO, "a blob that was not asked for");
	if (f.fd >= 0)
		r = compare(&f, store_list_digest(c->list, m.number));
	if (f.fd < 0 || r < 0) {
		c->states[m.number] = f.fd < 0 ? STATUS_FAILED : (uint8_t)error_status();
		c->faults[m.number] = strdup(f.fd < 0 ? m.why : error_text());
	}
	__atomic_add_fetch(&c->n_bytes, f.fd < 0 ? 0 : f.size, __ATOMIC_RELAXED);
	progress_add(1);
	return 0;
}

static void blob_name(const uint8_t *digest, char name[OBJECTS_DIGEST_TEXT + 16])
{
	char text[OBJECTS_DIGEST_TEXT];
	hex_encode(digest, OBJECTS_DIGEST, text);
	snprintf(name, OBJECTS_DIGEST_TEXT + 16, "objects/%.2s/%s", text, text + 2);
}

static void tell_blobs(struct checking *c)
{
	char name[OBJECTS_DIGEST_TEXT + 16];
	struct place place = {.area = name};
	size_t n_bad = 0;
	for (size_t i = 0; i < c->list->n_blobs; i++) {
		if (!c->states[i])
			continue;
		n_bad++;
		blob_name(store_list_digest(c->list, i), name);
		report_fault(c->report, c->states[i], "store", &place, "%s",
			c->faults[i] ? c->faults[i] : "is not what its name says");
	}
	place.area = "objects";
	if (!n_bad)
		report_good(c->report, "store", &place,
			"%zu blobs with %ju bytes are what their digests say",
			c->list->n_blobs, (uintmax_t)c->n_bytes);
	for (size_t i = 0; i < c->list->n_strays; i++)
		report_fault(c->report, STATUS_FORMAT, "store", &place,
			"%s is not the name of a blob", c->list->strays[i]);
}

/* ---- refs -------------------------------------------------------------------------- */

static int look_for(void *context, const uint8_t *digest)
{
	struct checking *c = context;
	if (store_list_find(c->list, digest) < c->list->n_blobs)
		return 0;
	if (c->n_missing++ == 0)
		memcpy(c->missing, digest, sizeof c->missing);
	return 0;
}

/* A blob that is no tree is no less good. */
static void check_tree(struct checking *c, const struct place *place, struct file *f)
{
	struct probe probe;
	struct erofs e;
	char text[OBJECTS_DIGEST_TEXT];
	if (probe_file_system(f, 0, f->size, &probe) < 0 || probe.kind != PROBE_EROFS) {
		report_good(c->report, "store", place, "leads to a blob");
		return;
	}
	c->n_missing = 0;
	if (erofs_open(&e, f, 0, f->size) < 0 || names_blobs(&e, look_for, c) < 0)
		report_error(c->report, "store", place, f->name);
	else if (c->n_missing)
		report_fault(c->report, STATUS_CONTENT, "store", place,
			"%zu of the blobs its tree names are not there, the first is %s",
			c->n_missing, hex_encode(c->missing, sizeof c->missing, text));
	else
		report_good(c->report, "store", place,
			"leads to a tree, whose blobs are all there");
}

static int check_ref(struct checking *c, const struct store_ref *ref)
{
	char area[300];
	struct place place = {.area = area};
	AUTO_FILE f = FILE_CLOSED;
	struct message m;
	int r = receive(c, &m, &f);
	if (r < 0)
		return r;
	snprintf(area, sizeof area, "ref %s", ref->name);
	size_t number = store_list_find(c->list, ref->digest);
	if (ref->fault)
		report_fault(c->report, STATUS_FORMAT, "store", &place, "%s", ref->fault);
	else if (number == c->list->n_blobs || f.fd < 0)
		report_fault(c->report, STATUS_CONTENT, "store", &place,
			"the blob it leads to is not there");
	else if (c->states[number])
		report_fault(c->report, STATUS_UNCHECKED, "store", &place,
			"the blob it leads to is bad: it was not looked into");
	else
		check_tree(c, &place, &f);
	return 0;
}

static void tell_limits(const struct checking *c, const struct verify_options *o)
{
	const struct place place = {.area = "store"};
	report_uncovered(c->report, "store", &place,
		"the refs: they can hide a blob, not change one");
	if (o->pins)
		report_fault(c->report, STATUS_TRUST, "signature", &place,
			"there is no signature");
	verify_tell_unasked(o, &place, c->report);
}

static int check_all(struct checking *c, const struct verify_options *o)
{
	progress_begin("blobs", c->list->n_blobs);
	int r = workers_run(o->jobs, c->list->n_blobs, check_blob, c);
	progress_end();
	if (r < 0)
		return r;
	tell_blobs(c);
	for (size_t i = 0; r == 0 && i < c->list->n_refs; i++)
		r = check_ref(c, &c->list->refs[i]);
	tell_limits(c, o);
	return r;
}

int verify_store(const struct store_list *list, int socket,
	const struct verify_options *o, struct report *report)
{
	struct checking c = {.list = list, .report = report, .socket = socket};
	c.states = calloc(list->n_blobs + 1, sizeof *c.states);
	c.faults = calloc(list->n_blobs + 1, sizeof *c.faults);
	int r = c.states && c.faults ? check_all(&c, o) : error_memory();
	for (size_t i = 0; c.faults && i < list->n_blobs; i++)
		free(c.faults[i]);
	free(c.faults);
	free(c.states);
	return r;
}
