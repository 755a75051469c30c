/* SPDX-License-Identifier: MIT */
#include "initrd/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/hex.h"
#include "initrd/boot_disk.h"
#include "initrd/compose/mapper.h"
#include "initrd/disks.h"
#include "initrd/fail.h"
#include "initrd/modules.h"
#include "initrd/plan/table.h"
#include "initrd/plan/vouch.h"

#define BLOCK              4096
#define POLL_MS            25
#define WALK_EVERY         8    /* polls: new devices are looked for more rarely */
#define SETTLE_MS          2000 /* for another pair, after one that does not verify */
#define REPORT_MS          3000
#define KEY_NAME           "cairn:root-hash-signature"
#define KEYRING_OF_PROCESS (-2) /* linux/keyctl.h: KEY_SPEC_PROCESS_KEYRING */

struct search {
	const struct policy *policy;
	struct base *base;
	struct trust *trust;
	struct error_record refused; /* why the last pair was passed over */
	uint64_t refused_ms;         /* when; 0: none was */
};

static int read_partition(const struct disk_pair *pair, const struct disk_part *part,
	struct buffer *partition)
{
	size_t size = part->size < VOUCH_MAX_SIZE ? (size_t)part->size : VOUCH_MAX_SIZE;
	int r = buffer_append_zeros(partition, size);
	return r < 0 ? r : file_read(&pair->disk, partition->data, size, part->offset);
}

/* As vouch_parse, of one partition. */
static int read_signature(const struct disk_pair *pair, const struct disk_part *part,
	const char *root_hash, struct buffer *pkcs7)
{
	BUFFER partition = {0};
	int r = read_partition(pair, part, &partition);
	return r < 0 ? r
		     : vouch_parse(buffer_span(&partition), pair->disk.name, root_hash,
			       pkcs7, NULL);
}

/*
 * Whether a signature on the disk is one of the root hash by a signer we trust, if the
 * policy wants one. Those of other versions lie there too: the last refusal is recorded.
 */
static int check_signature(const struct search *s, const struct disk_pair *pair)
{
	if (!policy_requires(s->policy, PURPOSE_ROOT))
		return 0;
	int r = error_set(
		STATUS_TRUST, EKEYREJECTED, "%s: has no signature", pair->disk.name);
	for (size_t i = 0; r < 0 && i < pair->n_signatures; i++) {
		BUFFER partition = {0};
		r = read_partition(pair, &pair->signatures[i], &partition);
		if (r == 0)
			r = trust_check_root(s->trust, s->policy, pair->disk.name,
				buffer_span(&partition));
	}
	return r;
}

/*
 * Puts the signature where the verity target looks for it. Returns 0, or 1 if the disk
 * has none for this root hash. One that is malformed may belong to a version that was
 * being written when the power failed: it must not stop the others.
 */
static int offer_signature(const struct disk_pair *pair, const char *root_hash)
{
	BUFFER pkcs7 = {0};
	int r = 1;
	for (size_t i = 0; r == 1 && i < pair->n_signatures; i++) {
		pkcs7.size = 0;
		r = read_signature(pair, &pair->signatures[i], root_hash, &pkcs7);
		if (r < 0) {
			note("passed over: %s", error_text());
			r = 1;
		}
	}
	if (r)
		return r;
	if (syscall(SYS_add_key, "user", KEY_NAME, pkcs7.data, pkcs7.size,
		    KEYRING_OF_PROCESS) < 0)
		return error_errno("cannot hand the root hash signature to the kernel");
	return 0;
}

/* Reads one block through dm-verity. */
static int read_block(const char *node, uint64_t block)
{
	uint8_t bytes[BLOCK];
	AUTO_FILE f = FILE_CLOSED;
	int r = file_open_image(&f, node, O_RDONLY);
	return r < 0 ? r : file_read(&f, bytes, sizeof bytes, block * BLOCK);
}

/* The device in its first form: nothing but EIO happens if the tree is not the root's. */
static int make_probe(const struct search *s, const struct disk_pair *pair,
	const struct table *t, const char *key, struct mapper *m)
{
	BUFFER text = {0};
	char uuid[80], hex[33];
	const char *name = s->policy->part == PART_USR ? "usr" : "root";
	/* libcryptsetup's naming, so that veritysetup and systemd know the device. */
	snprintf(uuid, sizeof uuid, "CRYPT-VERITY-%s-%s", hex_encode(t->uuid, 16, hex),
		name);
	int r = table_write(
		t, s->policy, pair->data.device, pair->hash.device, key, true, &text);
	if (r == 0)
		r = mapper_make(m, name, uuid, t->data_blocks * (BLOCK / 512),
			buffer_text(&text));
	return r;
}

static int probe_and_arm(const struct search *s, const struct disk_pair *pair,
	const struct table *t, const char *key, const struct mapper *m)
{
	BUFFER text = {0};
	int r = read_block(m->node, 0);
	if (r == 0)
		r = read_block(m->node, t->data_blocks - 1);
	if (r < 0)
		return error_set(STATUS_CONTENT, EIO,
			"%s: does not verify against the root hash", pair->disk.name);
	if (s->policy->verity == VERITY_EIO)
		return 0;
	r = table_write(
		t, s->policy, pair->data.device, pair->hash.device, key, false, &text);
	return r < 0 ? r
		     : mapper_reload(
			       m, t->data_blocks * (BLOCK / 512), buffer_text(&text));
}

