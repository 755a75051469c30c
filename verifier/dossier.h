/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_DOSSIER_H
#define CAIRN_VERIFIER_DOSSIER_H

#include "core/output.h"
#include "verifier/dossier_seal.h"
#include "verifier/examination.h"

/*
 * The directory with an examination's report: for programs, for people, and as Digital
 * Forensics XML. All of its files appear, or none.
 */
enum dossier_part {
	DOSSIER_JSON,  /* report.json */
	DOSSIER_TEXT,  /* report.txt */
	DOSSIER_DFXML, /* report.dfxml */
	DOSSIER_LOG,   /* report.log */
	DOSSIER_PAGE,  /* report.html, if it is wanted */
	DOSSIER_SUMS,  /* report.sha256: digests of those above */
	DOSSIER_SIGNED /* report.sha256.p7s, if there is a signer */
};
#define DOSSIER_PARTS 7

struct dossier {
	const struct signer *signer; /* not owned; NULL: the report is not signed */
	bool with_page;              /* report.html as well */
	bool to_directory;           /* else the texts are made, and nothing is written */
	struct output outputs[DOSSIER_PARTS];
	int directory;     /* where the report goes; -1 before dossier_open */
	int unfinished;    /* open for the log's lines; 0: there is no such file */
	struct file files; /* without a name: the file objects of report.dfxml */
	struct buffer texts[DOSSIER_PARTS]; /* that of the DFXML is not kept */
};

#define DOSSIER_EMPTY                                                                   \
	((struct dossier){                                                              \
		.outputs = {OUTPUT_CLOSED, OUTPUT_CLOSED, OUTPUT_CLOSED, OUTPUT_CLOSED, \
			OUTPUT_CLOSED, OUTPUT_CLOSED, OUTPUT_CLOSED},                   \
		.directory = -1,                                                        \
		.files = FILE_CLOSED})
#define AUTO_DOSSIER __attribute__((cleanup(dossier_close))) struct dossier

/*
 * Prepares a report in the directory PATH, made if need be, before anything is examined:
 * one that cannot be written is no use at the end. A report that is there is refused,
 * -EEXIST, STATUS_USAGE, and so is what is left of an examination that was killed: until
 * dossier_close `unfinished` is the file DOSSIER_UNFINISHED. With LIST_FILES `files` is
 * open for the list. `signer` and `with_page` are to be set before.
 */
int dossier_open(struct dossier *d, const char *path, bool list_files);

/* Makes the texts and, after dossier_open, puts the files in place. */
int dossier_write(struct dossier *d, const struct examination *e);

/* May be called twice. */
void dossier_close(struct dossier *d);

#endif
