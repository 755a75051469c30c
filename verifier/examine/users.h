/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_USERS_H
#define CAIRN_VERIFIER_EXAMINE_USERS_H

#include <stdint.h>
#include <sys/stat.h>

#include "core/buffer.h"

/*
 * Who else uses a file: loop devices, and processes that can write to it. Best effort:
 * processes of other PID namespaces are not seen.
 */
struct users {
	struct buffer read_only; /* "loop3, loop4": loop devices that only read it */
	struct buffer writers;   /* "loop5 (writable)", "process 12 (dd)"... */
};

#define USERS __attribute__((cleanup(users_free))) struct users
void users_free(struct users *u);

/* DEVICE as loop devices tell it of the file below them: the kernel's new_encode_dev. */
uint64_t users_encode_device(dev_t device);

/*
 * Loop devices over the file with the identity ST. With NAME (else NULL) only those are
 * looked at whose file has this name: to look is to open, which others may wonder about.
 */
int users_find_loops(struct users *u, const struct stat *st, const char *name);

/* The same for loop device NUMBER alone. */
int users_look_at_loop(struct users *u, const struct stat *st, int number);

/* Processes that have the file open for writing, or mapped so. */
int users_find_processes(struct users *u, const struct stat *st);

#endif
