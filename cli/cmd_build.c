/* SPDX-License-Identifier: MIT */
#include <getopt.h>
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

enum option_id {
	OPTION_FS = 256,
	OPTION_PART,
	OPTION_KEY,
	OPTION_CERT,
	OPTION_TRUST,
	OPTION_REVOKED,
	OPTION_IMAGE_ID,
	OPTION_IMAGE_VERSION,
	OPTION_SEED,
	OPTION_CMDLINE,
	OPTION_SIZE,
	OPTION_COMPRESS,
	OPTION_DRIVERS,
	OPTION_FEC_ROOTS,
	OPTION_JOBS,
	OPTION_FORCE,
	OPTION_QCOW2,
	OPTION_OVERLAY,
	OPTION_ON_FAILURE,
	OPTION_VERITY,
	OPTION_TRIES,
	OPTION_BOOT_FILES,
	OPTION_LOCK_TIMEOUT,
	OPTION_BLOBFS,
	OPTION_QUIET,
	OPTION_JSON,
};

static const struct option table[] = {
	{"output", required_argument, NULL, 'o'},
	{"fs", required_argument, NULL, OPTION_FS},
	{"part", required_argument, NULL, OPTION_PART},
	{"key", required_argument, NULL, OPTION_KEY},
	{"cert", required_argument, NULL, OPTION_CERT},
	{"trust", required_argument, NULL, OPTION_TRUST},
	{"revoked", required_argument, NULL, OPTION_REVOKED},
	{"image-id", required_argument, NULL, OPTION_IMAGE_ID},
	{"image-version", required_argument, NULL, OPTION_IMAGE_VERSION},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"cmdline", required_argument, NULL, OPTION_CMDLINE},
	{"size", required_argument, NULL, OPTION_SIZE},
	{"compress", required_argument, NULL, OPTION_COMPRESS},
	{"drivers", required_argument, NULL, OPTION_DRIVERS},
	{"fec-roots", required_argument, NULL, OPTION_FEC_ROOTS},
	{"jobs", required_argument, NULL, OPTION_JOBS},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"qcow2", no_argument, NULL, OPTION_QCOW2},
	{"overlay", required_argument, NULL, OPTION_OVERLAY},
	{"on-failure", required_argument, NULL, OPTION_ON_FAILURE},
	{"verity", required_argument, NULL, OPTION_VERITY},
	{"tries", required_argument, NULL, OPTION_TRIES},
	{"boot-files", required_argument, NULL, OPTION_BOOT_FILES},
	{"lock-timeout", required_argument, NULL, OPTION_LOCK_TIMEOUT},
	{"blobfs", required_argument, NULL, OPTION_BLOBFS},
	{"quiet", no_argument, NULL, OPTION_QUIET},
	{"json", no_argument, NULL, OPTION_JSON},
	{NULL, 0, NULL, 0},
};

/* Bytes; K, M, G or T may follow. */
static int parse_size(const char *text, uint64_t *value)
{
	if (!number_parse_size(text, value) || *value > INT64_MAX)
		return error_usage("--size: '%s' is not a size, such as 800M", text);
	return 0;
}

static int parse_unsigned(
	const char *option, const char *text, unsigned limit, unsigned *value)
{
	uint64_t n = 0;
	int r = argument_number(option, text, 0, limit, &n);
	*value = (unsigned)n;
	return r;
}

static int parse_part(const char *text, bool *usr)
{
	*usr = !strcmp(text, "usr");
	if (*usr || !strcmp(text, "root"))
		return 0;
	return error_usage("build: --part %s: neither root nor usr", text);
}

struct arguments {
	struct image_options image;
	struct initrd_trust trust;
	const char *blobfs; /* the tree as blobs goes there; NULL: nowhere */
	bool json;
};

/* Options that are kept as the text they came as. */
static const char **text_option(struct arguments *a, int id)
{
	struct image_options *o = &a->image;
	switch (id) {
	case OPTION_BLOBFS:
		return &a->blobfs;
	case 'o':
		return &o->output;
	case OPTION_KEY:
		return &o->key;
	case OPTION_CERT:
		return &o->certificate;
	case OPTION_IMAGE_ID:
		return &o->id;
	case OPTION_IMAGE_VERSION:
		return &o->version;
	case OPTION_SEED:
		return &o->seed;
	case OPTION_CMDLINE:
		return &o->cmdline;
	case OPTION_COMPRESS:
		return &o->compress;
	case OPTION_DRIVERS:
		return &o->drivers;
	case OPTION_OVERLAY:
		return &o->overlay;
	case OPTION_ON_FAILURE:
		return &o->on_failure;
	case OPTION_VERITY:
		return &o->verity;
	case OPTION_BOOT_FILES:
		return &o->boot_files;
	default:
		return NULL;
	}
}

static int take_option(struct arguments *a, int id, const char *text)
{
	struct image_options *o = &a->image;
	unsigned seconds = 0;
	int r;
	switch (id) {
	case OPTION_FS:
		return filesystem_by_name(text, &o->fs);
	case OPTION_PART:
		return parse_part(text, &o->usr);
	case OPTION_SIZE:
		return parse_size(text, &o->size);
	case OPTION_JOBS:
		return argument_jobs(text, &o->jobs);
	case OPTION_FEC_ROOTS:
		return parse_unsigned("--fec-roots", text, 255, &o->fec_roots);
	case OPTION_TRIES:
		return parse_unsigned("--tries", text, 99, &o->tries);
	case OPTION_LOCK_TIMEOUT:
		r = parse_unsigned("--lock-timeout", text, 86400, &seconds);
		o->lock_timeout_ms = seconds * 1000;
		return r;
	case OPTION_TRUST:
		return initrd_trust_add(&a->trust, text);
	case OPTION_REVOKED:
		return initrd_trust_revoke(&a->trust, text);
	case OPTION_FORCE:
		o->force = true;
		return 0;
	case OPTION_QCOW2:
		o->qcow2 = true;
		return 0;
	case OPTION_QUIET:
		progress_silence(true);
		return 0;
	case OPTION_JSON:
		a->json = true;
		return 0;
	default:
		return error_usage("build: see cairn help build");
	}
}

static int parse(struct arguments *a, int argc, char **argv)
{
	int id;
	opterr = 0;
	optind = 0;
	while ((id = getopt_long(argc, argv, ":o:", table, NULL)) >= 0) {
		if (id == '?' || id == ':')
			return argument_unknown(id, argv);
		const char **text = text_option(a, id);
		int r = 0;
		if (text)
			*text = optarg;
		else
			r = take_option(a, id, optarg);
		if (r < 0)
			return r;
	}
	if (argc - optind != 1 || (!a->image.output && !a->blobfs))
		return error_usage(
			"build: give one TREE or TAR, and -o IMAGE or --blobfs IMAGE");
	if (a->blobfs && a->image.usr)
		return error_usage(
			"build: --blobfs takes all of the tree, not --part usr");
	a->image.tree = argv[optind];
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
