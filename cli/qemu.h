/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_QEMU_H
#define CAIRN_CLI_QEMU_H

#include "cli/firmware.h"

/* A virtual machine's QEMU command line. */

enum accel {
	ACCEL_TCG,
	ACCEL_KVM,
};

struct machine {
	const struct file *image;  /* NULL: no disk */
	bool qcow2;                /* its format; else raw */
	uint64_t qcow2_size;       /* then, as the guest sees it, bytes */
	bool snapshot;             /* the guest may write, into a file that vanishes */
	const struct file *kernel; /* NULL: boot by UEFI */
	const struct firmware *firmware; /* without KERNEL */
	const struct file *initrd;       /* NULL: none */
	const char *cmdline;             /* with KERNEL */
	enum accel accel;
	unsigned memory; /* MiB */
	unsigned n_cpus;
	const struct file *extensions; /* images, each a disk of its own, in this order */
	size_t n_extensions;
	const struct file *collect; /* a disk that the guest may write to; NULL: none */
	int tpm;                    /* socket of an emulated TPM's control; -1: none */
};

#define QEMU_MAX_EXTENSIONS 16
#define QEMU_MAX_WORDS      160
#define QEMU_MAX_FDS        (8 + QEMU_MAX_EXTENSIONS)

/* Extension disk N, from 0, has the serial number QEMU_EXTENSION_SERIAL "N". */
#define QEMU_EXTENSION_SERIAL "cairn-extension-"

/* What runs it: argv for struct process, and descriptors it needs under their numbers. */
struct qemu {
	char *argv[QEMU_MAX_WORDS]; /* owned, ends with NULL */
	size_t n_words;
	int fds[QEMU_MAX_FDS]; /* not owned */
	size_t n_fds;
};

#define AUTO_QEMU __attribute__((cleanup(qemu_free))) struct qemu

/*
 * Makes the command line of M: the serial line on stdin and stdout, no other device that
 * a boot does not need, no network. The images are opened for reading only, always; they
 * reach QEMU as descriptors, so that what was looked at is what boots. NAMES puts
 * file names in the place of the descriptors, for people to read.
 */
int qemu_prepare(const struct machine *m, bool names, struct qemu *q);

/* The words quoted for a shell, on one line, appended to TEXT. */
int qemu_quote(const struct qemu *q, struct buffer *text);

void qemu_free(struct qemu *q);

/*
 * Refuses a qcow2 image (STATUS_FORMAT) that names other files: a backing file or a data
 * file could be any file of this machine. Returns 1 and its virtual size if F is a qcow2
 * image, 0 if it is something else.
 */
int qemu_check_qcow2(const struct file *f, uint64_t *size);

#endif
