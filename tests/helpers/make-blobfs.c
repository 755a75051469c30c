/* SPDX-License-Identifier: MIT */
/*
 * make-blobfs IMAGE N [FIRST]: an image of the N blobs "blob FIRST\n" and so on, for
 * tests that need more blobs than files can be written in their time. An image that
 * exists is added to.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blobfs/add.h"
#include "blobfs/image.h"

static int add(struct blobfs_store *s, unsigned long first, unsigned long n)
{
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	char text[40];
	int r = 0;
	for (unsigned long i = first; i < first + n && r == 0; i++) {
		int size = snprintf(text, sizeof text, "blob %lu\n", i);
		r = blobfs_add_span(s, span_of(text, (size_t)size), digest);
	}
	return r < 0 ? r : blobfs_store_commit(s);
}

static int make_new(const char *path, unsigned long first, unsigned long n)
{
	AUTO_FILE f = FILE_CLOSED;
	struct blobfs_device device;
	struct blobfs_store store = {0};
	struct blobfs_format format = {0};
	int r = file_from_fd(&f, open(path, O_RDWR | O_CREAT | O_EXCL, 0666), path);
	if (r == 0)
		r = blobfs_device_on_file(&device, &f);
	if (r < 0)
		return r;
	r = blobfs_store_format(&store, &device, &format);
	if (r == 0)
		r = add(&store, first, n);
	blobfs_store_close(&store);
	blobfs_device_close(&device);
	return r;
}

static int make(const char *path, unsigned long first, unsigned long n)
{
	AUTO_BLOBFS_IMAGE image = {0};
	if (access(path, F_OK) < 0)
		return make_new(path, first, n);
	int r = blobfs_image_open(&image, path, true);
	if (r == 0)
		r = blobfs_store_begin(&image.store);
	return r < 0 ? r : add(&image.store, first, n);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return STATUS_USAGE;
	unsigned long first = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	int r = make(argv[1], first, strtoul(argv[2], NULL, 10));
	if (r < 0)
		fprintf(stderr, "make-blobfs: %s\n", error_text());
	return r < 0 ? (int)error_status() : 0;
}
