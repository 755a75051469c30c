/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "builder/composefs.h"
#include "core/fsverity.h"
#include "core/workers.h"

/* Files up to this size are hashed in memory; larger ones through an unnamed file. */
#define IN_MEMORY ((uint64_t)1 << 20)

struct job {
	const struct tree *tree;
	uint8_t (*digests)[COMPOSEFS_DIGEST_SIZE];
};

static int digest_small(
	const struct tree *tree, const struct tree_entry *entry, uint8_t *digest)
{
	BUFFER content = {0};
	int r = tree_read(tree, entry, IN_MEMORY, &content);
	if (r < 0)
		return r;
	return fsverity_digest_span(&FSVERITY_DEFAULTS, buffer_span(&content), digest);
}

static int copy_piece(void *context, struct span data, uint64_t offset)
{
	return file_write(context, data.data, data.size, offset);
}

/* Holes of the file stay holes of the copy. */
static int digest_large(
	const struct tree *tree, const struct tree_entry *entry, uint8_t *digest)
{
	AUTO_FILE copy = FILE_CLOSED;
	int r = file_in_memory(&copy, entry->path, span_of("", 0));
	if (r == 0 && ftruncate(copy.fd, (off_t)entry->size) < 0)
		r = error_errno("%s: cannot make room for a copy in memory", entry->path);
	if (r == 0)
		r = tree_stream(tree, entry, copy_piece, &copy);
	copy.size = entry->size;
	struct merkle_data data = {.file = &copy, .size = entry->size};
	return r < 0 ? r : fsverity_digest_file(&FSVERITY_DEFAULTS, &data, 1, digest);
}

static int digest_entry(void *context, unsigned worker, uint64_t item)
{
	const struct job *job = context;
	const struct tree_entry *entry = &job->tree->entries[item];
	(void)worker;
	if (!composefs_has_blob(entry) || entry->first_name != item)
		return 0;
	return entry->size <= IN_MEMORY
		       ? digest_small(job->tree, entry, job->digests[item])
		       : digest_large(job->tree, entry, job->digests[item]);
}

int composefs_digests(
	const struct tree *tree, unsigned jobs, uint8_t (*digests)[COMPOSEFS_DIGEST_SIZE])
{
	struct job job = {tree, digests};
	int r = workers_run(jobs, tree->n_entries, digest_entry, &job);
	for (size_t i = 0; r == 0 && i < tree->n_entries; i++)
		memcpy(digests[i], digests[tree->entries[i].first_name],
			COMPOSEFS_DIGEST_SIZE);
	return r;
}
