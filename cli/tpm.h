/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_TPM_H
#define CAIRN_CLI_TPM_H

#include <pthread.h>
#include <stdbool.h>

#include "core/file.h"
#include "core/process.h"

/*
 * A TPM 2.0 for a virtual machine: swtpm, with its state in memory and no names in the
 * file system, so that nothing is left behind whatever happens. It survives the machine,
 * to be asked for what was measured.
 */
struct tpm {
	struct child swtpm;
	struct file state; /* in memory */
	int control;       /* to swtpm; -1: closed */
	int guest;         /* QEMU's end of its control channel; -1: closed */
	int relay;         /* our end of that */
	pthread_t thread;  /* passes on what QEMU says on it, but for the end */
	bool running;      /* the thread */
};

#define TPM_NONE \
	((struct tpm){.state = FILE_CLOSED, .control = -1, .guest = -1, .relay = -1})
#define AUTO_TPM __attribute__((cleanup(tpm_stop))) struct tpm

/*
 * Starts one. T->guest is for `-chardev socket,fd=` of QEMU; call tpm_handed_over when
 * QEMU has it. STATUS_FAILED names the package if there is no swtpm.
 */
int tpm_start(struct tpm *t);
void tpm_handed_over(struct tpm *t);

/* The SHA-256 bank's PCR number PCR, once QEMU has ended. */
int tpm_read_pcr(struct tpm *t, unsigned pcr, uint8_t value[32]);

/* Ends it; may be called twice. QEMU must have ended. */
void tpm_stop(struct tpm *t);

#endif
