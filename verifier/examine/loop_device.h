/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_LOOP_DEVICE_H
#define CAIRN_VERIFIER_EXAMINE_LOOP_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/buffer.h"

/*
 * A loop device of our own: configured in one step, its settings read back, gone when its
 * last user is (also if that is a mount, or a process that was killed).
 */
struct loop_counters {
	uint64_t write_requests, write_sectors, discard_requests, discard_sectors;
};

struct loop_device {
	int fd;     /* -1: there is none */
	int number; /* /dev/loopNUMBER */
	char path[24];
	bool read_only;
	struct stat backing; /* identity of the file below */
	uint64_t size;       /* bytes, whole sectors */
	uint64_t diskseq;    /* 0: the kernel has none */
	struct loop_counters counters;
	bool counts; /* the kernel keeps these counters */
};

#define LOOP_NONE ((struct loop_device){.fd = -1})

/*
 * Attaches BACKING_FD, as NAME in listings. READ_ONLY sets the driver's own flag. All
 * that was asked for is read back; what differs is refused, STATUS_UNCHECKED.
 */
int loop_attach(struct loop_device *l, int backing_fd, const char *name, bool read_only);

/*
 * What is not as it was when it was attached, in words, appended to CHANGES: another file
 * below, offset, size limit, flags, disk sequence number, sectors written or discarded.
 */
int loop_compare(const struct loop_device *l, struct buffer *changes);

/* Forgets what was counted so far: the self-check's own requests. */
void loop_count_from_here(struct loop_device *l);

/* Its device number. */
dev_t loop_number(const struct loop_device *l);

/* Only what can be undone without a trace: offset and size limit. Cheap. */
bool loop_moved(const struct loop_device *l);

/* Closes it. Once nothing else uses the device it is free again. May be called twice. */
void loop_detach(struct loop_device *l);

/* Whether the device still has the file below that it had, waiting at most WAIT_MS. */
bool loop_lingers(const struct loop_device *l, unsigned wait_ms);

#endif
