/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/esp.h"
#include "builder/image_work.h"
#include "builder/initrd.h"
#include "builder/uki.h"
#include "core/authenticode.h"
#include "initrd/compose/anchors.h"

/* Where the package systemd-boot-efi has them. */
#define BOOT_FILES    "/usr/lib/systemd/boot/efi"
#define BOOT_FILE_MAX ((size_t)16 << 20)

/* No menu, and nobody edits the command line at the console. */
#define LOADER_CONF "timeout 0\neditor no\n"

/* UEFI's names for the architecture, in small letters. */
static const char *efi_arch(const struct image *im)
{
	return strcmp(im->kernel.architecture, "arm64") ? "x64" : "aa64";
}

static int read_boot_file(const struct image *im, const char *format, struct buffer *b)
{
	const char *directory = im->o->boot_files ? im->o->boot_files : BOOT_FILES;
	char name[32], *path;
	snprintf(name, sizeof name, format, efi_arch(im));
	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return error_memory();
	int r = file_slurp(path, BOOT_FILE_MAX, b);
	free(path);
	return r;
}

static int add_word(struct buffer *line, const char *key, const char *value)
{
	return value ? buffer_printf(line, " %s=%s", key, value) : 0;
}

/* The whole command line for an image with ROOT_HEX, appended to LINE. */
static int make_cmdline(const struct image *im, const char *root_hex, struct buffer *line)
{
	const struct image_options *o = im->o;
	int r = buffer_printf(line, "%s=%s", o->usr ? "usrhash" : "roothash", root_hex);
	if (r == 0)
		r = add_word(line, "cairn.overlay", o->overlay);
	if (r == 0)
		r = add_word(line, "cairn.verity", o->verity);
	if (r == 0)
		r = add_word(line, "cairn.on-failure", o->on_failure);
	if (r == 0 && o->cmdline && *o->cmdline)
		r = buffer_printf(line, " %s", o->cmdline);
	return r;
}

static int make_policy(
	const struct image *im, const struct buffer *line, struct policy *p)
{
	policy_defaults(p);
	snprintf(p->fs, sizeof p->fs, "%s", filesystem_name(im->o->fs));
	p->part = im->o->usr ? PART_USR : PART_ROOT;
	int r = policy_from_cmdline(p, buffer_text(line));
	if (r == 0)
		r = anchors_epoch(buffer_span(&im->os_release), im->o->tree, &p->epoch);
	return r < 0 ? r : policy_check(p);
}

/* A machine must not get an image that its own initrd would refuse. */
static int check_trust(const struct image *im, const struct policy *p)
{
	const struct initrd_trust *trust = im->o->trust;
	if (!policy_requires(p, PURPOSE_ROOT))
		return 0;
	if (!trust || !trust->n_pins)
		return error_usage("build: cairn.require-signature=root needs --trust");
	if (!im->o->key)
		return 0;
	for (size_t i = 0; i < trust->n_pins; i++)
		if (!strcmp(trust->pins[i].fingerprint,
			    im->signer.certificate.fingerprint))
			return 0;
	return error_set(STATUS_TRUST, EKEYREJECTED,
		"%s: signs the root, but is not among the trusted",
		im->signer.certificate.name);
}

static int make_initrd(struct image *im)
{
	struct initrd_options i = {.kernel = im->kernel.release,
		.drivers = im->o->drivers ? im->o->drivers : "cloud",
		.trust = im->o->trust};
	int r = make_policy(im, &im->cmdline, &i.policy);
	return r < 0 ? r : initrd_make(&im->tree, &i, &im->initrd);
}

static int make_uki(struct image *im, struct buffer *image)
{
	const struct uki uki = {.stub = buffer_span(&im->stub),
		.osrel = buffer_span(&im->os_release),
		.cmdline = buffer_span(&im->cmdline),
		.kernel = buffer_span(&im->kernel.image),
		.initrd = buffer_span(&im->initrd),
		.uname = span_of(im->kernel.release, strlen(im->kernel.release))};
	return uki_make(&uki, image);
}

/* PROGRAM as it goes onto the ESP: signed if there is a key. */
static int finish_program(const struct image *im, const char *name, struct span program,
	struct buffer *finished)
{
	struct pe pe;
	if (!im->o->key)
		return buffer_append(finished, program.data, program.size);
	int r = pe_parse(&pe, program, name);
	return r < 0 ? r : authenticode_sign(&pe, &im->signer, finished);
}

int image_uki_path(const struct image *im, struct buffer *path)
{
	const struct identity *i = &im->identity;
	int r = buffer_printf(path, "EFI/Linux/%s_%s", i->id, i->version);
	if (r == 0 && im->o->tries)
		r = buffer_printf(path, "+%u", im->o->tries);
	return r < 0 ? r : buffer_printf(path, ".efi");
}

static int make_esp(struct image *im, struct span loader)
{
	BUFFER path = {0};
	int r = image_uki_path(im, &path);
	if (r < 0)
		return r;
	const bool arm = !strcmp(efi_arch(im), "aa64");
	const struct esp_file files[] = {
		{arm ? "EFI/BOOT/BOOTAA64.EFI" : "EFI/BOOT/BOOTX64.EFI", loader},
		{buffer_text(&path), buffer_span(&im->uki)},
		{"loader/loader.conf", span_of(LOADER_CONF, strlen(LOADER_CONF))},
	};
	struct esp esp = {.files = files,
		.n_files = sizeof files / sizeof files[0],
		.size = im->esp_size,
		.epoch = im->epoch};
	uint8_t uuid[16];
	if ((r = identity_uuid(&im->identity, "esp volume", true, uuid)) < 0)
		return r;
	esp.volume_id = get_le32(uuid) | 1;
	r = file_scratch(&im->esp, im->sealed.scratch.name);
	return r < 0 ? r : esp_make(&esp, &im->esp);
}

int image_prepare_boot(struct image *im)
{
	char zeros[sizeof im->sealed.root_hex];
	memset(zeros, '0', sizeof zeros - 1);
	zeros[sizeof zeros - 1] = 0;
	BUFFER line = {0};
	struct policy policy;
	int r = make_cmdline(im, zeros, &line);
	if (r == 0)
		r = make_policy(im, &line, &policy);
	if (r == 0)
		r = check_trust(im, &policy);
	if (r == 0)
		r = read_boot_file(im, "linux%s.efi.stub", &im->stub);
	return r < 0 ? r : read_boot_file(im, "systemd-boot%s.efi", &im->loader);
}

int image_make_boot(struct image *im)
{
	BUFFER uki = {0}, loader = {0};
	int r = make_cmdline(im, im->sealed.root_hex, &im->cmdline);
	if (r == 0)
		r = make_initrd(im);
	if (r == 0)
		r = make_uki(im, &uki);
	if (r == 0)
		r = finish_program(im, "the UKI", buffer_span(&uki), &im->uki);
	if (r == 0)
		r = finish_program(
			im, "the boot loader", buffer_span(&im->loader), &loader);
	/* From the unsigned sizes, so that a signature changes nothing else. */
	im->esp_size = esp_size(uki.size + im->loader.size);
	return r < 0 ? r : make_esp(im, buffer_span(&loader));
}
