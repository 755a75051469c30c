/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_LOOP_H
#define CAIRN_COMPOSE_LOOP_H

#include <stdint.h>

#include "core/error.h"

/* A read-only loop device over a part of an open file. */
struct loop {
	int fd;          /* owned; the device lives while this or another user has it */
	char device[24]; /* "major:minor" */
};

#define LOOP_CLOSED ((struct loop){.fd = -1})
#define AUTO_LOOP   __attribute__((cleanup(loop_close))) struct loop

/*
 * Makes one over SIZE bytes at OFFSET (multiples of 512) of the file FD, which may be
 * closed afterwards; NAME is for messages. It goes away with its last user.
 */
int loop_open(struct loop *l, int fd, const char *name, uint64_t offset, uint64_t size);

/* Closes; may be called twice. */
void loop_close(struct loop *l);

#endif
