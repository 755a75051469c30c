/* SPDX-License-Identifier: MIT */

/*
 * For the boot tests: initrd TREE KERNEL DRIVERS FS COMMAND-LINE OUT
 * In the environment: EPOCH, TRUST (certificates, with colons between) and REVOKED (a
 * list).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/initrd.h"
#include "core/output.h"

static int take_environment(struct initrd_options *o, struct initrd_trust *trust)
{
	const char *epoch = getenv("EPOCH"), *revoked = getenv("REVOKED");
	char *files = getenv("TRUST");
	int r = 0;
	if (epoch)
		o->policy.epoch = (unsigned)atoi(epoch);
	for (char *file; r == 0 && (file = strsep(&files, ":"));)
		r = initrd_trust_add(trust, file);
	if (r == 0 && revoked)
		r = initrd_trust_revoke(trust, revoked);
	o->trust = trust;
	return r;
}

int main(int argc, char **argv)
{
	AUTO_TREE tree = TREE_EMPTY;
	BUFFER cpio = {0};
	static struct initrd_options o;
	struct initrd_trust trust = {0};
	if (argc != 7)
		return STATUS_USAGE;
	o = (struct initrd_options){.kernel = argv[2], .drivers = argv[3]};
	policy_defaults(&o.policy);
	snprintf(o.policy.fs, sizeof o.policy.fs, "%s", argv[4]);
	int r = policy_from_cmdline(&o.policy, argv[5]);
	if (r == 0)
		r = take_environment(&o, &trust);
	if (r == 0)
		r = tree_load(&tree, argv[1], NULL);
	if (r == 0)
		r = initrd_make(&tree, &o, &cpio);
	if (r == 0)
		r = output_save(argv[6], 0644, true, buffer_span(&cpio));
	initrd_trust_free(&trust);
	if (r < 0)
		fprintf(stderr, "initrd: %s\n", error_text());
	return r < 0 ? (int)error_status() : 0;
}
