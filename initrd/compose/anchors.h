/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_ANCHORS_H
#define CAIRN_COMPOSE_ANCHORS_H

#include "core/pin.h"

/*
 * Whom a verified system trusts, for what, and since when: signers per purpose, what was
 * revoked, and the policy for extensions. All of it is read from a verified base before
 * anything is merged over it, through one descriptor (docs/trust.md has the formats):
 *     lib/cairn/trust/PURPOSE/NAME.crt (or .pem)   one certificate each, PEM or DER
 *     lib/cairn/revoked                            one revocation a line
 *     lib/cairn/extensions.conf                    key=value lines
 * What is not there trusts nobody, revokes nothing, allows nothing. What is there and
 * cannot be read or is malformed refuses everything.
 */
#define ANCHORS_DIR       "lib/cairn" /* below /usr */
#define ANCHORS_TRUST     "trust"
#define ANCHORS_REVOKED   "revoked"
#define ANCHORS_POLICY    "extensions.conf"
#define ANCHORS_FILE_MAX  (1 << 20)
#define ANCHORS_EPOCH_MAX 65535 /* an NV counter is raised one by one */

struct anchors_pins {
	struct pin *items;
	size_t n_items;
};

struct anchors {
	struct anchors_pins pins[N_PURPOSES];
	struct buffer
		revoked;      /* the file, checked; anchors_check looks things up in it */
	struct buffer policy; /* likewise */
	unsigned epoch_floor; /* 0: none is stated */
	bool setuid_allowed;  /* extensions may bring setuid and setgid files */
};

/* Who signed: PIN belongs to the anchors. */
struct signer_id {
	const struct pin *pin;
	enum purpose purpose;
};

/*
 * Reads the anchors. USR_FD is a directory: /usr of the verified base itself, not of what
 * was merged over it (nothing below it may be a symbolic link or another mount). The
 * struct is to be freed in any case.
 *   STATUS_TRUST    a certificate whose key is too weak
 *   STATUS_FORMAT   a certificate, the revocations or the policy is malformed
 *   STATUS_FAILED   something cannot be read
 */
int anchors_read(struct anchors *a, int usr_fd);
void anchors_free(struct anchors *a);
#define AUTO_ANCHORS __attribute__((cleanup(anchors_free))) struct anchors

/*
 * Whether PARTITION, the contents of a signature partition, is a signature of ROOT_HASH
 * (64 lower-case hex digits) by a signer pinned for PURPOSE who is not revoked. NAME is
 * for messages. BY (may be NULL) is set to the signer. One line says what is missing:
 *   -EKEYREJECTED, STATUS_TRUST   not signed; signed for another root hash, by nobody
 *                                 trusted, by a key of another purpose, by a revoked one
 *                                 or with a weak digest; a root hash that is revoked
 *   -EINVAL, STATUS_FORMAT        malformed
 */
int anchors_check(const struct anchors *a, enum purpose purpose, const char *name,
	const char *root_hash, struct span partition, struct signer_id *by);

/*
 * Whether a signed thing with that epoch may be used: STATUS_TRUST if it is below the
 * floor that the base states.
 */
int anchors_check_epoch(const struct anchors *a, const char *name, unsigned epoch);

/*
 * Whether the signer may bring PATH (absolute, as in the merged system: "/opt/vendor/x").
 * A signer without a `prefix=` line may bring any; one with such lines only what is one
 * of them or below one, the directories above them, and an extension-release file in its
 * place. STATUS_TRUST if not; NAME is for the message.
 */
int anchors_check_path(const struct anchors *a, const struct signer_id *by,
	const char *name, const char *path, bool is_directory);

/* Whether the policy has `allow-override=NAME`: NAME's files may replace others. */
bool anchors_allows_override(const struct anchors *a, const char *name);

/*
 * The epoch that TEXT, an os-release or extension-release file, states: CAIRN_EPOCH=N, 0
 * if it is not there. STATUS_FORMAT for anything but a number up to ANCHORS_EPOCH_MAX,
 * and for two of them.
 */
int anchors_epoch(struct span text, const char *name, unsigned *epoch);

#endif
