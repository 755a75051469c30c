/* SPDX-License-Identifier: MIT */
/* An image of any bytes, checked as fsck.blobfs does; what is found good can be read. */
#include <errno.h>

#include "blobfs/check.h"
#include "core/progress.h"
#include "tests/fuzz/blobfs_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int device_read(void *context, uint64_t offset, void *data, size_t size)
{
	if (offset > SIZE || size > SIZE - offset)
		return error_set(STATUS_FAILED, EIO, "read outside");
	return read_image(context, offset, data, size);
}

static void found(void *context, enum status status, const char *sentence)
{
	unsigned *n = context;
	if (status != STATUS_CONTENT && status != STATUS_FORMAT)
		abort();
	if (!*sentence || strchr(sentence, '\n'))
		abort();
	++*n;
}

/* Every blob, its last bytes first. */
static void read_all(struct blobfs_store *s)
{
	struct blobfs_walk walk;
	struct blobfs_entry entry;
	struct blobfs_blob blob;
	uint8_t end[100];
	size_t n;
	int r = blobfs_walk_start(&walk, &s->fs, "image", NULL, 0, s->fs.n_runs);
	while (r == 0 && blobfs_walk_next(&walk, &entry) > 0) {
		if (entry.size == BLOBFS_TOMBSTONE)
			continue;
		uint64_t at = entry.size > sizeof end ? entry.size - sizeof end : 0;
		if (blobfs_open_entry(&s->fs, &entry, &blob) != 0 ||
			blobfs_read(&s->fs, &blob, at, end, sizeof end, &n) != 0 ||
			n != entry.size - at)
			abort();
	}
	blobfs_walk_stop(&walk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned n = 0;
	struct blobfs_device device = {
		.name = "image", .size = SIZE, .read = device_read};
	struct blobfs_store store = {0};
	struct blobfs_check check = {
		.jobs = 1, .all = true, .context = &n, .found = found};
	if (!lay_out(data, size))
		return 0;
	progress_silence(true);
	if (blobfs_device_init(&device) < 0)
		abort();
	if (blobfs_store_open(&store, &device) == 0 &&
		blobfs_check(&check, &store) == 0) {
		if (n != check.n_findings || (n > 0) != (check.worst != STATUS_GOOD))
			abort();
		if (n == 0)
			read_all(&store);
	}
	blobfs_store_close(&store);
	blobfs_device_close(&device);
	return 0;
}
