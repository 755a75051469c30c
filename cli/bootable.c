/* SPDX-License-Identifier: MIT */
#include "cli/bootable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/dps.h"
#include "core/fat.h"
#include "core/gpt.h"
#include "core/pe.h"

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

int bootable_from_image(struct bootable *b, const struct file *f)
{
	AUTO_GPT gpt = {0};
	BUFFER uki = {0};
	struct fat fat;
	struct fat_entry entry;
	*b = BOOTABLE_EMPTY;
	int r = gpt_read_file(f, 0, &gpt);
	if (r < 0)
		return r;
	const struct gpt_partition *esp = find_esp(&gpt);
	if (!esp)
		return 1;
	r = buffer_printf(&b->origin, "%s", f->name);
	if (r == 0)
		r = fat_open(&fat, f, esp->offset, esp->size);
	if (r == 0)
		r = choose(&fat, &entry, &b->origin);
	if (r == 0)
		r = fat_read(&fat, &entry, UKI_LIMIT, &uki);
	return r < 0 ? r : from_bytes(b, buffer_span(&uki));
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
