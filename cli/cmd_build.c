/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blobfs/image.h"
#include "builder/blobfs_tree.h"
#include "builder/image.h"
#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/number.h"
#include "core/progress.h"

static int take_file_system(void *into, const char *name)
{
	return filesystem_by_name(name, into);
}

/* Bytes; K, M, G or T may follow. */
static int take_size(void *into, const char *text)
{
	uint64_t *value = into;
	if (!number_parse_size(text, value) || *value > INT64_MAX)
		return error_usage("--size: '%s' is not a size, such as 800M", text);
	return 0;
}

static int take_seconds(void *into, const char *text)
{
	unsigned *milliseconds = into;
	uint64_t seconds = 0;
	int r = argument_number("--lock-timeout", text, 0, 86400, &seconds);
	*milliseconds = (unsigned)seconds * 1000;
	return r;
}

static int take_part(void *into, const char *text)
{
	bool *usr = into;
	*usr = !strcmp(text, "usr");
	if (*usr || !strcmp(text, "root"))
		return 0;
	return error_usage("build: --part %s: neither root nor usr", text);
}

static int take_trust(void *into, const char *path)
{
	return initrd_trust_add(into, path);
}

static int take_revoked(void *into, const char *path)
{
	return initrd_trust_revoke(into, path);
}

struct arguments {
	struct image_options image;
	struct initrd_trust trust;
	const char *blobfs; /* the tree as blobs goes there; NULL: nowhere */
	bool json;
};

