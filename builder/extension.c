/* SPDX-License-Identifier: MIT */
#include "builder/extension.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/sealed.h"
#include "core/fec.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/output.h"
#include "core/path.h"
#include "core/progress.h"
#include "initrd/compose/search.h"

/* An extension while it is being built. */
struct extension {
	const struct extension_options *o;
	enum purpose kind;
	char *name; /* owned */
	struct signer signer;
	struct tree tree;
	struct extension_release release;
	const char *architecture; /* of the partition types */
	int64_t date;
	struct identity identity;
	struct sealed sealed;
	struct layout layout;
	struct output output;
};

static void extension_free(struct extension *x)
{
	free(x->name);
	if (x->o->key)
		signer_free(&x->signer);
	tree_free(&x->tree);
	extension_release_free(&x->release);
	sealed_free(&x->sealed);
	output_close(&x->output);
}

/* ---- what goes in ----------------------------------------------------------------- */

bool extension_kind_of(const char *path, enum purpose *kind, size_t *length)
{
	static const struct {
		const char *suffix;
		enum purpose kind;
	} kinds[] = {{".sysext.raw", PURPOSE_SYSEXT}, {".confext.raw", PURPOSE_CONFEXT}};
	const char *base = path_base(path);
	size_t n = strlen(base);
	for (int i = 0; i < 2; i++) {
		size_t m = strlen(kinds[i].suffix);
		if (n <= m || strcmp(base + n - m, kinds[i].suffix))
			continue;
		*kind = kinds[i].kind;
		if (length)
			*length = n - m;
		return true;
	}
	return false;
}

static int check_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~^+-";
	if (!*name || *name == '.' || *name == '-' || name[strspn(name, allowed)])
		return error_usage("'%s': an extension's name has letters, digits and "
				   "._~^+- and does not begin with '.' or '-'",
			name);
	if (strlen(name) >= EXTENSION_NAME_MAX)
		return error_usage("'%s': an extension's name has at most %d characters",
			name, EXTENSION_NAME_MAX - 1);
	return 0;
}

static int choose_name(struct extension *x)
{
	const struct extension_options *o = x->o;
	size_t length;
	if (!extension_kind_of(o->output, &x->kind, &length))
		return error_usage("%s: an extension is called NAME.sysext.raw or "
				   "NAME.confext.raw",
			o->output);
	x->name = o->name ? strdup(o->name) : strndup(path_base(o->output), length);
	return x->name ? check_name(x->name) : error_memory();
}

static int check_options(const struct extension_options *o)
{
	if (!o->key != !o->certificate)
		return error_usage("a key and its certificate are given together");
	if (o->fs != FILESYSTEM_EROFS && o->fs != FILESYSTEM_SQUASHFS)
		return error_usage("an extension's file system is erofs or squashfs");
	if (o->fec_roots &&
		(o->fec_roots < FEC_ROOTS_MIN || o->fec_roots > FEC_ROOTS_MAX))
		return error_usage("%u roots of error correction: there are %d to %d",
			o->fec_roots, FEC_ROOTS_MIN, FEC_ROOTS_MAX);
	return 0;
}

static int gather(struct extension *x)
{
	const struct extension_options *o = x->o;
	int r = check_options(o);
	if (r == 0)
		r = choose_name(x);
	if (r == 0 && o->key)
		r = signer_load(&x->signer, o->key, o->certificate, x->kind);
	if (r == 0)
		r = output_open(&x->output, o->output, 0644, o->force);
	if (r == 0)
		r = tree_load(&x->tree, o->tree, o->output);
	return r < 0 ? r : tree_date(&x->tree, &x->date);
}

static int check(struct extension *x)
{
	size_t n_setid = 0;
	int r = extension_check(&x->tree, x->kind, &n_setid);
	if (r == 0)
		r = extension_release_settle(
			&x->tree, x->kind, x->name, x->o->wanted, x->date, &x->release);
	if (r < 0)
		return r;
	const char *architecture = x->release.values[EXTENSION_ARCHITECTURE];
	x->architecture = architecture && strcmp(architecture, "_any") ? architecture
								       : dps_native();
	if (n_setid)
		progress_note("%s: %zu files are setuid or setgid; systems may refuse "
			      "them in extensions",
			x->o->tree, n_setid);
	const char *id = x->release.values[EXTENSION_ID];
	if (strcmp(id, "_any") && !x->release.values[EXTENSION_VERSION_ID] &&
		!x->release.values[EXTENSION_LEVEL])
		progress_note("%s: without a version or level it fits only systems of "
			      "%s that have no VERSION_ID",
			x->name, id);
	return 0;
}

