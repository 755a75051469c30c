/* SPDX-License-Identifier: MIT */
#include "verifier/examine/split.h"

#include <stdlib.h>

int split_open(struct split *s, const struct file *files, size_t n)
{
	*s = (struct split){
		.files = files, .n_files = n, .ends = calloc(n, sizeof *s->ends)};
	if (!s->ends)
		return error_memory();
	for (size_t i = 0; i < n; i++) {
		if (u64_add(s->size, files[i].size, &s->size) || s->size > INT64_MAX)
			return error_format("the segments are larger than any image");
		/* What split them did so at the same size each time. */
		if (i + 1 < n && files[i].size != files[0].size)
			return error_format(
				"%s: has %ju bytes, and the first segment %ju: cut off",
				files[i].name, (uintmax_t)files[i].size,
				(uintmax_t)files[0].size);
		s->ends[i] = s->size;
	}
	return 0;
}

int split_read(const struct split *s, uint8_t *data, size_t size, uint64_t offset)
{
	int r = 0;
	for (size_t i = 0, done = 0; r == 0 && done < size && i < s->n_files; i++) {
		uint64_t at = offset + done, start = i ? s->ends[i - 1] : 0;
		size_t n = size - done;
		if (at >= s->ends[i])
			continue;
		if (n > s->ends[i] - at)
			n = (size_t)(s->ends[i] - at);
		r = file_read(&s->files[i], data + done, n, at - start);
		done += n;
	}
	return r;
}

void split_close(struct split *s)
{
	free(s->ends);
	*s = (struct split){0};
}
