/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_TREE_CHECK_H
#define CAIRN_VERIFIER_EXAMINE_TREE_CHECK_H

#include "verifier/examine/exhibit.h"

/*
 * Holds the partitions of F, an image, to the hash trees of dm-verity that it has for
 * them; findings go to REPORT: which blocks are not what they were, and of which files.
 * All parsing is done by a process that can open nothing and write nowhere; if it fails
 * that is a fault of status 7. With SKIP nothing is hashed, and the report says so.
 * Negative only if TICK, which is called now and then, is.
 */
int tree_check(const struct file *f, bool skip, const struct exhibit_tick *tick,
	struct report *report);

#endif
