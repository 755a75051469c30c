/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_DESCRIPTOR_H
#define CAIRN_CORE_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Messages of bytes, each with at most one open file, through a Unix socket of type
 * SOCK_SEQPACKET (or one that is used like it).
 */

/* Sends SIZE bytes and, unless it is -1, FD, which stays open here too. */
bool descriptor_send(int to, const void *data, size_t size, int fd);

/*
 * Receives one message of at most SIZE bytes; *FD is then the caller's, or -1. Returns
 * its size, 0 when the other end is closed, or -1 with errno.
 */
ssize_t descriptor_receive(int from, void *data, size_t size, int *fd);

#endif
