/* SPDX-License-Identifier: MIT */

/* For the boot tests: initrd TREE KERNEL DRIVERS FS COMMAND-LINE OUT */
#include <stdio.h>
#include <string.h>

#include "builder/initrd.h"
#include "core/output.h"

int main(int argc, char **argv)
{
	AUTO_TREE tree = TREE_EMPTY;
	BUFFER cpio = {0};
	static struct initrd_options o;
	if (argc != 7)
		return STATUS_USAGE;
	o = (struct initrd_options){.kernel = argv[2], .drivers = argv[3]};
	policy_defaults(&o.policy);
	snprintf(o.policy.fs, sizeof o.policy.fs, "%s", argv[4]);
	int r = policy_from_cmdline(&o.policy, argv[5]);
	if (r == 0)
		r = tree_load(&tree, argv[1], NULL);
	if (r == 0)
		r = initrd_make(&tree, &o, &cpio);
	if (r == 0)
		r = output_save(argv[6], 0644, true, buffer_span(&cpio));
	if (r < 0)
		fprintf(stderr, "initrd: %s\n", error_text());
	return r < 0 ? (int)error_status() : 0;
}
