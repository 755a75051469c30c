/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_SERVANT_H
#define CAIRN_VERIFIER_EXAMINE_SERVANT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes of a forked process one that does a single thing for us: it dies with PARENT, is
 * called NAME, heeds no terminal and says nothing (what libraries say when they fall over
 * would be one more line than a fault has), and has nothing open but the N descriptors
 * KEEP, which are sorted here. False if it cannot be, or if PARENT is gone already.
 */
bool servant_become(int parent, const char *name, int *keep, size_t n);

#endif
