/* SPDX-License-Identifier: MIT */
#include "builder/initrd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/modules.h"
#include "core/path.h"
#include "core/resource.h"
#include "initrd/compose/anchors.h"
#include "initrd/plan/drivers.h"

#define MODULE_MAX (64 << 20)
#define INIT_MAX   (16 << 20)

/*
 * The processor's own SHA-256 for dm-verity, loaded where the processor has it, as a
 * driver is: up to four times as fast as the generic code.
 */
static const char *const drivers_processor[] = {"sha256-ssse3", "sha256-ce", NULL};

/* For the floor of epochs, where the kernel does not have them built in. */
static const char *const drivers_tpm[] = {"tpm_tis", "tpm_crb", NULL};

/* Storage drivers, each set with those before it. What a kernel lacks is left out. */
static const char *const drivers_virtio[] = {
	"virtio_pci", "virtio_mmio", "virtio_blk", "virtio_scsi", "sd_mod", NULL};
static const char *const drivers_cloud[] = {"nvme", "xen-blkfront", "hv_vmbus",
	"hv_storvsc", "vmw_pvscsi", "ahci", "ata_piix", NULL};
static const char *const drivers_generic[] = {"vmd", "xhci_pci", "ehci_pci", "uhci_hcd",
	"ohci_pci", "usb_storage", "uas", "sdhci_pci", "sdhci_acpi", "mmc_block",
	"mptspi", "mptsas", "mpt3sas", "megaraid_sas", "aacraid", "hpsa", "smartpqi",
	"sata_nv", "sata_sil", "sata_sil24", "sata_via", "pata_amd", "ata_generic", NULL};
static const struct {
	const char *name;
	const char *const *drivers;
} sets[] = {{"virtio", drivers_virtio}, {"cloud", drivers_cloud},
	{"generic", drivers_generic}};

static int add_always(struct modules *m, const char *name)
{
	int r = modules_add_always(m, name);
	if (r > 0)
		return error_format("%s/%s: has no module %s, which the boot needs",
			m->tree->name, m->directory, name);
	return r;
}

static int add_list(struct modules *m, const char *const *names)
{
	int r = 0;
	for (; r >= 0 && *names; names++)
		r = modules_add_driver(m, *names);
	return r < 0 ? r : 0;
}

static int add_drivers(struct modules *m, const char *set)
{
	int r = add_list(m, drivers_processor);
	if (r == 0)
		r = add_list(m, drivers_tpm);
	for (size_t i = 0; r == 0 && i < sizeof sets / sizeof sets[0]; i++) {
		r = add_list(m, sets[i].drivers);
		if (r == 0 && !strcmp(sets[i].name, set))
			return 0;
	}
	return r < 0 ? r
		     : error_usage(
			       "%s: is none of the driver sets virtio, cloud and generic",
			       set);
}

/* What images of extensions need, of whatever file system they are. */
static int add_extension_modules(struct modules *m)
{
	static const char *const names[] = {"loop", "erofs", "squashfs"};
	int r = 0;
	for (size_t i = 0; r >= 0 && i < sizeof names / sizeof names[0]; i++)
		r = modules_add_always(m, names[i]);
	return r < 0 ? r : 0;
}

static int choose_modules(
	struct modules *m, const struct tree *tree, const struct initrd_options *o)
{
	int r = modules_open(m, tree, o->kernel);
	/* dm-verity asks for sha256 by name, which the kernel would run modprobe for. */
	if (r == 0 && (r = modules_add_always(m, "sha256_generic")) > 0)
		r = 0;
	if (r == 0)
		r = add_always(m, "dm-verity");
	if (r == 0)
		r = add_always(m, o->policy.fs);
	if (r == 0 && (o->policy.overlay != OVERLAY_NONE || o->policy.extensions))
		r = add_always(m, "overlay");
	if (r == 0 && o->policy.extensions)
		r = add_extension_modules(m);
	if (r == 0 && policy_keeps_state(&o->policy))
		r = add_always(m, o->policy.state);
	if (r >= 0)
		r = modules_add_for(m, "efivarfs", DRIVERS_EFIVARS);
	return r < 0 ? r : add_drivers(m, o->drivers);
}

