/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_TPM_H
#define CAIRN_COMPOSE_TPM_H

#include <stdbool.h>

#include "core/error.h"
#include "core/span.h"

/*
 * The few commands of a TPM 2.0 that a counter needs, as bytes to the device: no library
 * stands between. Layouts and numbers are those of the TPM 2.0 Library specification,
 * part 3 (commands) and part 2 (structures); all integers are big-endian.
 */
struct tpm {
	int fd; /* owned; -1: closed */
	const char *name;
};

#define TPM_CLOSED ((struct tpm){.fd = -1})
#define TPM_DEVICE "/dev/tpmrm0"

/*
 * Opens the character device PATH, or connects to the Unix socket PATH, where swtpm
 * serves. PATH must outlive TPM. -ENOENT (which the caller may expect) if there is none.
 */
int tpm_open(struct tpm *tpm, const char *path);
void tpm_close(struct tpm *tpm);
#define AUTO_TPM __attribute__((cleanup(tpm_close))) struct tpm

/* What an NV index is (TPM2B_NV_PUBLIC). */
struct tpm_nv {
	unsigned attributes; /* TPMA_NV */
	unsigned data_size;
	bool plain; /* its name algorithm is SHA-256, and it has no policy */
};

#define TPM_NV_OWNERWRITE (1u << 1)
#define TPM_NV_AUTHWRITE  (1u << 2)
#define TPM_NV_COUNTER    (1u << 4) /* TPM_NT_COUNTER, in bits 4 to 7 */
#define TPM_NV_OWNERREAD  (1u << 17)
#define TPM_NV_AUTHREAD   (1u << 18)
#define TPM_NV_NO_DA      (1u << 25) /* failed authorizations do not lock it */
#define TPM_NV_WRITTEN    (1u << 29)

/* Returns 0, or 1 if there is no such index. */
int tpm_nv_public(const struct tpm *tpm, uint32_t index, struct tpm_nv *nv);

/* Reads a counter, by the index's own authorization, which is empty. */
int tpm_nv_read_counter(const struct tpm *tpm, uint32_t index, uint64_t *value);

/* Adds one to it, by the same. */
int tpm_nv_increment(const struct tpm *tpm, uint32_t index);

/* Makes a counter, or deletes one, by the owner's authorization, which must be empty. */
int tpm_nv_define_counter(const struct tpm *tpm, uint32_t index, unsigned attributes);
int tpm_nv_undefine(const struct tpm *tpm, uint32_t index);

#endif