static int parse(struct arguments *a, int argc, char **argv)
{
	struct image_options *o = &a->image;
	bool quiet = false;
	const struct argument table[] = {
		{.name = "output", .letter = 'o', .text = &o->output},
		{.name = "fs", .take = take_file_system, .into = &o->fs},
		{.name = "part", .take = take_part, .into = &o->usr},
		{.name = "key", .text = &o->key},
		{.name = "cert", .text = &o->certificate},
		{.name = "trust", .take = take_trust, .into = &a->trust},
		{.name = "revoked", .take = take_revoked, .into = &a->trust},
		{.name = "image-id", .text = &o->id},
		{.name = "image-version", .text = &o->version},
		{.name = "seed", .text = &o->seed},
		{.name = "cmdline", .text = &o->cmdline},
		{.name = "size", .take = take_size, .into = &o->size},
		{.name = "compress", .text = &o->compress},
		{.name = "drivers", .text = &o->drivers},
		{.name = "fec-roots", .number = &o->fec_roots, .max = 255},
		ARGUMENT_JOBS(&o->jobs),
		{.name = "force", .flag = &o->force},
		{.name = "qcow2", .flag = &o->qcow2},
		{.name = "overlay", .text = &o->overlay},
		{.name = "on-failure", .text = &o->on_failure},
		{.name = "verity", .text = &o->verity},
		{.name = "tries", .number = &o->tries, .max = 99},
		{.name = "boot-files", .text = &o->boot_files},
		{.name = "lock-timeout",
			.take = take_seconds,
			.into = &o->lock_timeout_ms},
		{.name = "blobfs", .text = &a->blobfs},
		{.name = "quiet", .flag = &quiet},
		{.name = "json", .flag = &a->json},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	if (argc - first != 1 || (!o->output && !a->blobfs))
		return error_usage(
			"build: give one TREE or TAR, and -o IMAGE or --blobfs IMAGE");
	if (a->blobfs && o->usr)
		return error_usage(
			"build: --blobfs takes all of the tree, not --part usr");
	progress_silence(quiet);
	o->tree = argv[first];
	return 0;
}

/* The content-addressed layout: the tree as blobs, under the name ID_VERSION or "tree".
 */
static int build_blobfs(const struct arguments *a)
{
	const struct image_options *o = &a->image;
	AUTO_TREE tree = TREE_EMPTY;
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	char name[BLOBFS_REF_NAME_MAX + 1] = "tree", text[BLOBFS_DIGEST_TEXT];
	if (o->id && o->version)
		snprintf(name, sizeof name, "%s_%s", o->id, o->version);
	int r = tree_load(&tree, o->tree, a->blobfs);
	if (r == 0)
		r = blobfs_tree_save(a->blobfs, o->force, &tree, name, o->jobs, digest);
	if (r < 0)
		return r;
	blobfs_digest_text(digest, text);
	if (!a->json) {
		printf("Tree digest: %s\n", text);
	} else if (!o->output) {
		json_object *result = json_object_new_object();
		json_add_text(result, "treeDigest", text);
		r = json_print(result);
		json_object_put(result);
	}
	return r;
}

static int build_image(const struct arguments *a)
{
	json_object *manifest = NULL, *hash;
	int r = image_build(&a->image, &manifest);
	if (r < 0)
		return r;
	if (a->json)
		r = json_print(manifest);
	else if (json_object_object_get_ex(manifest, "rootHash", &hash))
		printf("Root hash: %s\n", json_object_get_string(hash));
	json_object_put(manifest);
	return r;
}

static int run(int argc, char **argv)
{
	struct arguments a = {.image = IMAGE_DEFAULTS};
	interrupt_catch();
	a.image.trust = &a.trust;
	int r = parse(&a, argc, argv);
	if (r == 0 && a.blobfs)
		r = build_blobfs(&a);
	if (r == 0 && a.image.output)
		r = build_image(&a);
	initrd_trust_free(&a.trust);
	return r;
}

const struct verb verb_build = {
	.name = "build",
	.run = run,
	.summary = "a bootable, verified image from a tree or a tar",
	.usage =
		"usage: cairn build TREE|TAR -o IMAGE [OPTION...]\n"
		"       cairn build TREE|TAR --blobfs IMAGE [OPTION...]\n"
		"\n"
		"Makes a disk image whose root file system is TREE (a directory, or a "
		"tar\n"
		"archive), protected by dm-verity, with the kernel of TREE, Cairn's "
		"initrd and\n"
		"the root hash in one file for UEFI. IMAGE is a file, or a whole disk "
		"(then\n"
		"--force is needed, and only the image is written). Beside os.raw stand\n"
		"os.roothash, os.efi, os.vmlinuz, os.initrd, os.manifest.json, "
		"os.SHA256SUMS.\n"
		"\n"
		"  --fs erofs|squashfs|ext4     the file system (erofs)\n"
		"  --compress METHOD[,LEVEL]    none, lz4, zstd, ...: what the file "
		"system has\n"
		"  --part root|usr              all of TREE, or a /usr image of its usr/ "
		"(root)\n"
		"  --key FILE|URI --cert FILE   sign root hash, kernel and boot loader\n"
		"  --trust CERT                 a signer the initrd trusts for the root; "
		"may "
		"be\n"
		"                               repeated "
		"(--cmdline cairn.require-signature=root)\n"
		"  --revoked FILE               a list of revoked certificates and root "
		"hashes\n"
		"  --image-id ID --image-version VERSION   (from os-release)\n"
		"  --seed TEXT                  what UUIDs and salt are derived from, "
		"with these\n"
		"  --cmdline WORDS              more words for the kernel\n"
		"  --overlay none|volatile|etc  a root, or an /etc, that can be written "
		"to until\n"
		"                               power-off\n"
		"  --verity panic|restart|eio   what happens when a block is bad "
		"(panic)\n"
		"  --on-failure poweroff|reboot|panic      when the boot is refused "
		"(poweroff)\n"
		"  --drivers virtio|cloud|generic          storage drivers in the initrd "
		"(cloud)\n"
		"  --tries N                    boots before this kernel counts as bad "
		"(3); 0: all\n"
		"  --size SIZE                  of the whole image; K, M, G, T (as "
		"needed)\n"
		"  --fec-roots N                parity behind the hash tree, 2 to 24 "
		"(none)\n"
		"  --qcow2                      a copy for QEMU as well\n"
		"  --blobfs IMAGE               the tree as verified blobs, names "
		"included\n"
		"  --boot-files DIR             EFI stub and boot loader (systemd's, as "
		"installed)\n"
		"  --lock-timeout SECONDS       for a disk that others use (10)\n"
		"  --jobs N --force --quiet --json\n"
		"\n"
		"The same tree, options, key, SOURCE_DATE_EPOCH (the newest time in the "
		"tree) and\n"
		"tools give the same bytes.\n",
};
