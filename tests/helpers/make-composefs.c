/* SPDX-License-Identifier: MIT */
/* make-composefs TREE IMAGE [MIN MAX]: the metadata image of a tree, and nothing else. */
#include <stdio.h>
#include <stdlib.h>

#include "builder/composefs.h"
#include "core/output.h"

static int make(int argc, char **argv)
{
	AUTO_TREE tree = TREE_EMPTY;
	BUFFER image = {0};
	struct composefs_format format = COMPOSEFS_FORMAT_DEFAULT;
	if (argc == 5)
		format = (struct composefs_format){
			(unsigned)atoi(argv[3]), (unsigned)atoi(argv[4])};
	int r = tree_load(&tree, argv[1], NULL);
	if (r < 0)
		return r;
	uint8_t(*digests)[COMPOSEFS_DIGEST_SIZE] =
		calloc(tree.n_entries, sizeof *digests);
	r = digests ? composefs_digests(&tree, 0, digests) : error_memory();
	if (r == 0)
		r = composefs_make(&tree, digests, format, &image);
	if (r == 0)
		r = output_save(argv[2], 0644, true, buffer_span(&image));
	free(digests);
	return r;
}

int main(int argc, char **argv)
{
	if (argc != 3 && argc != 5)
		return STATUS_USAGE;
	if (make(argc, argv) == 0)
		return 0;
	fprintf(stderr, "%s\n", error_text());
	return (int)error_status();
}
