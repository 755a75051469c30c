/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_VERITY_PARITY_H
#define CAIRN_CORE_VERITY_PARITY_H

#include "core/fec.h"

/*
 * What a check of the parity found. A parity block is the parity of one round
 * (core/fec.h): as many bytes as a block has, times the roots.
 */
struct verity_parity {
	struct ranges bad;        /* not the parity of what it is over, which is good */
	struct ranges unreadable; /* the disk does not give them (EIO) */
	struct ranges unknown;    /* over a block that is not known to be good */
};

#define AUTO_VERITY_PARITY \
	__attribute__((cleanup(verity_parity_free))) struct verity_parity

void verity_parity_free(struct verity_parity *parity);

/*
 * Compares the parity at OFFSET of PARITY with what FEC covers, which verity_check has
 * found to be good but for DAMAGE. Returns 0 if all is as it should be, else 1 and FOUND,
 * which must be zeroed.
 */
int verity_parity_check(const struct verity_params *p, const struct fec *fec,
	const struct file *parity, uint64_t offset, unsigned jobs,
	const struct merkle_damage *damage, struct verity_parity *found);

#endif
