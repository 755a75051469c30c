/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_VERITY_REPAIR_H
#define CAIRN_CORE_VERITY_REPAIR_H

#include "core/fec.h"

/*
 * What the parity of a hash area covers: the data, the tree (at TREE_AT of TREE), and
 * what REST has from REST_FROM to REST_TO behind it. Data and hash blocks must be of one
 * size.
 */
struct fec_layout {
	unsigned roots;
	const struct file *data;
	const struct file *tree;
	uint64_t tree_at;
	const struct file *rest;
	uint64_t rest_from;
	uint64_t rest_to;
};

int verity_fec(
	const struct verity_params *p, const struct fec_layout *layout, struct fec *fec);

/*
 * The same for a hash area that is in place, with its parity at FEC_OFFSET of PARITY: if
 * that is the hash area's own file all up to there is covered, else all of the file.
 */
int verity_fec_of(const struct verity_params *p, unsigned roots, const struct file *data,
	const struct file *hash, uint64_t tree_offset, const struct file *parity,
	uint64_t fec_offset, struct fec *fec);

/* What a repair is about, and what it did. */
struct verity_repair {
	/* in; data and hash are copies that may be written to, or one file */
	const char *name; /* of the data, for messages */
	const struct verity_params *params;
	const struct file *data;
	const struct file *hash;
	uint64_t tree_offset;
	const uint8_t *root;
	const struct fec *fec; /* over these files */
	const struct file *parity;
	uint64_t fec_offset;
	unsigned jobs;
	/*
	 * Called with the numbers of the N covered blocks (core/fec.h) that may be
	 * written next; an error ends the repair. May be NULL.
	 */
	int (*before_write)(void *context, const uint64_t *blocks, size_t n);
	void *context;
	/* out */
	uint64_t repaired_data; /* blocks */
	uint64_t repaired_tree;
};

/*
 * Repairs what can be, from the top of the tree down, until all is as ROOT says. If it
 * cannot be brought there: -EBADMSG, STATUS_CONTENT, and the files are not worth keeping.
 */
int verity_repair(struct verity_repair *repair);

#endif
