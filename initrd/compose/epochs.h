/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_EPOCHS_H
#define CAIRN_COMPOSE_EPOCHS_H

#include "initrd/compose/anchors.h"
#include "initrd/compose/rollback.h"

/* All that says how old a system may be, and how old it is. */
struct epochs {
	unsigned own;        /* CAIRN_EPOCH in its os-release; 0: not there */
	unsigned base_floor; /* epoch-floor in its policy; 0: none */
	enum rollback_state state;
	uint64_t tpm_floor; /* 0 unless state is ROLLBACK_FLOOR */
};

/* The epoch that lib/os-release below the directory USR_FD states; 0 without the file. */
int epochs_of_usr(int usr_fd, unsigned *epoch);

/*
 * Reads all of it: of the system whose root directory is ROOT, and the TPM at DEVICE. The
 * system's are read from its base, below what is composed over /usr, which then takes
 * root; what somebody else mounted there is refused (STATUS_TRUST). Only for a process
 * with one thread.
 */
int epochs_read(struct epochs *e, const char *root, const char *device);

/*
 * Raises the floor in the TPM to EPOCH, 0 standing for the base's own floor. Refused
 * (STATUS_USAGE) above the system's own epoch: it could not be booted again. Returns 1 if
 * there was nothing to do.
 */
int epochs_raise(const struct epochs *e, const char *device, unsigned epoch);

#endif
