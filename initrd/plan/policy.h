/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_PLAN_POLICY_H
#define CAIRN_INITRD_PLAN_POLICY_H

#include "core/buffer.h"
#include "core/purpose.h"
#include "initrd/plan/words.h"

/*
 * What decides about security in a boot: a file inside the initrd, which is part of the
 * signed UKI. The kernel command line can only repeat it (initrd/plan/cmdline.h).
 *
 * The file is lines KEY=VALUE, each key once and all of them there but `word`, which
 * comes once for each word of the UKI's command line:
 *     version=1
 *     part=root|usr
 *     roothash=64 lower-case hex digits
 *     fs=erofs|squashfs|ext4
 *     verity=panic|restart|eio
 *     on-failure=poweroff|reboot|panic
 *     overlay=none|volatile|etc|etc-unauthenticated
 *     cmdline=strict|open
 *     init=/absolute/path
 *     subdir=none|/path       the directory of the image that becomes the root
 *     state=none|volatile|ext4|xfs|btrfs   what /var is: the image's, a tmpfs, or a
 *                             partition of its own with that file system
 *     persist=none|/etc/FILE,...  files of a volatile /etc that lie on that partition
 *     extensions=no|yes       whether extensions are composed before the real init runs
 *     require-signature=none|PURPOSE,...   (root, sysext, confext)
 *     rollback=any|tpm        tpm: only with a floor of epochs in the TPM
 *     epoch=number            CAIRN_EPOCH of the image's os-release
 *     wait=seconds            for the partitions to appear
 *     timeout=seconds         for the whole boot up to the real init
 *     word=console=ttyS0
 */
#define POLICY_FILE     "etc/cairn/boot.conf"
#define POLICY_MAX_SIZE 16384

enum policy_part {
	PART_ROOT,
	PART_USR,
};

/* What dm-verity does when a block is not what it should be. */
enum policy_verity {
	VERITY_PANIC,
	VERITY_RESTART,
	VERITY_EIO, /* the read fails, the system goes on */
};

enum policy_failure {
	FAILURE_POWEROFF,
	FAILURE_REBOOT,
	FAILURE_PANIC,
};

enum policy_overlay {
	OVERLAY_NONE,
	OVERLAY_VOLATILE, /* a tmpfs as the upper layer of / (part=root only) */
	OVERLAY_ETC,      /* a tmpfs as that of /etc */
	OVERLAY_ETC_UNAUTHENTICATED, /* a directory of the state as that of /etc */
};

enum policy_cmdline {
	CMDLINE_STRICT,
	CMDLINE_OPEN, /* words nobody knows are let through */
};

enum policy_rollback {
	ROLLBACK_ANY, /* a floor in the TPM counts if there is one */
	ROLLBACK_TPM, /* without one there is no boot */
};

#define POLICY_EPOCH_MAX 65535

struct policy {
	enum policy_part part;
	enum policy_verity verity;
	enum policy_failure on_failure;
	enum policy_overlay overlay;
	enum policy_cmdline cmdline;
	enum policy_rollback rollback;
	unsigned require_signature; /* 1 << enum purpose for each */
	unsigned epoch;
	char root_hash[65];
	char fs[16];
	char init[256];
	char subdir[256];  /* "": the root is the image's */
	char state[16];    /* file system type, or "volatile"; "": /var is the image's */
	char persist[512]; /* absolute paths with commas between; "": none */
	bool extensions;
	unsigned wait_s, timeout_s;
	struct words words; /* the UKI's command line, roothash= included */
};

/* Panic on corruption, power off on failure, strict, no overlay, 30 s, 120 s, erofs. */
void policy_defaults(struct policy *p);

/*
 * Takes LINE, the whole command line of the UKI as text: it becomes the policy's words,
 * and roothash=|usrhash=, init=, cairn.overlay=, cairn.verity=, cairn.on-failure=,
 * cairn.cmdline=, cairn.subdir=, cairn.state=, cairn.persist=, cairn.extensions=,
 * cairn.require-signature=, cairn.rollback=, cairn.wait= and cairn.timeout= set what they
 * name. STATUS_USAGE for any other cairn.*, for a value that
 * makes no sense and for one that comes twice.
 */
int policy_from_cmdline(struct policy *p, const char *line);

/* STATUS_FORMAT unless all fields are there and make sense together. */
int policy_check(const struct policy *p);

/* Appends the file. The policy must be good (policy_check). */
int policy_write(const struct policy *p, struct buffer *text);

/* Parses the file, strictly; STATUS_FORMAT names the line. */
int policy_parse(struct policy *p, struct span text);

/* "panic", "restart", "eio"; and so on: as in the file. */
const char *policy_verity_name(enum policy_verity v);
const char *policy_failure_name(enum policy_failure f);
const char *policy_overlay_name(enum policy_overlay o);

/* Whether /var is a partition. */
bool policy_keeps_state(const struct policy *p);

/*
 * Copies the next path of *LIST, as policy.persist has it, to PATH and moves *LIST on.
 * False at the end.
 */
bool policy_next_path(const char **list, char path[256]);

/* Whether the policy wants signatures for PURPOSE checked before the image is used. */
bool policy_requires(const struct policy *p, enum purpose purpose);

#endif
