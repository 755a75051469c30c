/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_MEMORY_H
#define CAIRN_VERIFIER_EXAMINE_MEMORY_H

#include <stdbool.h>

#include "core/file.h"

/*
 * Memory as a file that can be sealed: after that nobody, root included, can change it
 * through any descriptor or mapping, nor take the seals off.
 */
struct memory {
	int fd; /* -1: there is none */
	uint8_t *data;
	size_t size;
	bool is_sealed;
};

#define MEMORY_NONE ((struct memory){.fd = -1})

/* SIZE bytes of zeros, mapped for writing; NAME is seen in /proc. */
int memory_make(struct memory *s, const char *name, uint64_t size);

/* Seals it, and maps it again for reading only. */
int memory_seal(struct memory *s);

/* May be called twice. */
void memory_free(struct memory *s);

/* How much memory can be asked for now, in bytes; 0 if that is not known. */
uint64_t memory_room(void);

#endif
