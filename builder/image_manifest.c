/* SPDX-License-Identifier: MIT */
#include <libfdisk/libfdisk.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/image_work.h"
#include "builder/uki.h"
#include "core/hex.h"
#include "core/json.h"
#include "core/process.h"

#define PACKAGES_MAX ((size_t)16 << 20)

static void add_uuid(json_object *o, const char *key, const uint8_t uuid[16])
{
	char text[UUID_TEXT_SIZE];
	json_add_text(o, key, uuid_encode(uuid, text));
}

static int add_digest(
	json_object *o, const struct file *f, uint64_t offset, uint64_t size)
{
	uint8_t digest[32];
	int r = hash_file(HASH_SHA256, f, offset, size, digest);
	json_add_hex(o, "sha256", digest, sizeof digest);
	return r;
}

static int add_partitions(const struct image *im, json_object *document)
{
	json_object *array = json_object_new_array();
	int r = 0;
	for (size_t i = 0; r == 0 && i < im->layout.n_parts; i++) {
		const struct layout_part *p = &im->layout.parts[i];
		json_object *o = json_object_new_object();
		json_add_number(o, "number", i + 1);
		json_add_text(o, "label", p->label);
		json_add_text(o, "type", p->type->name);
		json_add_text(o, "typeUuid", p->type->uuid);
		add_uuid(o, "uuid", p->uuid);
		json_add_number(o, "offset", p->offset);
		json_add_number(o, "size", p->size);
		json_add_bool(o, "readOnly", p->read_only);
		r = add_digest(o, bundle_image(&im->bundle), p->offset, p->size);
		json_append(array, o);
	}
	json_add(document, "partitions", array);
	return r;
}

static void add_verity(const struct image *im, json_object *document)
{
	const struct verity_params *p = &im->sealed.verity;
	json_object *o = json_object_new_object();
	json_add_number(o, "version", p->version);
	json_add_text(o, "algorithm", hash_name(p->alg));
	json_add_number(o, "dataBlockSize", p->data_block_size);
	json_add_number(o, "hashBlockSize", p->hash_block_size);
	json_add_number(o, "dataBlocks", p->data_blocks);
	json_add_hex(o, "salt", p->salt, p->salt_size);
	add_uuid(o, "uuid", p->uuid);
	if (im->o->fec_roots) {
		json_add_number(o, "fecRoots", im->o->fec_roots);
		json_add_number(o, "fecOffset", im->sealed.fec_offset);
	}
	json_add(document, "verity", o);
}

static int add_part(json_object *document, const char *name, struct span contents)
{
	uint8_t digest[32];
	json_object *o = json_object_new_object();
	int r = hash_parts(HASH_SHA256, &contents, 1, digest);
	json_add_number(o, "size", contents.size);
	json_add_hex(o, "sha256", digest, sizeof digest);
	json_add(document, name, o);
	return r;
}

static int add_boot(const struct image *im, json_object *document)
{
	BUFFER path = {0};
	struct pe pe;
	uint8_t pcr[32];
	json_object *o = json_object_new_object();
	json_add(document, "boot", o);
	json_add_text(o, "kernel", im->kernel.release);
	json_add_text(o, "cmdline", buffer_text(&im->cmdline));
	int r = image_uki_path(im, &path);
	json_add_text(o, "path", buffer_text(&path));
	if (r == 0)
		r = pe_parse(&pe, buffer_span(&im->uki), "the UKI");
	if (r == 0)
		r = uki_pcr11(&pe, pcr);
	json_add_hex(o, "pcr11", pcr, r == 0 ? sizeof pcr : 0);
	if (r == 0)
		r = add_part(o, "uki", buffer_span(&im->uki));
	if (r == 0)
		r = add_part(o, "linux", buffer_span(&im->kernel.image));
	return r < 0 ? r : add_part(o, "initrd", buffer_span(&im->initrd));
}

static void add_options(const struct image *im, json_object *document)
{
	const struct image_options *i = im->o;
	json_object *o = json_object_new_object();
	json_add_text(o, "fs", filesystem_name(i->fs));
	json_add_text(o, "compress", im->sealed.filesystem.compress);
	json_add_text(o, "part", i->usr ? "usr" : "root");
	json_add_text(o, "seed", im->identity.seed);
	json_add_text(o, "cmdline", i->cmdline);
	json_add_text(o, "overlay", i->overlay);
	json_add_text(o, "verity", i->verity);
	json_add_text(o, "onFailure", i->on_failure);
	json_add_text(o, "drivers", i->drivers);
	json_add_number(o, "size", i->size);
	json_add_number(o, "fecRoots", i->fec_roots);
	json_add_number(o, "tries", i->tries);
	json_add(document, "options", o);
}

