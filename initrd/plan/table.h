/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_PLAN_TABLE_H
#define CAIRN_INITRD_PLAN_TABLE_H

#include "initrd/plan/policy.h"

#define TABLE_SUPERBLOCK_SIZE 512

/*
 * What a verity superblock may say in a boot: format version 1, SHA-256, blocks of 4096
 * bytes, salt of at most 256. core/verity.h reads the rest of the format; this reader is
 * smaller and needs nothing but libc.
 */
struct table {
	uint64_t data_blocks; /* of 4096 bytes */
	uint64_t tree_blocks; /* of 4096 bytes, all levels */
	uint8_t uuid[16];
	uint8_t salt[256];
	size_t salt_size;
};

/*
 * Parses SB; data and tree must fit into partitions of DATA_SIZE and HASH_SIZE bytes.
 * NAME is for messages (STATUS_FORMAT).
 */
int table_parse(struct table *t, struct span sb, const char *name, uint64_t data_size,
	uint64_t hash_size);

/*
 * Appends the parameters of device-mapper's verity target: DATA and HASH are device
 * numbers "major:minor"; SIGNATURE_KEY names a key in a keyring that holds a PKCS#7
 * signature of the root hash, or NULL. MODE counts unless PROBE, which gives a device
 * whose reads fail with EIO whatever the policy says.
 */
int table_write(const struct table *t, const struct policy *p, const char *data,
	const char *hash, const char *signature_key, bool probe, struct buffer *text);

#endif
