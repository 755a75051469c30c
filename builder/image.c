/* SPDX-License-Identifier: MIT */
#include "builder/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/image_work.h"
#include "builder/os_release.h"
#include "core/fec.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/progress.h"

static void image_free(struct image *im)
{
	if (im->o->key)
		signer_free(&im->signer);
	tree_free(&im->tree);
	kernel_free(&im->kernel);
	free(im->id);
	free(im->version);
	sealed_free(&im->sealed);
	file_close(&im->esp);
	struct buffer *buffers[] = {&im->os_release, &im->cmdline, &im->initrd, &im->stub,
		&im->loader, &im->uki};
	for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
		buffer_free(buffers[i]);
	bundle_close(&im->bundle);
	json_object_put(im->manifest);
}

/* ---- what goes in ---------------------------------------------------------------- */

/* The option if given, else the first of the two keys of os-release, else OTHERWISE. */
static int choose(const struct image *im, const char *option, const char *key,
	const char *second, const char *otherwise, char **value)
{
	struct span text = buffer_span(&im->os_release);
	*value = NULL;
	int r = 0;
	if (!option)
		r = os_release_get(text, key, value);
	if (r == 0 && !option && !*value)
		r = os_release_get(text, second, value);
	if (r == 0 && !*value && !(*value = strdup(option ? option : otherwise)))
		r = error_memory();
	return r;
}

static int name_image(struct image *im)
{
	const struct image_options *o = im->o;
	BUFFER text = {0};
	int r = os_release_read(&im->tree, &im->os_release);
	if (r == 0)
		r = choose(im, o->id, "IMAGE_ID", "ID", "linux", &im->id);
	if (r == 0)
		r = choose(
			im, o->version, "IMAGE_VERSION", "VERSION_ID", "0", &im->version);
	if (r < 0)
		return r;
	im->identity = (struct identity){
		.id = im->id, .version = im->version, .seed = o->seed ? o->seed : ""};
	if ((r = identity_check(&im->identity)) < 0)
		return r;
	r = os_release_amend(buffer_span(&im->os_release), im->id, im->version, &text);
	buffer_free(&im->os_release);
	im->os_release = text;
	text = (struct buffer){0};
	return r;
}

static int check_options(const struct image_options *o)
{
	if (!o->key != !o->certificate)
		return error_usage("a key and its certificate are given together");
	if (o->usr && o->overlay && strcmp(o->overlay, "none"))
		return error_usage("a /usr image has no overlay");
	if (o->fec_roots &&
		(o->fec_roots < FEC_ROOTS_MIN || o->fec_roots > FEC_ROOTS_MAX))
		return error_usage("%u roots of error correction: there are %d to %d",
			o->fec_roots, FEC_ROOTS_MIN, FEC_ROOTS_MAX);
	return 0;
}

static int gather(struct image *im)
{
	const struct image_options *o = im->o;
	const struct bundle_options outputs = {.path = o->output,
		.replace = o->force,
		.qcow2 = o->qcow2,
		.lock_timeout_ms = o->lock_timeout_ms};
	int r = check_options(o);
	if (r == 0 && o->key)
		r = signer_load(&im->signer, o->key, o->certificate, PURPOSE_ROOT);
	if (r == 0)
		r = bundle_open(&im->bundle, &outputs);
	if (r == 0)
		r = tree_load(
			&im->tree, o->tree, im->bundle.device.fd < 0 ? o->output : NULL);
	if (r == 0)
		r = name_image(im);
	if (r == 0)
		r = tree_date(&im->tree, &im->epoch);
	return r < 0 ? r : kernel_find(&im->tree, &im->kernel);
}

/* ---- file system and hash tree ---------------------------------------------------- */

static int seal(struct image *im)
{
	const struct image_options *o = im->o;
	const struct sealed_options s = {.tree = &im->tree,
		.filesystem = {.type = o->fs,
			.subtree = o->usr ? "usr" : NULL,
			.compress = o->compress,
			.epoch = im->epoch,
			.jobs = o->jobs,
			.scratch = im->bundle.device.fd < 0 ? o->output : NULL},
		.identity = &im->identity,
		.purpose = o->usr ? "usr" : "root",
		.fec_roots = o->fec_roots,
		.jobs = o->jobs};
	return sealed_make(&im->sealed, &s);
}

static int sign(struct image *im)
{
	return sealed_sign(&im->sealed, im->o->key ? &im->signer : NULL);
}

/* ---- partitions ------------------------------------------------------------------- */

static int label(struct layout_part *p, const struct identity *i, const char *suffix)
{
	int n = snprintf(p->label, sizeof p->label, "%s_%s%s", i->id, i->version, suffix);
	return n < 0 || (size_t)n >= sizeof p->label
		       ? error_usage("%s_%s%s: too long for a partition label", i->id,
				 i->version, suffix)
		       : 0;
}

