/* SPDX-License-Identifier: MIT */
#include "builder/bundle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/device.h"
#include "core/hash.h"
#include "core/hex.h"
#include "core/path.h"
#include "core/process.h"

static const char *const suffixes[BUNDLE_N] = {
	[BUNDLE_ROOTHASH] = ".roothash",
	[BUNDLE_EFI] = ".efi",
	[BUNDLE_VMLINUZ] = ".vmlinuz",
	[BUNDLE_INITRD] = ".initrd",
	[BUNDLE_QCOW2] = ".qcow2",
	[BUNDLE_MANIFEST] = ".manifest.json",
	[BUNDLE_SUMS] = ".SHA256SUMS",
};

/* "os.raw" and "os.img" give "os"; any other name stays. */
static size_t stem_length(const char *path)
{
	size_t n = strlen(path);
	if (n > 4 && path[n - 5] != '/' &&
		(!strcmp(path + n - 4, ".raw") || !strcmp(path + n - 4, ".img")))
		n -= 4;
	return n;
}

static int open_item(
	struct bundle *b, enum bundle_item item, const struct bundle_options *o)
{
	char *path;
	int r = item == BUNDLE_IMAGE
			? asprintf(&path, "%s", o->path)
			: asprintf(&path, "%.*s%s", (int)stem_length(o->path), o->path,
				  suffixes[item]);
	if (r < 0)
		return error_memory();
	r = 0;
	b->wanted[item] = item == BUNDLE_IMAGE || !o->existing || access(path, F_OK) == 0;
	if (b->wanted[item])
		r = output_open(&b->items[item], path, 0644, o->replace);
	free(path);
	b->wanted[item] = b->wanted[item] && r == 0;
	return r;
}

static int open_device(struct bundle *b, const struct bundle_options *o)
{
	if (o->qcow2)
		return error_usage("%s: is a block device: no qcow2 beside it", o->path);
	if (!o->replace)
		return error_usage(
			"%s: is a block device (--force writes over it)", o->path);
	return device_open(&b->device, o->path, o->lock_timeout_ms);
}

int bundle_open(struct bundle *b, const struct bundle_options *o)
{
	*b = BUNDLE_CLOSED;
	struct stat st;
	int r = 0;
	if (stat(o->path, &st) == 0 && S_ISBLK(st.st_mode))
		r = open_device(b, o);
	else
		/* The image first: it is the name people know. */
		for (int i = BUNDLE_N - 1; r == 0 && i >= 0; i--)
			if (i != BUNDLE_QCOW2 || o->qcow2 || o->existing)
				r = open_item(b, (enum bundle_item)i, o);
	if (r < 0)
		bundle_close(b);
	return r;
}

const struct file *bundle_image(const struct bundle *b)
{
	return b->device.fd >= 0 ? &b->device : &b->items[BUNDLE_IMAGE].file;
}

int bundle_begin(struct bundle *b, uint64_t size)
{
	if (b->device.fd >= 0 && size > b->device.size)
		return error_set(STATUS_FAILED, ENOSPC,
			"%s: has %ju bytes, the image needs %ju", b->device.name,
			(uintmax_t)b->device.size, (uintmax_t)size);
	if (b->device.fd >= 0)
		return device_begin(&b->device);
	struct file *f = &b->items[BUNDLE_IMAGE].file;
	if (ftruncate(f->fd, (off_t)size) < 0)
		return error_errno(
			"%s: cannot make it %ju bytes long", f->name, (uintmax_t)size);
	f->size = size;
	return 0;
}

int bundle_put(struct bundle *b, enum bundle_item item, struct span contents)
{
	struct output *o = &b->items[item];
	if (!b->wanted[item])
		return 0;
	o->file.size = contents.size;
	return file_write(&o->file, contents.data, contents.size, 0);
}

int bundle_convert(struct bundle *b)
{
	if (!b->wanted[BUNDLE_QCOW2])
		return 0;
	struct file *to = &b->items[BUNDLE_QCOW2].file;
	const int fds[] = {bundle_image(b)->fd, to->fd};
	char source[32], target[32];
	snprintf(source, sizeof source, "/proc/self/fd/%d", fds[0]);
	snprintf(target, sizeof target, "/proc/self/fd/%d", fds[1]);
	const char *argv[] = {"qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2",
		source, target, NULL};
	const struct process p = {.argv = argv,
		.keep_fds = fds,
		.n_keep_fds = 2,
		.stdin_fd = -1,
		.stdout_fd = -1};
	int r = process_run(&p, NULL);
	struct stat st;
	if (r == 0 && fstat(to->fd, &st) < 0)
		r = error_errno("%s: cannot stat", to->name);
	if (r == 0)
		to->size = (uint64_t)st.st_size;
	return r;
}

int bundle_sum(struct bundle *b)
{
	BUFFER sums = {0};
	int r = 0;
	for (int i = 0; r == 0 && i < BUNDLE_N; i++) {
		const struct file *f = &b->items[i].file;
		uint8_t digest[32];
		char hex[65];
		if (!b->wanted[i] || i == BUNDLE_SUMS)
			continue;
		r = hash_file(HASH_SHA256, f, 0, f->size, digest);
		if (r == 0)
			r = buffer_printf(&sums, "%s  %s\n", hex_encode(digest, 32, hex),
				path_base(b->items[i].path));
	}
	return r < 0 ? r : bundle_put(b, BUNDLE_SUMS, buffer_span(&sums));
}

int bundle_commit(struct bundle *b)
{
	if (b->device.fd >= 0)
		return device_finish(&b->device);
	return output_commit_all(b->items, BUNDLE_N);
}

void bundle_close(struct bundle *b)
{
	for (int i = 0; i < BUNDLE_N; i++) {
		output_close(&b->items[i]);
		b->wanted[i] = false;
	}
	file_close(&b->device);
}
