/* SPDX-License-Identifier: MIT */
#include "blobfs/tools/serve_numbers.h"

#include <errno.h>
#include <sys/random.h>

#include "core/hash.h"

#define BLOB_BIT       (UINT64_C(1) << 63)
#define MAX_PLACE_BITS 31u

int serve_numbers_start(struct serve_numbers *n, const struct blobfs *fs)
{
	uint64_t total = 0, entries;
	for (uint32_t i = 0; i < fs->n_runs; i++) {
		n->first[i] = total;
		if (u64_mul(fs->runs[i].pages, BLOBFS_PAGE_ENTRIES, &entries) ||
			u64_add(total, entries, &total) || total >> MAX_PLACE_BITS)
			return error_set(STATUS_FAILED, EFBIG,
				"the index has room for more blobs than can be numbered");
	}
	n->first[fs->n_runs] = total;
	unsigned place_bits = total ? 64 - (unsigned)__builtin_clzll(total) : 1;
	n->tag_bits = 63 - place_bits;
	if (getrandom(n->key, sizeof n->key, 0) != sizeof n->key)
		return error_errno("no random numbers");
	return 0;
}

uint64_t serve_number(const struct serve_numbers *n, const struct blobfs_place *place,
	const uint8_t *digest)
{
	struct span parts[] = {SPAN(n->key), span_of(digest, BLOBFS_DIGEST_SIZE)};
	uint8_t hash[BLOBFS_DIGEST_SIZE];
	if (hash_parts(HASH_SHA256, parts, 2, hash) < 0)
		return 0;
	uint64_t tag = get_le64(hash) & ((UINT64_C(1) << n->tag_bits) - 1);
	uint64_t at =
		n->first[place->run] + place->page * BLOBFS_PAGE_ENTRIES + place->at;
	return BLOB_BIT | at << n->tag_bits | tag;
}

bool serve_number_place(
	const struct serve_numbers *n, uint64_t number, struct blobfs_place *place)
{
	uint64_t at = (number & ~BLOB_BIT) >> n->tag_bits;
	if (!(number & BLOB_BIT))
		return false;
	for (uint32_t i = 0; i < BLOBFS_MAX_RUNS; i++)
		if (at >= n->first[i] && at < n->first[i + 1]) {
			at -= n->first[i];
			*place = (struct blobfs_place){i,
				(uint32_t)(at % BLOBFS_PAGE_ENTRIES),
				at / BLOBFS_PAGE_ENTRIES};
			return true;
		}
	return false;
}
