/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_INITRD_H
#define CAIRN_BUILDER_INITRD_H

#include "builder/initrd_trust.h"
#include "builder/tree.h"
#include "initrd/plan/policy.h"

/*
 * The initrd of an image: our static init, its policy and the few kernel modules it may
 * need, as a cpio archive ("newc"). The same tree and options give the same bytes.
 *
 * Fill in kernel and drivers, call policy_defaults on the policy, then set policy.fs and
 * policy.part and let policy_from_cmdline take the UKI's command line (with roothash= or
 * usrhash=).
 */
struct initrd_options {
	const char *kernel;  /* VERSION of usr/lib/modules/VERSION */
	const char *drivers; /* storage drivers: "virtio", "cloud" or "generic" */
	const struct initrd_trust *trust; /* NULL: nobody */
	struct policy policy;
};

/*
 * Appends the archive to CPIO. STATUS_FORMAT if the tree lacks the modules' index
 * (modules.dep, which depmod writes) or a module that the boot needs; STATUS_USAGE for
 * unknown drivers, a policy that makes no sense and one that trusts nobody for the root
 * but wants it signed.
 */
int initrd_make(const struct tree *tree, const struct initrd_options *options,
	struct buffer *cpio);

#endif
