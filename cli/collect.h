/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_COLLECT_H
#define CAIRN_CLI_COLLECT_H

#include "core/output.h"

/*
 * Files out of a virtual machine, without a network: the guest writes a tar archive to
 * the start of a disk, which is nothing but space, and what it wrote becomes a file.
 */
struct collect {
	struct file disk; /* without a name; the guest's to write to */
	struct output output;
};

#define COLLECT_NONE ((struct collect){.disk = FILE_CLOSED, .output = OUTPUT_CLOSED})
#define AUTO_COLLECT __attribute__((cleanup(collect_close))) struct collect

/* The guest's disk has this serial number, and may hold so many bytes. */
#define COLLECT_SERIAL "cairn-collect"
#define COLLECT_SIZE   ((uint64_t)1 << 30)

/* Prepares the disk, and the file PATH; what exists is refused. */
int collect_open(struct collect *c, const char *path);

/*
 * Makes the file of what the guest wrote, if that is a complete tar archive; nothing in
 * it is unpacked here. -ENODATA (recorded) if the guest wrote nothing; STATUS_FORMAT if
 * it is none.
 */
int collect_finish(struct collect *c);

/* Discards what was not finished; may be called twice. */
void collect_close(struct collect *c);

#endif
