/* SPDX-License-Identifier: MIT */
/* make-filesystem TREE|TAR TYPE IMAGE [COMPRESS [JOBS [SUBTREE]]]: for tests. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/filesystem.h"
#include "core/progress.h"

static int make(int argc, char **argv)
{
	AUTO_TREE tree = TREE_EMPTY;
	AUTO_FILE out = FILE_CLOSED;
	struct filesystem_info info;
	struct filesystem_options options = {.epoch = 1700000000,
		.scratch = argv[3],
		.label = "cairn",
		.uuid = "0123456789abcdef",
		.compress = argc > 4 && *argv[4] ? argv[4] : NULL,
		.jobs = argc > 5 ? (unsigned)atoi(argv[5]) : 0,
		.subtree = argc > 6 ? argv[6] : NULL};
	int r = filesystem_by_name(argv[2], &options.type);
	if (r == 0)
		r = tree_load(&tree, argv[1], argv[3]);
	int fd = r < 0 ? -1 : open(argv[3], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (r == 0)
		r = file_from_fd(&out, fd, argv[3]);
	if (r == 0)
		r = filesystem_make(&tree, &options, &out, &info);
	if (r == 0)
		printf("%ju bytes, %ju entries, %s, %s\n", (uintmax_t)info.size,
			(uintmax_t)info.n_entries, info.compress, info.tool);
	return r;
}

int main(int argc, char **argv)
{
	progress_silence(true);
	if (argc < 4)
		return STATUS_USAGE;
	int r = make(argc, argv);
	if (r < 0)
		fprintf(stderr, "make-filesystem: %s\n", error_text());
	return r < 0 ? (int)error_status() : 0;
}