static int plan_parts(struct image *im)
{
	const struct identity *i = &im->identity;
	const char *arch = im->kernel.architecture;
	struct layout_part *p = im->layout.parts, *sealed = p + IMAGE_SEALED;
	im->layout.n_parts = IMAGE_N_PARTS;
	p[IMAGE_ESP] = (struct layout_part){
		.type = dps_find(DPS_ESP, arch), .size = im->esp_size, .label = "esp"};
	sealed_parts(&im->sealed, im->o->usr, arch, sealed);
	int r = identity_uuid(i, "disk", true, im->layout.disk_uuid);
	if (r == 0)
		r = identity_uuid(i, "esp", true, p[IMAGE_ESP].uuid);
	if (r == 0)
		r = identity_uuid(i, "signature", true, sealed[SEALED_SIGNATURE].uuid);
	if (r == 0)
		r = label(&sealed[SEALED_DATA], i, "");
	if (r == 0)
		r = label(&sealed[SEALED_HASH], i, "_verity");
	if (r == 0)
		r = label(&sealed[SEALED_SIGNATURE], i, "_verity_sig");
	return r < 0 ? r : layout_place(&im->layout, im->o->size);
}

/* On a disk, what an earlier use left behind each partition is erased as well. */
static int erase_gaps(const struct image *im)
{
	BUFFER zeros = {0};
	int r = buffer_append_zeros(&zeros, LAYOUT_ALIGNMENT);
	const struct layout *l = &im->layout;
	for (size_t i = 0; r == 0 && i < l->n_parts; i++) {
		uint64_t end = l->parts[i].offset + l->parts[i].size;
		uint64_t next;
		if (u64_align(end, LAYOUT_ALIGNMENT, &next))
			break;
		if (next > end)
			r = file_write(&im->bundle.device, zeros.data,
				(size_t)(next - end), end);
	}
	return r;
}

static int write_parts(const struct image *im)
{
	const struct file *f = bundle_image(&im->bundle);
	const struct layout_part *p = im->layout.parts;
	bool fresh = !f->is_device;
	progress_begin("writing",
		im->esp_size + im->sealed.filesystem.size + im->sealed.hash_size);
	int r = file_copy(&im->esp, 0, f, p[IMAGE_ESP].offset, im->esp_size, fresh);
	if (r == 0)
		r = sealed_write(&im->sealed, p + IMAGE_SEALED, f, fresh);
	progress_end();
	if (r == 0 && !fresh)
		r = erase_gaps(im);
	return r < 0 ? r : layout_write(&im->layout, f);
}

static int assemble(struct image *im)
{
	int r = plan_parts(im);
	if (r == 0)
		r = bundle_begin(&im->bundle, im->layout.size);
	if (r == 0)
		r = write_parts(im);
	return r < 0 ? r : bundle_convert(&im->bundle);
}

static int put_artifacts(struct image *im)
{
	struct bundle *b = &im->bundle;
	BUFFER line = {0}, text = {0};
	int r = image_make_manifest(im);
	if (r == 0)
		r = buffer_printf(&line, "%s\n", im->sealed.root_hex);
	if (r == 0)
		r = bundle_put(b, BUNDLE_ROOTHASH, buffer_span(&line));
	if (r == 0)
		r = bundle_put(b, BUNDLE_EFI, buffer_span(&im->uki));
	if (r == 0)
		r = bundle_put(b, BUNDLE_VMLINUZ, buffer_span(&im->kernel.image));
	if (r == 0)
		r = bundle_put(b, BUNDLE_INITRD, buffer_span(&im->initrd));
	if (r == 0)
		r = json_save(im->manifest, &text);
	if (r == 0)
		r = bundle_put(b, BUNDLE_MANIFEST, buffer_span(&text));
	return r < 0 ? r : bundle_sum(b);
}

static int commit(struct image *im)
{
	return bundle_commit(&im->bundle);
}

static int (*const steps[])(struct image *im) = {
	gather,
	image_prepare_boot,
	seal,
	image_make_boot,
	sign,
	assemble,
	put_artifacts,
	commit,
};

int image_build(const struct image_options *options, json_object **manifest)
{
	struct image *im = calloc(1, sizeof *im);
	if (!im)
		return error_memory();
	im->o = options;
	im->tree = TREE_EMPTY;
	im->sealed = SEALED_EMPTY;
	im->esp = FILE_CLOSED;
	im->bundle = BUNDLE_CLOSED;
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof steps / sizeof steps[0]; i++) {
		r = interrupt_check();
		if (r == 0)
			r = steps[i](im);
	}
	*manifest = r == 0 ? json_object_get(im->manifest) : NULL;
	image_free(im);
	free(im);
	return r;
}
