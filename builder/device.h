/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_DEVICE_H
#define CAIRN_BUILDER_DEVICE_H

#include "core/file.h"

/* Whole disks as the target of an image. Not atomic: but what was not finished does not
 * look finished, as the partition table goes first and comes back last. */

/*
 * Opens the disk PATH for writing, exclusively, and takes the BSD lock that keeps udev
 * and partitioning programs away (systemd's block device locking convention), waiting at
 * most TIMEOUT_MS for each of the two. Refused: a partition, a read-only disk, one that
 * is mounted or otherwise in use (-EBUSY, STATUS_TIMEOUT as for a lock that stays busy).
 */
int device_open(struct file *f, const char *path, unsigned timeout_ms);

/* Erases both partition tables, so that the disk holds none until it is complete. */
int device_begin(const struct file *f);

/* Flushes, and has the kernel read the partitions anew. */
int device_finish(const struct file *f);

#endif
