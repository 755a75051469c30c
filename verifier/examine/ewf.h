/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_EWF_H
#define CAIRN_VERIFIER_EXAMINE_EWF_H

#include "verifier/acquisition.h"

/*
 * Containers of the Expert Witness Compression Format (E01), through libewf. It parses
 * what may be hostile: only for a process that can do nothing else (core/confine.h).
 */
struct ewf {
	void *handle;            /* libewf's; NULL: closed */
	uint32_t chunk_size;     /* bytes that have a checksum together */
	uint32_t n_damaged_told; /* checksum errors that were told of */
	uint32_t sector_size;
};

/* What is told of chunks that are not what their checksum says: bytes of the media. */
struct ewf_damage {
	void (*tell)(void *context, uint64_t offset, uint64_t size);
	void *context;
};

/* Opens the N segments NAMES, and fills in A. STATUS_FORMAT if it cannot. */
int ewf_open(struct ewf *e, char *const *names, size_t n, struct acquisition *a);

/* SIZE bytes at OFFSET of the media. What is damaged is told of, and is zeros. */
void ewf_read(struct ewf *e, uint8_t *data, size_t size, uint64_t offset,
	const struct ewf_damage *damage);

#endif
