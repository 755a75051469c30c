/* SPDX-License-Identifier: MIT */
#include "initrd/compose/rollback.h"

#include <errno.h>

/*
 * Anybody who reaches the TPM may read it and add one. No bit that would let it be
 * written otherwise, locked, cleared at a reset, or kept in volatile memory.
 */
#define ATTRIBUTES                                                                \
	(TPM_NV_COUNTER | TPM_NV_AUTHREAD | TPM_NV_AUTHWRITE | TPM_NV_OWNERREAD | \
		TPM_NV_OWNERWRITE | TPM_NV_NO_DA)

const char *rollback_reason(enum rollback_state state)
{
	static const char *const reasons[] = {
		[ROLLBACK_NO_TPM] = "there is no TPM",
		[ROLLBACK_NO_FLOOR] = "the TPM holds no floor of epochs",
		[ROLLBACK_FLOOR] = NULL,
	};
	return reasons[state];
}

/* As rollback_read, of an open TPM. */
static int read_floor(const struct tpm *tpm, enum rollback_state *state, uint64_t *floor)
{
	struct tpm_nv nv;
	*floor = 0;
	*state = ROLLBACK_NO_FLOOR;
	int r = tpm_nv_public(tpm, ROLLBACK_INDEX, &nv);
	if (r != 0)
		return r < 0 ? r : 0;
	if (!nv.plain || nv.data_size != 8 ||
		(nv.attributes & ~TPM_NV_WRITTEN) != ATTRIBUTES)
		return error_set(STATUS_FAILED, EIO,
			"%s: the NV index 0x%x is not a floor of epochs", tpm->name,
			ROLLBACK_INDEX);
	/* A counter has no value until it is first raised. */
	if (!(nv.attributes & TPM_NV_WRITTEN))
		return 0;
	*state = ROLLBACK_FLOOR;
	return tpm_nv_read_counter(tpm, ROLLBACK_INDEX, floor);
}

int rollback_read(const char *device, enum rollback_state *state, uint64_t *floor)
{
	AUTO_TPM tpm = TPM_CLOSED;
	*state = ROLLBACK_NO_TPM;
	*floor = 0;
	int r = tpm_open(&tpm, device);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : read_floor(&tpm, state, floor);
}

static int make_counter(const struct tpm *tpm)
{
	struct tpm_nv nv;
	int r = tpm_nv_public(tpm, ROLLBACK_INDEX, &nv);
	return r > 0 ? tpm_nv_define_counter(tpm, ROLLBACK_INDEX, ATTRIBUTES) : r;
}

/*
 * The first value of a counter is one above the highest that any counter of this TPM ever
 * had: that is what keeps a deleted floor from coming back lower.
 */
static int start_counter(const struct tpm *tpm, unsigned epoch, uint64_t *floor)
{
	enum rollback_state state;
	int r = make_counter(tpm);
	if (r == 0)
		r = tpm_nv_increment(tpm, ROLLBACK_INDEX);
	if (r == 0)
		r = read_floor(tpm, &state, floor);
	if (r < 0 || *floor <= epoch)
		return r;
	r = tpm_nv_undefine(tpm, ROLLBACK_INDEX);
	return r < 0 ? r
		     : error_set(STATUS_FAILED, ERANGE,
			       "%s: the TPM's counters start at %ju by now, above the "
			       "epoch %u: it cannot hold this floor",
			       tpm->name, (uintmax_t)*floor, epoch);
}

int rollback_raise(const char *device, unsigned epoch)
{
	AUTO_TPM tpm = TPM_CLOSED;
	enum rollback_state state;
	uint64_t floor;
	int r = tpm_open(&tpm, device);
	if (r == 0)
		r = read_floor(&tpm, &state, &floor);
	if (r == 0 && state == ROLLBACK_NO_FLOOR)
		r = start_counter(&tpm, epoch, &floor);
	for (; r == 0 && floor < epoch; floor++)
		r = tpm_nv_increment(&tpm, ROLLBACK_INDEX);
	return r;
}
