/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_FORMAT_H
#define CAIRN_BLOBFS_FORMAT_H

/*
 * blobfs, format version 1: what is on the disk. docs/blobfs-format.md says it in words.
 *
 *   image      = superblock at 0, superblock at 1 MiB, anything else in whole blocks
 *   superblock = one block: struct blobfs_super, zeros, seal
 *   page       = one block: struct blobfs_page, COUNT records, zeros, seal
 *   seal       = SHA-256 of the block's bytes before it; finds damage, proves nothing
 *   run        = consecutive index pages, sorted by digest over all of them
 *   free list  = consecutive free pages, sorted by offset over all of them
 *   blob       = full blocks at `data`; the last partial block's bytes at `tail`;
 *                its fs-verity tree (SHA-256, no salt) at `tree`
 *   refs       = a blob: struct blobfs_disk_refs, then records { u8 length; name; digest
 * }, sorted by name, no name twice
 *
 * Integers are little-endian, offsets and sizes in bytes. What is reserved is zero when
 * written and ignored when read. Free of libc: the freestanding reader uses it.
 */

#include <stdint.h>

/* A block is 4096 bytes, a digest 32. The proofs set smaller ones to get shorter loops.
 */
#ifndef BLOBFS_BLOCK_LOG2
#define BLOBFS_BLOCK_LOG2 12
#endif
#define BLOBFS_BLOCK ((uint64_t)1 << BLOBFS_BLOCK_LOG2)
#ifndef BLOBFS_DIGEST_LOG2
#define BLOBFS_DIGEST_LOG2 5
#endif
#define BLOBFS_DIGEST_SIZE (1 << BLOBFS_DIGEST_LOG2)

/* Hashes in a tree block, and their number's logarithm . */
#define BLOBFS_FANOUT_LOG2 (BLOBFS_BLOCK_LOG2 - BLOBFS_DIGEST_LOG2)
#define BLOBFS_FANOUT      ((uint64_t)1 << BLOBFS_FANOUT_LOG2)

/* Levels that a blob of 2^63 - 1 bytes needs. */
#define BLOBFS_MAX_LEVELS \
	((63 - BLOBFS_BLOCK_LOG2 + BLOBFS_FANOUT_LOG2 - 1) / BLOBFS_FANOUT_LOG2)
#define BLOBFS_MAX_SIZE INT64_MAX

/* Where the seal of a superblock or page is. */
#define BLOBFS_SEAL (BLOBFS_BLOCK - BLOBFS_DIGEST_SIZE)

/* Where the superblocks are. Generation N is written to number N % 2. */
#define BLOBFS_SUPER_B ((uint64_t)1 << 20)
#define BLOBFS_MIN_END (BLOBFS_SUPER_B + BLOBFS_BLOCK)

#define BLOBFS_MAGIC       "blobfs\r\n"
#define BLOBFS_INDEX_MAGIC "blobidx\n"
#define BLOBFS_FREE_MAGIC  "blobfre\n"
#define BLOBFS_REFS_MAGIC  "blobref\n"
#define BLOBFS_MAGIC_SIZE  8

#define BLOBFS_VERSION     1
#define BLOBFS_MAX_RUNS    8
#define BLOBFS_HASH_SHA256 1 /* FS_VERITY_HASH_ALG_SHA256, linux/fsverity.h */

/*
 * Feature bits known so far. An unknown bit in `incompatible` forbids reading, one in
 * `ro_compatible` forbids writing, one in `compatible` forbids nothing.
 */
#define BLOBFS_INCOMPATIBLE  ((uint64_t)0)
#define BLOBFS_RO_COMPATIBLE ((uint64_t)0)

/* In `compatible`: a writer may make the file larger that the image is in. */
#define BLOBFS_COMPATIBLE_GROWS ((uint64_t)1)

/* Little-endian integers as bytes, so that a struct has no padding or alignment. */
typedef uint8_t blobfs_le16[2];
typedef uint8_t blobfs_le32[4];
typedef uint8_t blobfs_le64[8];

/* Consecutive pages. */
struct blobfs_disk_run {
	blobfs_le64 offset;
	blobfs_le64 pages;
};

struct blobfs_super {
	uint8_t magic[BLOBFS_MAGIC_SIZE];
	blobfs_le32 version;
	blobfs_le32 header_size; /* of this struct as the writer knew it */
	uint8_t block_log2;
	uint8_t hash_algorithm;
	blobfs_le16 n_runs;
	uint8_t reserved[4];
	blobfs_le64 compatible;
	blobfs_le64 ro_compatible;
	blobfs_le64 incompatible;
	uint8_t uuid[16];
	blobfs_le64 generation;   /* 1 from mkfs, then one more with every change */
	blobfs_le64 device_size;  /* that may be used; a multiple of the block */
	blobfs_le64 used_end;     /* nothing counts from here on */
	blobfs_le64 free_entries; /* records in the free list */
	struct blobfs_disk_run free;
	uint8_t refs[BLOBFS_DIGEST_SIZE]; /* of the refs blob; zeros: there are no refs */
	struct blobfs_disk_run runs[BLOBFS_MAX_RUNS]; /* newest first */
};

/* Before the records of an index or free page. */
struct blobfs_page {
	uint8_t magic[BLOBFS_MAGIC_SIZE];
	blobfs_le32 count; /* at least 1 */
	uint8_t reserved[20];
};

struct blobfs_disk_entry {
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	blobfs_le64 size; /* all ones: a tombstone, the blob is not here any more */
	blobfs_le64 data; /* each of the three is 0 where the blob has no such part */
	blobfs_le64 tree;
	blobfs_le64 tail;
};

struct blobfs_disk_extent {
	blobfs_le64 offset;
	blobfs_le64 blocks;
	blobfs_le64 generation; /* the first one that did not use it */
};

struct blobfs_disk_refs {
	uint8_t magic[BLOBFS_MAGIC_SIZE];
	blobfs_le64 count;
};

#define BLOBFS_TOMBSTONE UINT64_MAX

/* Records that fit between the page's header and its seal. */
#define BLOBFS_PAGE_ENTRIES \
	((BLOBFS_SEAL - sizeof(struct blobfs_page)) / sizeof(struct blobfs_disk_entry))
#define BLOBFS_PAGE_EXTENTS \
	((BLOBFS_SEAL - sizeof(struct blobfs_page)) / sizeof(struct blobfs_disk_extent))

#define BLOBFS_REF_NAME_MAX 255
#define BLOBFS_REFS_MAX     ((uint64_t)16 << 20) /* bytes of the refs blob */

/* The fs-verity descriptor, whose hash is the blob's digest (linux/fsverity.h). */
struct blobfs_descriptor {
	uint8_t version;        /* 1 */
	uint8_t hash_algorithm; /* BLOBFS_HASH_SHA256 */
	uint8_t block_log2;
	uint8_t salt_size;
	uint8_t reserved[4];
	blobfs_le64 size;
	uint8_t root[64]; /* zero-padded; zeros for the empty blob */
	uint8_t salt[32];
	uint8_t reserved2[144];
};

#endif
