/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_TRACES_H
#define CAIRN_VERIFIER_EXAMINE_TRACES_H

#include <poll.h>
#include <pthread.h>

#include "verifier/report.h"

/*
 * Who changes the settings of loop devices: asked of the kernel's tracepoints, so that a
 * change which is undone between two looks is seen as well. Through perf events, which
 * vanish with their descriptors. Optional: kernels may lack them, or forbid them.
 */
struct traces {
	struct trace_ring *rings; /* one per processor; owned */
	size_t n_rings;
	struct pollfd *polls; /* readable when something happened; owned */
	pthread_t thread;
	bool starting;
	int *writes; /* counters of writes to one device; -1: none; owned */
};

/*
 * Starts to listen, which takes the kernel its time: in a thread of its own. Nothing else
 * may be called before traces_wait.
 */
void traces_start(struct traces *t);

/* Waits until it listens. Where that cannot be, REPORT says so. */
void traces_wait(struct traces *t, struct report *report);

/* From now on requests to write to, or to discard on, DEVICE are counted too. */
void traces_count_writes(struct traces *t, dev_t device);

/*
 * Looks at what happened since the last time. Returns how often one of the devices was
 * meant; by whom is appended to WHO, in words. UNKNOWN is how often nobody can say which
 * loop device was: the process was gone before it could be asked.
 */
unsigned traces_look(struct traces *t, const dev_t *devices, size_t n_devices,
	struct buffer *who, unsigned *unknown);

/* Whether requests to write are counted on all processors, and how many there were. */
bool traces_counts(const struct traces *t);
uint64_t traces_writes(const struct traces *t);

/* May be called twice, and on a zeroed struct. */
void traces_close(struct traces *t);

#endif
