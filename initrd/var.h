/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_VAR_H
#define CAIRN_INITRD_VAR_H

#include "initrd/plan/policy.h"

/*
 * The state of a system: /var, and nothing else. It is a mount of its own, never an
 * overlay (container engines need it as their upper layer), without setuid and device
 * files. Nobody vouches for what is in it.
 */
struct var {
	char partition[40]; /* "vdb1"; "" if it is no partition */
};

/*
 * Mounts what the policy says over var/ of ROOT, the root that is put together. A
 * partition is found by its type in the Discoverable Partitions Specification, on any
 * disk, within policy.wait_s; two of them are refused (STATUS_FORMAT): which one was
 * meant, nobody knows. Does nothing if the policy has no state.
 */
int var_mount(struct var *var, const struct policy *policy, const char *root);

/*
 * Puts each of the policy's persisted files over its name in etc/ of ROOT: a file below
 * var/lib/cairn/persist, made with what etc/ has there if it is new. STATUS_FORMAT if
 * there is anything but a regular file of one name.
 */
int var_persist(const struct policy *policy, const char *root);

#endif
