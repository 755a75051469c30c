/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_DOSSIER_SEAL_H
#define CAIRN_VERIFIER_DOSSIER_SEAL_H

#include "core/certificate.h"
#include "core/signer.h"

/*
 * What keeps a report from being altered unseen: a manifest of its files, in the format
 * of sha256sum(1), and a signature over that: PKCS#7 in DER, detached, without signed
 * attributes, as `openssl smime -verify` reads it.
 */
#define DOSSIER_MANIFEST  "report.sha256"
#define DOSSIER_SIGNATURE "report.sha256.p7s"

/* The log, which report.json names the head of (verifier/event_log.h). */
#define DOSSIER_EVENTS "report.log"

/* The log while the examination runs: what is left of one that was killed. */
#define DOSSIER_UNFINISHED "report.log.unfinished"

/*
 * A certificate signs reports if it names none of our purposes: a key for images is not
 * one for testimony. -EKEYREJECTED, STATUS_TRUST.
 */
int dossier_check_signer(const struct certificate *c);

/* Appends the signature of MANIFEST. */
int dossier_sign(const struct signer *signer, struct span manifest, struct buffer *der);

/* Whether the directory DIR has a report, or what is left of one. */
bool dossier_is(const char *dir);

#endif
