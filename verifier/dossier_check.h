/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_DOSSIER_CHECK_H
#define CAIRN_VERIFIER_DOSSIER_CHECK_H

#include "core/certificate.h"
#include "core/file.h"
#include "verifier/report.h"

/*
 * Checking the report of an examination: the files of a directory against the manifest
 * and its signature (verifier/dossier_seal.h), and the log along its chain.
 */

/* A file called report.SOMETHING; all else is only named. */
struct dossier_file {
	char *name;       /* owned */
	struct file file; /* open, unless: */
	bool failed;      /* it cannot be, and this is why */
	struct error_record why;
};

#define DOSSIER_FILES_MAX     16
#define DOSSIER_STRANGERS_MAX 100

struct dossier_files {
	struct dossier_file items[DOSSIER_FILES_MAX];
	size_t n_items;
	char *strangers[DOSSIER_STRANGERS_MAX]; /* owned */
	size_t n_strangers;
	uint64_t n_more; /* for which there was no room */
};

#define AUTO_DOSSIER_FILES \
	__attribute__((cleanup(dossier_files_close))) struct dossier_files

/* Opens what is in the directory PATH. F must be zeroed. */
int dossier_files_open(struct dossier_files *f, const char *path);

/* May be called twice. */
void dossier_files_close(struct dossier_files *f);

/*
 * Checks the report; no other file is opened, so that this can be done confined. Faults:
 * a file that is not what the manifest says, a log with missing or altered lines
 * (STATUS_CONTENT); no signature by one of PINS (STATUS_TRUST; PINS NULL: none were
 * given, STATUS_UNCHECKED unless NO_SIGNATURE). What is in the directory besides is
 * named. Negative only if it could not be done at all.
 */
int dossier_verify(struct dossier_files *f, const struct certificates *pins,
	bool no_signature, struct report *report);

#endif
