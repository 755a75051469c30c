/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_FEC_H
#define CAIRN_CORE_FEC_H

#include "core/ranges.h"
#include "core/verity.h"

/*
 * dm-verity's forward error correction: Reed-Solomon codes RS(255, 255 - ROOTS) over the
 * data and what follows it in the hash area. With R = ceil(blocks / (255 - ROOTS))
 * rounds, byte K of blocks N, N + R, N + 2 R, ... is one codeword (blocks past the end
 * are zeros), and its ROOTS parity bytes are at (N * block size + K) * ROOTS. So each
 * block of a run of R bad ones is in a codeword of its own.
 *
 * Sources: the kernel's dm-verity document; cryptsetup's man page veritysetup-format.
 */
#define FEC_ROOTS_MIN 2
#define FEC_ROOTS_MAX 24
#define FEC_SYMBOLS   255 /* in a codeword */

/* What is covered: parts of files, one after the other, each of whole blocks. */
#define FEC_PARTS_MAX 3

struct fec_part {
	const struct file *file;
	uint64_t offset; /* bytes */
	uint64_t size;
};

struct fec {
	unsigned roots;
	uint32_t block_size;
	struct fec_part parts[FEC_PARTS_MAX];
	size_t n_parts;
};

/* Refuses (STATUS_FORMAT) roots and block sizes that do not exist. */
int fec_check(const struct fec *fec);

/* Adds a part of SIZE bytes (rounded down to whole blocks). */
void fec_add(struct fec *fec, const struct file *file, uint64_t offset, uint64_t size);

uint64_t fec_blocks(const struct fec *fec); /* covered */
uint64_t fec_rounds(const struct fec *fec);
uint64_t fec_parity_size(const struct fec *fec); /* bytes */

/* Reads or writes N covered blocks from number FIRST on; past the end are zeros. */
int fec_read(const struct fec *fec, uint64_t first, size_t n, uint8_t *data);
int fec_write(const struct fec *fec, uint64_t block, const uint8_t *data);

/* Writes the parity to OFFSET of PARITY, on JOBS threads (0: one per processor). */
int fec_encode(
	const struct fec *fec, const struct file *parity, uint64_t offset, unsigned jobs);

/*
 * Computes the parity again and compares. BAD gets the numbers of rounds whose parity is
 * another one, UNREADABLE of those where the disk does not give it (EIO); both must be
 * zeroed. Returns 1 if there are any, 0 if not. What is covered must be readable.
 */
int fec_compare(const struct fec *fec, const struct file *parity, uint64_t offset,
	unsigned jobs, struct ranges *bad, struct ranges *unreadable);

/*
 * Computes the N_BAD blocks of numbers BAD (sorted as fec_sort does) from the others and
 * the parity, and writes those that come out consistently. At most `roots` of them in a
 * codeword can be; *N_LEFT gets the number of the others. What was written is a proposal:
 * the caller compares it with the hash tree.
 */
int fec_propose(const struct fec *fec, const struct file *parity, uint64_t offset,
	const uint64_t *bad, size_t n_bad, unsigned jobs, size_t *n_left);

/* Sorts by round, and within a round by number. */
void fec_sort(const struct fec *fec, uint64_t *bad, size_t n_bad);

#endif
