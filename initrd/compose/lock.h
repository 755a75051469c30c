/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_LOCK_H
#define CAIRN_COMPOSE_LOCK_H

#include "core/file.h"

/*
 * Makes the directory RUN if it is not there and takes the lock in it, waiting at most
 * TIMEOUT_MS (STATUS_TIMEOUT). It is held until LOCK is closed.
 */
int compose_lock(struct file *lock, const char *run, unsigned timeout_ms);

/* Puts TEXT into the file NAME of the directory RUN, in one step. Empty: removes it. */
int compose_save(const char *run, const char *name, struct span text);

#endif
