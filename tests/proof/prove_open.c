/* SPDX-License-Identifier: MIT */
/* Any device at all is opened or refused; what was opened has its runs within the device.
 */
#include "tests/proof/model.h"

void prove_open(void)
{
	struct blobfs_platform platform = model_platform();
	if (blobfs_open(&fs, &platform, slots, N_SLOTS) != 0)
		return;
	__CPROVER_assert(fs.n_runs <= BLOBFS_MAX_RUNS, "runs fit");
	uint32_t i = nondet_u32();
	if (i < fs.n_runs)
		__CPROVER_assert(
			fs.runs[i].offset <= device_size &&
				fs.runs[i].pages <=
					(device_size - fs.runs[i].offset) / BLOBFS_BLOCK,
			"runs within the device");
	__CPROVER_assert(!slots[0].valid && !slots[1].valid, "nothing is verified yet");
	REACHED(fs.n_runs == BLOBFS_MAX_RUNS);
}
