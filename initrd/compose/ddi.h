/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_DDI_H
#define CAIRN_COMPOSE_DDI_H

#include "core/file.h"
#include "initrd/compose/anchors.h"
#include "initrd/compose/mapper.h"
#include "initrd/compose/release.h"
#include "initrd/plan/table.h"

/*
 * An extension image (a discoverable disk image): all of it is read through one
 * descriptor, in this order: what it says, who vouches for that, its blocks through
 * dm-verity, its files.
 */
struct ddi {
	struct file file; /* owned */
	char name[EXTENSION_NAME_MAX];
	enum extension_class class;
	char root_hash[65]; /* what the partitions' UUIDs say, in lower-case hex */
	uint64_t data_offset, data_size, hash_offset, hash_size; /* bytes */
	struct table table;                                      /* of the superblock */
	struct buffer signature; /* the signature partition, as it is */
	struct signer_id by;     /* once ddi_vouch said 0 */
	unsigned epoch;          /* once ddi_check_release said 0 */
	int mount;               /* its root directory, mounted; owned; or -1 */
};

#define DDI_CLOSED ((struct ddi){.file = FILE_CLOSED, .mount = -1})

/* Names of our devices start with this; what is left of them may be reaped. */
#define DDI_DEVICE_PREFIX "cairn-ext-"

/*
 * Takes F's descriptor and reads partition table, superblock and signature. One root
 * partition for this machine's architecture, its verity and signature partitions, and no
 * other of those roles: else STATUS_FORMAT; STATUS_TRUST if there is no signature
 * partition or F is a directory, which nothing can vouch for. D is to be closed in any
 * case.
 */
int ddi_open(struct ddi *d, struct found *f, enum extension_class class);

/* STATUS_TRUST unless a signer pinned for its class signed the root hash. */
int ddi_vouch(struct ddi *d, const struct anchors *a);

/*
 * Sets up dm-verity over it, or takes the device that is there already for this root
 * hash, and mounts the file system, detached and read-only: D->mount. The device goes
 * away with its last mount.
 */
int ddi_mount(struct ddi *d);

/*
 * Reads its extension-release, which must belong to HOST and not be older than the
 * anchors' floor.
 */
int ddi_check_release(struct ddi *d, const struct release *host, const struct anchors *a);

void ddi_close(struct ddi *d);

#endif