/* ---- the archive ------------------------------------------------------------------ */

struct archive_out {
	struct archive *archive;
	struct archive_entry *entry;
	struct buffer *cpio;
	int64_t number; /* inode numbers: 1, 2, ... in the order of the archive */
};

static la_ssize_t keep(struct archive *a, void *context, const void *data, size_t size)
{
	struct buffer *cpio = context;
	if (buffer_append(cpio, data, size) < 0) {
		archive_set_error(a, ENOMEM, "out of memory");
		return -1;
	}
	return (la_ssize_t)size;
}

static int archive_failed(const struct archive_out *out)
{
	const char *why = archive_error_string(out->archive);
	return error_set(
		STATUS_FAILED, EIO, "cannot write the initrd: %s", why ? why : "?");
}

static void archive_out_free(struct archive_out *out)
{
	archive_entry_free(out->entry);
	archive_write_free(out->archive);
}

static int archive_out_open(struct archive_out *out, struct buffer *cpio)
{
	*out = (struct archive_out){.archive = archive_write_new(),
		.entry = archive_entry_new(),
		.cpio = cpio};
	if (!out->archive || !out->entry)
		return error_memory();
	if (archive_write_set_format_cpio_newc(out->archive) != ARCHIVE_OK ||
		archive_write_set_bytes_in_last_block(out->archive, 1) != ARCHIVE_OK ||
		archive_write_open(out->archive, cpio, NULL, keep, NULL) != ARCHIVE_OK)
		return archive_failed(out);
	return 0;
}

/* Everything belongs to root and dates from 1970. */
static int add_entry(
	struct archive_out *out, const char *path, mode_t mode, struct span data)
{
	struct archive_entry *e = archive_entry_clear(out->entry);
	archive_entry_set_pathname(e, path);
	archive_entry_set_mode(e, mode);
	archive_entry_set_size(e, (la_int64_t)data.size);
	archive_entry_set_mtime(e, 0, 0);
	archive_entry_set_ino64(e, ++out->number);
	archive_entry_set_nlink(e, S_ISDIR(mode) ? 2 : 1);
	if (S_ISCHR(mode)) {
		/* /dev/console, for what is said before devtmpfs is there. */
		archive_entry_set_rdevmajor(e, 5);
		archive_entry_set_rdevminor(e, 1);
	}
	if (archive_write_header(out->archive, e) != ARCHIVE_OK ||
		(data.size && archive_write_data(out->archive, data.data, data.size) !=
				      (la_ssize_t)data.size))
		return archive_failed(out);
	return 0;
}

static int add_directory(struct archive_out *out, const char *path)
{
	return add_entry(out, path, S_IFDIR | 0755, span_of(NULL, 0));
}

static int by_base(const void *a, const void *b)
{
	return strcmp(path_base(*(char *const *)a), path_base(*(char *const *)b));
}

