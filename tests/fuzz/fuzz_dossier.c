/* SPDX-License-Identifier: MIT */
/*
 * The report of an examination, as somebody may have altered it: its manifest, JSON, log
 * and signature. Good is only one whose log is whole, and nothing is good that nobody
 * trusted signed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/hex.h"
#include "verifier/dossier_check.h"
#include "verifier/examine/tree_findings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct certificates pins;

/* The SHA-256 of the only manifest that this one signed: corpus/dossier/signed. */
static const char genuine[] =
	"5c4ed95eda561286dd657f79144732af89068247c0cf15a3f47c049f01a83612";

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (certificates_add(&pins, "tests/fuzz/corpus/examiner.crt") < 0)
		abort();
	return 0;
}

static const char *const names[] = {
	"report.sha256", "report.json", "report.log", "report.sha256.p7s"};
#define PARTS (sizeof names / sizeof names[0])

/* Each part is what stands until a line of "%" alone. */
static struct span take_part(struct span *in)
{
	struct span part = *in;
	const uint8_t *end = in->size > 2 ? memmem(in->data, in->size, "\n%\n", 3) : NULL;
	if (!end) {
		*in = (struct span){0};
		return part;
	}
	part.size = (size_t)(end - in->data) + 1;
	*in = span_of(end + 3, in->size - part.size - 2);
	return part;
}

static void open_parts(struct dossier_files *files, struct span in)
{
	for (size_t i = 0; i < PARTS && in.size; i++) {
		struct dossier_file *item = &files->items[files->n_items++];
		item->name = strdup(names[i]);
		item->file = FILE_CLOSED;
		if (!item->name ||
			file_in_memory(&item->file, names[i], take_part(&in)) < 0)
			abort();
	}
}

static bool is_genuine(const struct dossier_files *files)
{
	uint8_t digest[32];
	char hex[65];
	const struct file *manifest = &files->items[0].file;
	if (hash_file(HASH_SHA256, manifest, 0, manifest->size, digest) < 0)
		abort();
	return strcmp(hex_encode(digest, sizeof digest, hex), genuine) == 0;
}

static void verify(struct span in, bool no_signature)
{
	AUTO_DOSSIER_FILES files = {0};
	AUTO_REPORT report = {0};
	open_parts(&files, in);
	if (dossier_verify(&files, no_signature ? NULL : &pins, no_signature, &report) <
		0)
		abort();
	if (!no_signature && report.status == STATUS_GOOD && !is_genuine(&files))
		abort();
	for (size_t i = 0; i < report.n_findings; i++)
		if (strchr(report.findings[i].text, '\n'))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span in = span_of(data, size);
	AUTO_REPORT findings = {0};
	verify(in, true);
	verify(in, false);
	/* Lines of JSON too, from the process that looks for hash trees. */
	tree_findings_take(in, 1 << 20, &findings);
	return 0;
}
