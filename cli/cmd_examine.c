/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "verifier/dossier.h"
#include "verifier/examine/examine.h"

struct options {
	struct examine_options examine;
	const char *report;            /* a directory; NULL: none */
	const char *key, *certificate; /* that sign the report; NULL: it is not signed */
	bool list_files, page, json, quiet;
};

enum {
	OPT_PARTITION = 256,
	OPT_SINGLE,
	OPT_TYPE,
	OPT_JOURNAL,
	OPT_SEAL,
	OPT_SEAL_LIMIT,
	OPT_NO_HASH,
	OPT_INTEROP,
	OPT_PIECES,
	OPT_REPLAY,
	OPT_DIR,
	OPT_EXEC,
	OPT_SUID,
	OPT_DEV,
	OPT_REPORT,
	OPT_FILES,
	OPT_HTML,
	OPT_SIGN,
	OPT_CERT,
	OPT_CASE,
	OPT_EVIDENCE,
	OPT_EXAMINER,
	OPT_NOTES,
	OPT_JSON,
	OPT_QUIET
};

static const struct option long_options[] = {
	{"partition", required_argument, NULL, OPT_PARTITION},
	{"single", no_argument, NULL, OPT_SINGLE},
	{"type", required_argument, NULL, OPT_TYPE},
	{"journal", required_argument, NULL, OPT_JOURNAL},
	{"seal", no_argument, NULL, OPT_SEAL},
	{"seal-limit", required_argument, NULL, OPT_SEAL_LIMIT},
	{"no-hash-before", no_argument, NULL, OPT_NO_HASH},
	{"interop", no_argument, NULL, OPT_INTEROP},
	{"piece-size", required_argument, NULL, OPT_PIECES},
	{"replay-copy", no_argument, NULL, OPT_REPLAY},
	{"dir", required_argument, NULL, OPT_DIR},
	{"exec", no_argument, NULL, OPT_EXEC},
	{"suid", no_argument, NULL, OPT_SUID},
	{"dev", no_argument, NULL, OPT_DEV},
	{"report", required_argument, NULL, OPT_REPORT},
	{"files", no_argument, NULL, OPT_FILES},
	{"html", no_argument, NULL, OPT_HTML},
	{"sign", required_argument, NULL, OPT_SIGN},
	{"cert", required_argument, NULL, OPT_CERT},
	{"case", required_argument, NULL, OPT_CASE},
	{"evidence", required_argument, NULL, OPT_EVIDENCE},
	{"examiner", required_argument, NULL, OPT_EXAMINER},
	{"notes", required_argument, NULL, OPT_NOTES},
	{"json", no_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{NULL, 0, NULL, 0},
};

static int take_number(const char *option, uint64_t max, uint64_t *value)
{
	return argument_number(option, optarg, 1, max, value);
}

static int take_flag(struct options *o, int option, char **argv)
{
	struct examine_options *e = &o->examine;
	const struct {
		int option;
		bool *flag;
	} flags[] = {{OPT_SINGLE, &e->single}, {OPT_SEAL, &e->seal},
		{OPT_NO_HASH, &e->no_hash_before}, {OPT_INTEROP, &e->interop},
		{OPT_REPLAY, &e->replay_copy}, {OPT_EXEC, &e->exec}, {OPT_SUID, &e->suid},
		{OPT_DEV, &e->dev}, {OPT_FILES, &o->list_files}, {OPT_HTML, &o->page},
		{OPT_JSON, &o->json}, {OPT_QUIET, &o->quiet}};
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (flags[i].option == option) {
			*flags[i].flag = true;
			return 0;
		}
	return argument_unknown(option, argv);
}

static int take_text(struct options *o, int option, char **argv)
{
	struct custody *c = &o->examine.custody;
	const struct {
		int option;
		const char **text;
	} texts[] = {{OPT_CASE, &c->case_number}, {OPT_EVIDENCE, &c->evidence},
		{OPT_EXAMINER, &c->examiner}, {OPT_NOTES, &c->notes},
		{OPT_TYPE, &o->examine.type}, {OPT_JOURNAL, &o->examine.journal},
		{OPT_DIR, &o->examine.dir}, {OPT_REPORT, &o->report}, {OPT_SIGN, &o->key},
		{OPT_CERT, &o->certificate}};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (texts[i].option == option) {
			*texts[i].text = optarg;
			return 0;
		}
	return take_flag(o, option, argv);
}

static int take_option(struct options *o, int option, char **argv)
{
	uint64_t value = 0;
	int r = 0;
	switch (option) {
	case OPT_PARTITION:
		r = take_number("--partition", 1024, &value);
		o->examine.partition = (uint32_t)value;
		return r;
	case OPT_PIECES:
		r = take_number("--piece-size", 1 << 20, &value);
		o->examine.piece_size = value << 20;
		return r;
	case OPT_SEAL_LIMIT:
		r = argument_number("--seal-limit", optarg, 0, 1 << 20, &value);
		o->examine.seal_limit = value << 20;
		return r;
	default:
		return take_text(o, option, argv);
	}
}

static int check_dir(const char *dir)
{
	struct stat st;
	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return error_usage(
			"examine: %s is no directory; --dir says where the file "
			"system is shown to the command",
			dir);
	return 0;
}

static int parse(struct options *o, int argc, char **argv)
{
	static const char *shell[] = {"/bin/sh", NULL};
	int option, r = 0;
	optind = 1;
	opterr = 0;
	while (r >= 0 &&
		(option = getopt_long(argc, argv, "+:", long_options, NULL)) != -1)
		r = take_option(o, option, argv);
	if (r < 0)
		return r;
	if (optind >= argc)
		return error_usage("examine: needs one IMAGE; see cairn help examine");
	o->examine.image = argv[optind++];
	o->examine.invocation = (const char *const *)argv;
	if (optind < argc && strcmp(argv[optind], "--") != 0)
		return error_usage("examine: a COMMAND comes after --");
	if (optind < argc)
		optind++;
	if (getenv("SHELL"))
		shell[0] = getenv("SHELL");
	o->examine.argv = optind < argc ? (const char *const *)(argv + optind) : shell;
	o->examine.stdout_to_stderr = o->json;
	if (o->examine.seal && o->examine.no_hash_before)
		return error_usage("examine: --seal hashes while it copies, which "
				   "--no-hash-before forbids");
	if (o->list_files && !o->report)
		return error_usage(
			"examine: --files needs --report: the list goes there");
	if (o->page && !o->report)
		return error_usage("examine: --html needs --report: the page goes there");
	if (!o->key != !o->certificate || (o->key && !o->report))
		return error_usage("examine: --sign and --cert go together, and with "
				   "--report");
	return check_dir(o->examine.dir);
}

/* ---- the report ----------------------------------------------------------------------
 */

static int show(
	const struct options *o, const struct examination *e, const struct dossier *d)
{
	if (o->json)
		fputs(buffer_text(&d->texts[DOSSIER_JSON]), stdout);
	else if (!o->quiet && e->files[0].before.inode)
		fputs(buffer_text(&d->texts[DOSSIER_TEXT]), stderr);
	return fflush(stdout) ? error_errno("cannot write to standard output") : 0;
}

static int examine(struct options *o)
{
	AUTO_EXAMINATION e = {0};
	AUTO_DOSSIER d = DOSSIER_EMPTY;
	AUTO_SIGNER signer = {0};
	int r = o->key ? signer_load(&signer, o->key, o->certificate, PURPOSE_ROOT) : 0;
	d.signer = o->key ? &signer : NULL;
	d.with_page = o->page;
	if (r == 0 && o->report)
		r = dossier_open(&d, o->report, o->list_files);
	o->examine.files = o->list_files ? &d.files : NULL;
	e.log.copy = d.unfinished;
	if (r == 0)
		r = examine_run(&o->examine, &e);
	if (r == 0)
		r = dossier_write(&d, &e);
	if (r == 0)
		r = show(o, &e, &d);
	return r < 0 ? r : report_finish(&e.report, o->examine.image);
}

static int run(int argc, char **argv)
{
	struct options o = {.examine.dir = "/mnt", .examine.seal_limit = 256 << 20};
	int r = parse(&o, argc, argv);
	progress_silence(o.quiet);
	if (r < 0)
		return r;
	interrupt_catch();
	return examine(&o);
}

const struct verb verb_examine = {
	.name = "examine",
	.run = run,
	.summary = "look into an image, and prove that looking changed nothing",
	.usage =
		"usage: cairn examine [OPTION...] IMAGE [-- COMMAND...]\n"
		"\n"
		"Mounts a file system image, or one partition of a disk image (also "
		"split,\n"
		"or in an E01 container: name the first segment), so that\n"
		"nothing can write to it, runs COMMAND (default: a shell) in the mount,\n"
		"and shows afterwards that no byte and no time stamp of IMAGE changed.\n"
		"What COMMAND reads is checked, block by block, against what was hashed\n"
		"first. Needs CAP_SYS_ADMIN.\n"
		"\n"
		"  --partition N      the partition to look into\n"
		"  --single           IMAGE is one file, also if its name is that of "
		"the\n"
		"                     first of several segments (.001, .aa, .E01)\n"
		"  --type FS          its file system, where it cannot be told\n"
		"  --journal FILE     its external journal\n"
		"  --dir DIR          where COMMAND sees it (default: /mnt)\n"
		"  --seal             serve a copy in sealed memory, however large\n"
		"  --seal-limit MIB   do that unasked up to this size (default: 256);\n"
		"                     what is larger is read through a verifying file\n"
		"  --replay-copy      show DIR/original and DIR/replayed, a copy in\n"
		"                     memory with its journal replayed\n"
		"  --exec --suid --dev\n"
		"                     allow programs, set-user-ID, device nodes in it\n"
		"  --interop          MD5 and SHA-1 beside SHA-256\n"
		"  --piece-size MIB   a SHA-256 of each piece of so many MiB as well\n"
		"  --no-hash-before   leave out the first hash (huge evidence)\n"
		"  --report DIR       write report.json, report.txt, report.dfxml and\n"
		"                     report.log there\n"
		"  --files            list all files in it, with their SHA-256\n"
		"  --html             a page for people as well, report.html\n"
		"  --sign KEY --cert FILE  sign the report; cairn verify DIR checks it\n"
		"  --case ID --evidence ID --examiner NAME --notes TEXT\n"
		"                     what the report shall say about them\n"
		"  --json             the report as JSON on standard output\n"
		"                     (COMMAND's goes to standard error)\n"
		"  --quiet            only the exit status, and a line if it is not 0\n"
		"\n"
		"Exit status: 0 nothing changed; 6 IMAGE changed or was not shown\n"
		"unchanged; 3 it did not, but its content is damaged:\n"
		"not what its hash tree or its container says; 5 it cannot be mounted "
		"safely;\n"
		"7 a check could not run; 1, 2 as usual. COMMAND's own status is in the\n"
		"report.\n",
};
