/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_CELL_H
#define CAIRN_VERIFIER_EXAMINE_CELL_H

#include <stddef.h>

/*
 * Makes a root directory for this process alone that holds the files FDS, which are
 * closed, as /segment.1 to /segment.N, to be read without a trace (no access times), and
 * nothing else. For a process with a single thread that has nothing else to do.
 */
int cell_enter(const int *fds, size_t n);

#endif