static int set_up(struct search *s, const struct disk_pair *pair, struct mapper *m)
{
	uint8_t sb[TABLE_SUPERBLOCK_SIZE];
	struct table t;
	int r = file_read(&pair->disk, sb, sizeof sb, pair->hash.offset);
	if (r == 0)
		r = table_parse(
			&t, SPAN(sb), pair->hash.name, pair->data.size, pair->hash.size);
	if (r == 0)
		r = check_signature(s, pair);
	int vouched = r < 0 ? r : offer_signature(pair, s->policy->root_hash);
	if (vouched < 0)
		return vouched;
	const char *key = vouched == 0 ? KEY_NAME : NULL;
	r = make_probe(s, pair, &t, key, m);
	s->base->signature = key ? "kernel" : "none";
	/* Only "no such key" is another matter than "bad": the hash itself is pinned. */
	if (r == -ENOKEY && key) {
		s->base->signature = "no key";
		key = NULL;
		r = make_probe(s, pair, &t, NULL, m);
	}
	if (r < 0)
		return r;
	r = probe_and_arm(s, pair, &t, key, m);
	if (r < 0) {
		struct error_record why;
		error_take(&why);
		mapper_remove(m);
		error_put(&why);
	}
	return r;
}

/* Returns 1 if this pair is the one, 0 to look on. */
static int try_pair(void *context, struct disk_pair *pair)
{
	struct search *s = context;
	struct mapper m;
	int r = set_up(s, pair, &m);
	if (r == 0) {
		snprintf(s->base->node, sizeof s->base->node, "%s", m.node);
		snprintf(s->base->disk, sizeof s->base->disk, "%s", pair->disk.name);
		strcpy(s->base->data, pair->data.name);
		strcpy(s->base->hash, pair->hash.name);
		s->base->found_ms = now_ms();
	} else {
		error_take(&s->refused);
		s->refused_ms = now_ms();
		note("passed over: %s", s->refused.text);
	}
	disk_pair_free(pair);
	return r == 0;
}

static int give_up(const struct search *s, const struct disk_wanted *wanted)
{
	char data[UUID_TEXT_SIZE], hash[UUID_TEXT_SIZE];
	if (s->refused_ms) {
		error_put(&s->refused);
		return -EIO;
	}
	return error_set(STATUS_TIMEOUT, ETIMEDOUT,
		"no disk has the partitions %s and %s after %u s; looked at: %s",
		uuid_encode(wanted->data, data), uuid_encode(wanted->hash, hash),
		s->policy->wait_s, disks_seen());
}

static void report_wait(const struct search *s, uint64_t waited, uint64_t *reported)
{
	if (waited < *reported + REPORT_MS)
		return;
	*reported = waited;
	note("waiting for the partitions of %.16s..., %ju s of %u", s->policy->root_hash,
		(uintmax_t)waited / 1000, s->policy->wait_s);
}

/* The disk that the firmware booted from goes first, if it is known. */
static void prefer_boot_disk(struct disk_wanted *wanted, struct base *base)
{
	wanted->has_boot = boot_disk_read(wanted->boot);
	if (wanted->has_boot)
		uuid_encode(wanted->boot, base->boot_partition);
}

/* ...but it keeps others waiting for a moment only. Returns whether that is over now. */
static bool end_preference(
	struct disk_wanted *wanted, uint64_t now, uint64_t end, uint64_t *since)
{
	if (!wanted->has_boot || !disks_put_off())
		return false;
	if (!*since)
		*since = now;
	if (now - *since < SETTLE_MS && now < end)
		return false;
	note("the disk with the partition that was booted from is not there");
	wanted->has_boot = false;
	return true;
}

int base_open(struct base *base, const struct policy *policy, struct trust *trust)
{
	struct disk_wanted wanted;
	struct search s = {.policy = policy, .base = base, .trust = trust};
	uint64_t start = now_ms(), reported = 0, put_off_ms = 0;
	uint64_t end = start + (uint64_t)policy->wait_s * 1000;
	int r = disk_wanted(&wanted, policy->root_hash, policy->part == PART_USR);
	if (r == 0)
		prefer_boot_disk(&wanted, base);
	for (unsigned turn = 0; r == 0; turn++) {
		if (turn % WALK_EVERY == 0)
			r = modules_walk();
		if (r >= 0)
			r = disks_search(&wanted, try_pair, &s);
		if (r)
			break;
		uint64_t now = now_ms();
		if (end_preference(&wanted, now, end, &put_off_ms))
			continue;
		if (now >= end || (s.refused_ms && now - s.refused_ms >= SETTLE_MS))
			return give_up(&s, &wanted);
		report_wait(&s, now - start, &reported);
		nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
	}
	return r < 0 ? r : 0;
}
