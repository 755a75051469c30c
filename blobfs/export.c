/* SPDX-License-Identifier: MIT */
#include "blobfs/export.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/hex.h"
#include "core/interrupt.h"
#include "core/output.h"
#include "core/path.h"
#include "core/progress.h"

#define CHUNK ((size_t)1 << 20)

static int write_all(int fd, const uint8_t *data, size_t size, const char *name)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_errno("%s: cannot write", name);
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int blobfs_export_fd(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE],
	int fd, const char *name)
{
	struct blobfs_blob blob;
	int r = blobfs_open_blob(&s->fs, digest, &blob);
	if (r)
		return blobfs_failed(&s->fs, s->device->name, r);
	uint8_t *chunk = malloc(CHUNK);
	if (!chunk)
		return error_memory();
	for (uint64_t at = 0; at < blob.entry.size && r == 0;) {
		size_t n = 0;
		if ((r = interrupt_check()) < 0)
			break;
		r = blobfs_read(&s->fs, &blob, at, chunk, CHUNK, &n);
		if (r)
			r = blobfs_failed(&s->fs, s->device->name, r);
		else
			r = write_all(fd, chunk, n, name);
		at += n;
	}
	free(chunk);
	return r;
}

int blobfs_export_file(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE],
	const char *path, bool replace)
{
	AUTO_OUTPUT out = OUTPUT_CLOSED;
	int r = output_open(&out, path, 0666, replace);
	if (r == 0)
		r = blobfs_export_fd(s, digest, out.file.fd, path);
	return r < 0 ? r : output_commit(&out);
}

static int export_entry(
	struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE], const char *dir)
{
	char hex[2 * BLOBFS_DIGEST_SIZE + 1];
	BUFFER path = {0};
	hex_encode(digest, BLOBFS_DIGEST_SIZE, hex);
	int r = buffer_printf(&path, "%s/%.2s", dir, hex);
	if (r == 0)
		r = path_make_dirs(buffer_text(&path), 0777);
	if (r == 0)
		r = buffer_printf(&path, "/%s", hex + 2);
	return r < 0 ? r : blobfs_export_file(s, digest, buffer_text(&path), true);
}

int blobfs_export_all(struct blobfs_store *s, const char *path)
{
	struct blobfs_walk walk;
	struct blobfs_entry e;
	uint64_t n = 0;
	int r = path_make_dirs(path, 0777);
	if (r < 0)
		return r;
	r = blobfs_walk_start(&walk, &s->fs, s->device->name, NULL, 0, s->fs.n_runs);
	while (r == 0 && (r = blobfs_walk_next(&walk, &e)) > 0) {
		r = 0;
		if (e.size == BLOBFS_TOMBSTONE)
			continue;
		r = export_entry(s, e.digest, path);
		n++;
	}
	blobfs_walk_stop(&walk);
	if (r == 0)
		progress_note("%s: %ju blobs", path, (uintmax_t)n);
	return r;
}
