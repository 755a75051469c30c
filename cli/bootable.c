/* SPDX-License-Identifier: MIT */
#include "cli/bootable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/uki.h"
#include "core/dps.h"
#include "core/fat.h"
#include "core/gpt.h"
#include "core/path.h"
#include "core/pe.h"
#include "core/process.h"

#define UKI_LIMIT ((size_t)1 << 30)

void bootable_free(struct bootable *b)
{
	file_close(&b->kernel);
	file_close(&b->initrd);
	buffer_free(&b->cmdline);
	buffer_free(&b->origin);
}

/* The section NAME as a file in memory. Returns 0, or 1 if there is none. */
static int take_section(const struct pe *pe, const char *name, struct file *f)
{
	BUFFER label = {0};
	struct span s;
	int r = pe_find(pe, name, &s);
	if (r == 0)
		r = buffer_printf(&label, "%s:%s", pe->name, name);
	return r ? r : file_in_memory(f, buffer_text(&label), s);
}

/* The command line is text that ends at the first NUL; other control characters are odd.
 */
static int take_cmdline(const struct pe *pe, struct buffer *cmdline)
{
	struct span s;
	int r = pe_find(pe, ".cmdline", &s);
	if (r)
		return r < 0 ? r : 0;
	size_t size = strnlen((const char *)s.data, s.size);
	while (size > 0 && (s.data[size - 1] == '\n' || s.data[size - 1] == ' '))
		size--;
	for (size_t i = 0; i < size; i++)
		if (s.data[i] < ' ')
			return error_format(
				"%s: .cmdline has control character %u at %zu", pe->name,
				s.data[i], i);
	return buffer_append(cmdline, s.data, size);
}

static int from_bytes(struct bootable *b, struct span uki)
{
	struct pe pe;
	int r = pe_parse(&pe, uki, buffer_text(&b->origin));
	if (r == 0)
		r = take_section(&pe, ".linux", &b->kernel);
	if (r > 0)
		return error_format(
			"%s: is no unified kernel image: it has no section .linux",
			buffer_text(&b->origin));
	if (r == 0)
		r = take_section(&pe, ".initrd", &b->initrd);
	return r < 0 ? r : take_cmdline(&pe, &b->cmdline);
}

/* NAME without ".efi" and the boot counter "+LEFT[-DONE]" before it (UAPI.1). */
static void plain_name(const char *name, char plain[FAT_NAME_SIZE])
{
	snprintf(plain, FAT_NAME_SIZE, "%s", name);
	char *dot = strrchr(plain, '.'), *plus;
	if (dot)
		*dot = 0;
	if ((plus = strrchr(plain, '+')) &&
		plus[1 + strspn(plus + 1, "0123456789-")] == 0)
		*plus = 0;
}

static int keep_highest(void *context, const struct fat_entry *entry)
{
	struct fat_entry *best = context;
	char name[FAT_NAME_SIZE], highest[FAT_NAME_SIZE];
	size_t size = strlen(entry->name);
	if (entry->is_directory || size < 5 || strcasecmp(entry->name + size - 4, ".efi"))
		return 0;
	plain_name(entry->name, name);
	plain_name(best->name, highest);
	if (!best->name[0] || strverscmp(name, highest) > 0)
		*best = *entry;
	return 0;
}

static int choose(const struct fat *fat, struct fat_entry *uki, struct buffer *origin)
{
	struct fat_entry directory;
	uki->name[0] = 0;
	int r = fat_find(fat, "EFI/Linux", &directory);
	if (r == 0 && directory.is_directory)
		r = fat_list(fat, &directory, keep_highest, uki);
	if (r == 0 && uki->name[0])
		return buffer_printf(origin, ":/EFI/Linux/%s", uki->name);
	if (r < 0 && r != -ENOENT)
		return r;
	r = fat_find(fat, "EFI/BOOT/BOOTX64.EFI", uki);
	return r < 0 ? r : buffer_printf(origin, ":/EFI/BOOT/BOOTX64.EFI");
}

static const struct gpt_partition *find_esp(const struct gpt *gpt)
{
	for (size_t i = 0; i < gpt->n_partitions; i++) {
		const struct dps_type *type = dps_by_uuid(gpt->partitions[i].type);
		if (type && type->role == DPS_ESP)
			return &gpt->partitions[i];
	}
	return NULL;
}