/* ---- the image -------------------------------------------------------------------- */

static int seal(struct extension *x)
{
	const struct extension_options *o = x->o;
	x->identity = (struct identity){
		.id = x->name, .version = "", .seed = o->seed ? o->seed : ""};
	const struct sealed_options s = {.tree = &x->tree,
		.filesystem = {.type = o->fs,
			.compress = o->compress,
			.epoch = x->date,
			.jobs = o->jobs,
			.scratch = o->output},
		.identity = &x->identity,
		.purpose = purpose_name(x->kind),
		.fec_roots = o->fec_roots,
		.jobs = o->jobs};
	int r = sealed_make(&x->sealed, &s);
	return r < 0 ? r : sealed_sign(&x->sealed, o->key ? &x->signer : NULL);
}

/* Two contents of one name are two disks: the root hash stands for the version. */
static int plan(struct extension *x)
{
	struct layout *l = &x->layout;
	struct identity i = x->identity;
	i.version = x->sealed.root_hex;
	sealed_parts(&x->sealed, false, x->architecture, l->parts);
	l->n_parts = SEALED_N_PARTS;
	for (size_t n = 0; n < l->n_parts; n++)
		strcpy(l->parts[n].label, l->parts[n].type->name);
	int r = identity_uuid(&i, "disk", true, l->disk_uuid);
	if (r == 0)
		r = identity_uuid(&i, "signature", true, l->parts[SEALED_SIGNATURE].uuid);
	return r < 0 ? r : layout_place(l, 0);
}

static int assemble(struct extension *x)
{
	struct file *f = &x->output.file;
	int r = plan(x);
	if (r == 0 && ftruncate(f->fd, (off_t)x->layout.size) < 0)
		r = error_errno("%s: cannot make it %ju bytes long", f->name,
			(uintmax_t)x->layout.size);
	if (r < 0)
		return r;
	f->size = x->layout.size;
	r = sealed_write(&x->sealed, x->layout.parts, f, true);
	if (r == 0)
		r = layout_write(&x->layout, f);
	if (r == 0)
		r = interrupt_check();
	return r < 0 ? r : output_commit(&x->output);
}

static json_object *describe(const struct extension *x)
{
	static const char *const keys[EXTENSION_N_FIELDS] = {
		"id", "versionId", "level", "scope", "architecture", "epoch"};
	json_object *o = json_object_new_object();
	json_add_text(o, "name", x->name);
	json_add_text(o, "kind", purpose_name(x->kind));
	for (int i = 0; i < EXTENSION_N_FIELDS; i++)
		if (i != EXTENSION_EPOCH)
			json_add_text(o, keys[i], x->release.values[i]);
	const char *epoch = x->release.values[EXTENSION_EPOCH];
	json_add_number(o, "epoch", epoch ? strtoull(epoch, NULL, 10) : 0);
	json_add_text(o, "fs", filesystem_name(x->o->fs));
	json_add_text(o, "compress", x->sealed.filesystem.compress);
	json_add_number(o, "sourceDateEpoch", (uint64_t)x->date);
	json_add_number(o, "size", x->layout.size);
	json_add_text(o, "rootHash", x->sealed.root_hex);
	json_add_text(o, "certificateFingerprint",
		x->o->key ? x->signer.certificate.fingerprint : NULL);
	return o;
}

int extension_build(const struct extension_options *o, json_object **report)
{
	static int (*const steps[])(struct extension * x) = {
		gather, check, seal, assemble};
	struct extension *x = calloc(1, sizeof *x);
	if (!x)
		return error_memory();
	x->o = o;
	x->tree = TREE_EMPTY;
	x->sealed = SEALED_EMPTY;
	x->output = OUTPUT_CLOSED;
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof steps / sizeof steps[0]; i++) {
		r = interrupt_check();
		if (r == 0)
			r = steps[i](x);
	}
	*report = r == 0 ? describe(x) : NULL;
	extension_free(x);
	free(x);
	return r;
}
