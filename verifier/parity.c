/* SPDX-License-Identifier: MIT */
#include "verifier/parity.h"

#include <stdlib.h>
#include <string.h>

#include "core/fec.h"

#define STEP ((size_t)65536)

/* The code over data and tree, for the number of roots whose parity has SIZE bytes. */
static bool find_code(const struct payload *p, uint64_t size, struct fec *fec)
{
	uint64_t data = p->params.data_blocks * p->params.data_block_size;
	if (p->params.data_block_size != p->params.hash_block_size)
		return false;
	for (unsigned roots = FEC_ROOTS_MIN; roots <= FEC_ROOTS_MAX; roots++) {
		*fec = (struct fec){
			.roots = roots, .block_size = p->params.data_block_size};
		fec_add(fec, p->disk->file, p->data.offset, data);
		fec_add(fec, p->disk->file, p->tree_offset, p->tree_size);
		if (fec_parity_size(fec) == size)
			return true;
	}
	return false;
}

/* 0 if the SIZE bytes at the start of A are those at OFFSET of B, 1 and AT if not. */
static int compare(const struct file *a, const struct file *b, uint64_t offset,
	uint64_t size, uint64_t *at)
{
	uint8_t *bytes = malloc(2 * STEP);
	int r = bytes ? 0 : error_memory();
	for (uint64_t done = 0; r == 0 && done < size; done += STEP) {
		size_t n = size - done < STEP ? (size_t)(size - done) : STEP;
		r = file_read(a, bytes, n, done);
		if (r == 0)
			r = file_read(b, bytes + STEP, n, offset + done);
		for (size_t i = 0; r == 0 && i < n; i++)
			if (bytes[i] != bytes[STEP + i]) {
				*at = done + i;
				r = 1;
			}
	}
	free(bytes);
	return r;
}

bool parity_check(
	const struct payload *p, const struct place *rest, struct report *report)
{
	AUTO_FILE own = FILE_CLOSED;
	struct fec fec;
	uint64_t at;
	/* Zeros are nothing but room, and what cannot be read is the caller's to report.
	 */
	if (rest->size == 0 || p->tree_file != p->disk->file ||
		disk_find_nonzero(p->disk->file, rest->offset, rest->size, &at) != 0 ||
		!find_code(p, rest->size, &fec))
		return false;
	int r = file_in_memory(&own, "parity", (struct span){0});
	if (r == 0)
		r = fec_encode(&fec, &own, 0, 0);
	if (r == 0)
		r = compare(&own, p->disk->file, rest->offset, rest->size, &at);
	if (r < 0)
		report_error(report, "parity", rest, p->disk->file->name);
	else if (r > 0)
		report_fault(report, STATUS_CONTENT, "parity", rest,
			"byte at offset %ju is not the parity (%u roots) of data and "
			"tree",
			(uintmax_t)(rest->offset + at), fec.roots);
	else
		report_good(report, "parity", rest,
			"error correction of %u roots, as data and tree give it",
			fec.roots);
	return true;
}