/* Returns 0, or 1 if the image has no EFI system partition. */
static int read_uki(const struct file *f, struct buffer *uki, struct buffer *origin)
{
	AUTO_GPT gpt = {0};
	struct fat fat;
	struct fat_entry entry;
	int r = gpt_read_file(f, 0, &gpt);
	if (r < 0)
		return r;
	const struct gpt_partition *esp = find_esp(&gpt);
	if (!esp)
		return 1;
	r = buffer_printf(origin, "%s", f->name);
	if (r == 0)
		r = fat_open(&fat, f, esp->offset, esp->size);
	if (r == 0)
		r = choose(&fat, &entry, origin);
	return r < 0 ? r : fat_read(&fat, &entry, UKI_LIMIT, uki);
}

int bootable_from_image(struct bootable *b, const struct file *f)
{
	BUFFER uki = {0};
	*b = BOOTABLE_EMPTY;
	int r = read_uki(f, &uki, &b->origin);
	return r ? r : from_bytes(b, buffer_span(&uki));
}

int bootable_pcr11(const struct file *f, uint8_t pcr[32])
{
	BUFFER uki = {0}, origin = {0};
	struct pe pe;
	int r = read_uki(f, &uki, &origin);
	if (r > 0)
		r = error_format("%s: has no EFI system partition", f->name);
	if (r == 0)
		r = pe_parse(&pe, buffer_span(&uki), buffer_text(&origin));
	return r < 0 ? r : uki_pcr11(&pe, pcr);
}

int bootable_from_uki(struct bootable *b, const char *path)
{
	BUFFER uki = {0};
	*b = BOOTABLE_EMPTY;
	int r = buffer_printf(&b->origin, "%s", path);
	if (r == 0)
		r = file_slurp(path, UKI_LIMIT, &uki);
	return r < 0 ? r : from_bytes(b, buffer_span(&uki));
}

/* The raw contents of a qcow2 image, in a file without a name. */
static int unpack_qcow2(const struct file *f, uint64_t size, struct file *raw)
{
	char from[32], to[32];
	int fds[2];
	if (size > (uint64_t)1 << 44)
		return error_format("%s: a virtual size of %ju bytes is absurd", f->name,
			(uintmax_t)size);
	int r = file_scratch(raw, "/var/tmp/cairn");
	if (r == 0 && ftruncate(raw->fd, (off_t)size) < 0)
		r = error_errno("%s: cannot unpack it into /var/tmp", f->name);
	if (r < 0)
		return r;
	raw->size = size;
	fds[0] = f->fd;
	fds[1] = raw->fd;
	snprintf(from, sizeof from, "/proc/self/fd/%d", fds[0]);
	snprintf(to, sizeof to, "/proc/self/fd/%d", fds[1]);
	const char *const argv[] = {
		"qemu-img", "convert", "-n", "-f", "qcow2", "-O", "raw", from, to, NULL};
	struct process p = {.argv = argv,
		.keep_fds = fds,
		.n_keep_fds = 2,
		.stdin_fd = -1,
		.stdout_fd = -1};
	r = process_run(&p, NULL);
	free(raw->name);
	if (!(raw->name = strdup(f->name)) && r == 0)
		r = error_memory();
	return r < 0 ? error_context(r, "%s", f->name) : 0;
}

/* The UKI that lies beside the image, where the image itself has none. */
static int find_beside(struct bootable *b, const char *image)
{
	BUFFER path = {0};
	const char *dot = strrchr(path_base(image), '.');
	int stem = dot ? (int)(dot - image) : (int)strlen(image);
	int r = buffer_printf(&path, "%.*s.efi", stem, image);
	if (r < 0)
		return r;
	if (access(buffer_text(&path), F_OK))
		return error_format("%s: has no EFI system partition, and there is no %s",
			image, buffer_text(&path));
	return bootable_from_uki(b, buffer_text(&path));
}

static int load_files(struct bootable *b, const struct bootable_source *s)
{
	*b = BOOTABLE_EMPTY;
	int r = file_open(&b->kernel, s->kernel);
	if (r == 0 && s->initrd)
		r = file_open(&b->initrd, s->initrd);
	return r < 0 ? r : buffer_printf(&b->origin, "%s", s->kernel);
}

int bootable_load(struct bootable *b, const struct bootable_source *s)
{
	AUTO_FILE raw = FILE_CLOSED;
	if (s->kernel)
		return load_files(b, s);
	if (s->uki)
		return bootable_from_uki(b, s->uki);
	int r = s->qcow2 ? unpack_qcow2(s->image, s->size, &raw) : 0;
	if (r == 0)
		r = bootable_from_image(b, s->qcow2 ? &raw : s->image);
	return r > 0 ? find_beside(b, s->path) : r;
}