/* The module files, without their directories, in the order of their names. */
static int add_modules(struct archive_out *out, struct modules *m)
{
	if (m->n_files)
		qsort(m->files, m->n_files, sizeof *m->files, by_base);
	for (size_t i = 0; i < m->n_files; i++) {
		BUFFER from = {0}, to = {0}, data = {0};
		int r = buffer_printf(&from, "%s/%s", m->directory, m->files[i]);
		if (r == 0)
			r = buffer_printf(
				&to, "%s/%s", DRIVERS_DIR, path_base(m->files[i]));
		if (r < 0)
			return r;
		const struct tree_entry *e = tree_resolve(m->tree, buffer_text(&from));
		if (!e)
			return error_format("%s: no %s, which modules.dep lists",
				m->tree->name, buffer_text(&from));
		r = tree_read(m->tree, e, MODULE_MAX, &data);
		if (r == 0)
			r = add_entry(out, buffer_text(&to), S_IFREG | 0644,
				buffer_span(&data));
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_init(struct archive_out *out)
{
	BUFFER init = {0};
	char *path = NULL;
	int r = resource_find("init", &path);
	if (r == 0)
		r = file_slurp(path, INIT_MAX, &init);
	free(path);
	return r < 0 ? r : add_entry(out, "init", S_IFREG | 0755, buffer_span(&init));
}

#define TRUST_DIR "usr/" ANCHORS_DIR

/* The certificates by their fingerprints, so that the same ones give the same bytes. */
static int add_pins(struct archive_out *out, const struct initrd_trust *trust)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < trust->n_pins; i++) {
		const struct pin *pin = &trust->pins[i];
		BUFFER path = {0};
		r = buffer_printf(&path, TRUST_DIR "/" ANCHORS_TRUST "/%s/%s.crt",
			purpose_name(PURPOSE_ROOT), pin->fingerprint);
		if (r == 0)
			r = add_entry(out, buffer_text(&path), S_IFREG | 0644,
				buffer_span(&pin->der));
	}
	return r;
}

static int add_trust(struct archive_out *out, const struct initrd_trust *trust)
{
	static const char *const directories[] = {"usr", "usr/lib", TRUST_DIR,
		TRUST_DIR "/" ANCHORS_TRUST, TRUST_DIR "/" ANCHORS_TRUST "/root"};
	int r = 0;
	if (!trust || (!trust->n_pins && !trust->revoked.size))
		return 0;
	for (size_t i = 0; r == 0 && i < sizeof directories / sizeof directories[0]; i++)
		r = add_directory(out, directories[i]);
	if (r == 0 && trust->revoked.size)
		r = add_entry(out, TRUST_DIR "/" ANCHORS_REVOKED, S_IFREG | 0644,
			buffer_span(&trust->revoked));
	return r < 0 ? r : add_pins(out, trust);
}

/* The contents, in the order of the archive. */
static int add_all(
	struct archive_out *out, const struct initrd_options *o, struct modules *m)
{
	BUFFER conf = {0};
	int r = policy_write(&o->policy, &conf);
	if (r == 0)
		r = add_directory(out, "dev");
	if (r == 0)
		r = add_entry(out, "dev/console", S_IFCHR | 0600, span_of(NULL, 0));
	if (r == 0)
		r = add_directory(out, "etc");
	if (r == 0)
		r = add_directory(out, "etc/cairn");
	if (r == 0)
		r = add_entry(out, POLICY_FILE, S_IFREG | 0644, buffer_span(&conf));
	if (r == 0)
		r = add_entry(out, DRIVERS_FILE, S_IFREG | 0644, buffer_span(&m->lines));
	if (r == 0)
		r = add_init(out);
	if (r == 0)
		r = add_directory(out, "lib");
	if (r == 0)
		r = add_directory(out, DRIVERS_DIR);
	if (r == 0)
		r = add_modules(out, m);
	return r < 0 ? r : add_trust(out, o->trust);
}

static int check_trust(const struct initrd_options *o)
{
	if (!policy_requires(&o->policy, PURPOSE_ROOT) || (o->trust && o->trust->n_pins))
		return 0;
	return error_usage("cairn.require-signature=root needs a certificate to trust");
}

int initrd_make(
	const struct tree *tree, const struct initrd_options *o, struct buffer *cpio)
{
	AUTO_MODULES modules = {0};
	struct archive_out out = {0};
	int r = policy_check(&o->policy);
	if (r == 0)
		r = check_trust(o);
	if (r == 0)
		r = choose_modules(&modules, tree, o);
	if (r == 0)
		r = archive_out_open(&out, cpio);
	if (r == 0)
		r = add_all(&out, o, &modules);
	if (r == 0 && archive_write_close(out.archive) != ARCHIVE_OK)
		r = archive_failed(&out);
	archive_out_free(&out);
	return r;
}