/* The first line a program says about itself. */
static int add_program(json_object *tools, const char *program, const char *option)
{
	const char *argv[] = {program, option, NULL};
	const struct process p = {.argv = argv, .stdin_fd = -1, .stdout_fd = -1};
	BUFFER said = {0};
	int r = process_run(&p, &said);
	if (r < 0)
		return r;
	char *line = strndup(buffer_text(&said), strcspn(buffer_text(&said), "\n"));
	json_add_text(tools, program, line);
	free(line);
	return 0;
}

static int add_stub(const struct image *im, json_object *tools)
{
	struct pe pe;
	json_object *o;
	int r = pe_parse(&pe, buffer_span(&im->stub), "the EFI stub");
	if (r == 0)
		r = add_part(tools, "systemd-stub", buffer_span(&im->stub));
	if (r == 0 && json_object_object_get_ex(tools, "systemd-stub", &o))
		json_add_number(o, "version", uki_stub_version(&pe));
	return r < 0 ? r : add_part(tools, "systemd-boot", buffer_span(&im->loader));
}

static int add_tools(const struct image *im, json_object *document)
{
	const char *fdisk = NULL;
	json_object *o = json_object_new_object();
	json_add(document, "tools", o);
	json_add_text(o, "cairn", CAIRN_VERSION);
	json_add_text(o, "filesystem", im->sealed.filesystem.tool);
	fdisk_get_library_version(&fdisk);
	json_add_text(o, "libfdisk", fdisk);
	json_add_text(o, "openssl", OpenSSL_version(OPENSSL_FULL_VERSION_STRING));
	int r = add_program(o, "mkfs.vfat", "--help");
	if (r == 0)
		r = add_program(o, "mcopy", "--version");
	if (r == 0 && im->o->qcow2)
		r = add_program(o, "qemu-img", "--version");
	return r < 0 ? r : add_stub(im, o);
}

/* TREE without slashes at its end and, of an archive, without its extension. */
static size_t stem_length(const char *tree)
{
	size_t n = strlen(tree);
	while (n > 1 && tree[n - 1] == '/')
		n--;
	const char *tar = strstr(tree, ".tar");
	return tar && strlen(tar) <= sizeof ".tar.zst" - 1 ? (size_t)(tar - tree) : n;
}

/* The path of mkosi's manifest beside the tree, *PATH NULL if there is none. */
static int find_packages(const char *tree, char **path)
{
	int stem = (int)stem_length(tree), directory = stem;
	while (directory > 0 && tree[directory - 1] != '/')
		directory--;
	/* mkosi writes OUTPUT.manifest; kept beside a tree alone it may be called so. */
	if (asprintf(path, "%.*s.manifest", stem, tree) < 0)
		return error_memory();
	if (access(*path, F_OK) == 0)
		return 0;
	free(*path);
	if (asprintf(path, "%.*smanifest.json", directory, tree) < 0)
		return error_memory();
	if (access(*path, F_OK) == 0)
		return 0;
	free(*path);
	*path = NULL;
	return 0;
}

static int add_packages(const struct image *im, json_object *document)
{
	char *path;
	BUFFER text = {0};
	json_object *manifest = NULL, *packages = NULL;
	int r = find_packages(im->o->tree, &path);
	if (r == 0 && path)
		r = file_slurp(path, PACKAGES_MAX, &text);
	if (r == 0 && path)
		r = json_parse(buffer_span(&text), path, PACKAGES_MAX, &manifest);
	json_object_object_get_ex(manifest, "packages", &packages);
	if (packages)
		json_add(document, "packages", json_object_get(packages));
	else
		json_add_text(document, "packages", NULL);
	json_object_put(manifest);
	free(path);
	return r;
}

static void add_names(const struct image *im, json_object *document)
{
	json_add_text(document, "imageId", im->id);
	json_add_text(document, "imageVersion", im->version);
	json_add_text(document, "architecture", im->kernel.architecture);
	json_add_number(document, "sourceDateEpoch", (uint64_t)im->epoch);
	json_add_number(document, "size", im->layout.size);
	add_uuid(document, "diskUuid", im->layout.disk_uuid);
	json_add_text(document, "rootHash", im->sealed.root_hex);
	json_add_text(document, "certificateFingerprint",
		im->o->key ? im->signer.certificate.fingerprint : NULL);
}

int image_make_manifest(struct image *im)
{
	json_object *document = json_object_new_object();
	if (!document)
		return error_memory();
	im->manifest = document;
	add_names(im, document);
	int r = add_partitions(im, document);
	add_verity(im, document);
	if (r == 0)
		r = add_boot(im, document);
	add_options(im, document);
	if (r == 0)
		r = add_tools(im, document);
	return r < 0 ? r : add_packages(im, document);
}
