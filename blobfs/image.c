/* SPDX-License-Identifier: MIT */
#include "blobfs/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/hex.h"
#include "core/progress.h"

int blobfs_image_open(struct blobfs_image *image, const char *path, bool write)
{
	memset(image, 0, sizeof *image);
	int r = file_open_image(&image->file, path, write ? O_RDWR : O_RDONLY);
	/* The lock comes first: only then is the superblock one that stays readable. */
	if (r == 0)
		r = write ? blobfs_lock_writer(&image->file, BLOBFS_LOCK_MS)
			  : blobfs_lock_reader(&image->file, BLOBFS_LOCK_MS);
	struct file again = FILE_CLOSED;
	if (r == 0)
		r = file_open_image(&again, path, O_RDONLY);
	/* Whoever had the lock before may have made the file larger. */
	if (r == 0)
		image->file.size = again.size;
	file_close(&again);
	if (r == 0)
		r = blobfs_device_on_file(&image->device, &image->file);
	if (r == 0)
		r = blobfs_store_open(&image->store, &image->device);
	if (r < 0)
		blobfs_image_close(image);
	else if (image->store.fs.unread && !write)
		progress_note("%s: superblock %c cannot be read: generation %ju may not "
			      "be the newest",
			path, blobfs_unread(&image->store.fs),
			(uintmax_t)image->store.fs.generation);
	return r;
}

void blobfs_image_close(struct blobfs_image *image)
{
	blobfs_store_close(&image->store);
	blobfs_device_close(&image->device);
	file_close(&image->file);
}

int blobfs_digest_parse(const char *text, uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	const char *hex = strncmp(text, "sha256:", 7) ? text : text + 7;
	if (hex_decode(hex, digest, BLOBFS_DIGEST_SIZE) < 0)
		return error_usage("%s: is no digest (64 hex digits)", text);
	return 0;
}

char *blobfs_digest_text(
	const uint8_t digest[BLOBFS_DIGEST_SIZE], char text[BLOBFS_DIGEST_TEXT])
{
	memcpy(text, "sha256:", 7);
	hex_encode(digest, BLOBFS_DIGEST_SIZE, text + 7);
	return text;
}
