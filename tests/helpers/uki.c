/* SPDX-License-Identifier: MIT */

/* For the boot tests: uki STUB OS-RELEASE COMMAND-LINE KERNEL INITRD OUT */
#include <stdio.h>
#include <string.h>

#include "builder/uki.h"
#include "core/output.h"

#define PART_MAX (128 << 20)

int main(int argc, char **argv)
{
	BUFFER stub = {0}, osrel = {0}, kernel = {0}, initrd = {0}, image = {0};
	struct buffer *const parts[] = {&stub, &osrel, NULL, &kernel, &initrd};
	int r = argc == 7 ? 0 : error_usage("six arguments");
	for (int i = 0; r == 0 && i < 5; i++)
		if (parts[i])
			r = file_slurp(argv[i + 1], PART_MAX, parts[i]);
	if (r == 0) {
		struct uki uki = {.stub = buffer_span(&stub),
			.osrel = buffer_span(&osrel),
			.cmdline = span_of(argv[3], strlen(argv[3])),
			.kernel = buffer_span(&kernel),
			.initrd = buffer_span(&initrd)};
		r = uki_make(&uki, &image);
	}
	if (r == 0)
		r = output_save(argv[6], 0644, true, buffer_span(&image));
	if (r < 0)
		fprintf(stderr, "uki: %s\n", error_text());
	return r < 0 ? (int)error_status() : 0;
}
