/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "builder/extension.h"
#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/confine.h"
#include "core/hex.h"
#include "core/output.h"
#include "core/progress.h"
#include "initrd/compose/anchors.h"
#include "initrd/compose/lines.h"
#include "initrd/compose/revoked.h"
#include "verifier/dossier_seal.h"
#include "verifier/junit.h"
#include "verifier/verify.h"

struct options {
	const char *hash_file;
	uint64_t hash_offset;
	bool has_hash_offset;
	struct certificates pins;
	const char *trust, *root_hash_file, *junit;
	char *manifest; /* owned; NULL: none was given, and none lies beside the image */
	struct rules rules;
	char *root_hash; /* owned */
	enum purpose purpose;
	struct buffer revoked;
	unsigned epoch_floor;
	bool has_floor;
	bool have_cert, have_purpose, no_signature, json, quiet;
	unsigned jobs;
};

enum {
	OPT_CERT = 256,
	OPT_TRUST,
	OPT_PURPOSE,
	OPT_NO_SIGNATURE,
	OPT_HASH,
	OPT_HASH_FILE,
	OPT_REVOKED,
	OPT_EPOCH_FLOOR,
	OPT_POLICY,
	OPT_MANIFEST,
	OPT_TREE_FILE,
	OPT_TREE_OFFSET,
	OPT_JUNIT,
	OPT_JSON,
	OPT_QUIET,
	OPT_JOBS
};

static const struct option long_options[] = {
	{"cert", required_argument, NULL, OPT_CERT},
	{"trust", required_argument, NULL, OPT_TRUST},
	{"purpose", required_argument, NULL, OPT_PURPOSE},
	{"no-signature", no_argument, NULL, OPT_NO_SIGNATURE},
	{"root-hash", required_argument, NULL, OPT_HASH},
	{"root-hash-file", required_argument, NULL, OPT_HASH_FILE},
	{"revoked", required_argument, NULL, OPT_REVOKED},
	{"epoch-floor", required_argument, NULL, OPT_EPOCH_FLOOR},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"manifest", required_argument, NULL, OPT_MANIFEST},
	{"hash-file", required_argument, NULL, OPT_TREE_FILE},
	{"hash-offset", required_argument, NULL, OPT_TREE_OFFSET},
	{"junit", required_argument, NULL, OPT_JUNIT},
	{"json", no_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"jobs", required_argument, NULL, OPT_JOBS},
	{NULL, 0, NULL, 0},
};

/* Takes TEXT as the root hash, surrounding white space allowed; ORIGIN is for messages.
 */
static int take_root_hash(struct options *o, const char *text, const char *origin)
{
	uint8_t hash[32];
	char hex[65] = "";
	size_t n = 0;
	while (isspace((unsigned char)*text))
		text++;
	while (text[n] && !isspace((unsigned char)text[n]))
		n++;
	if (n == 64 && text[n + strspn(text + n, " \t\r\n")] == 0)
		memcpy(hex, text, 64);
	if (hex_decode(hex, hash, sizeof hash) < 0)
		return error_usage(
			"verify: %s: not a root hash of 64 hex digits", origin);
	free(o->root_hash);
	o->root_hash = strdup(hex_encode(hash, sizeof hash, hex));
	return o->root_hash ? 0 : error_memory();
}

static int read_root_hash(struct options *o, const char *path)
{
	BUFFER text = {0};
	int r = file_slurp(path, 4096, &text);
	if (r == 0 && strlen(buffer_text(&text)) != text.size)
		return error_format("%s: not a root hash of 64 hex digits", path);
	return r < 0 ? r : take_root_hash(o, buffer_text(&text), path);
}

static int read_revoked(struct options *o, const char *path)
{
	buffer_free(&o->revoked);
	int r = file_slurp(path, ANCHORS_FILE_MAX, &o->revoked);
	return r < 0 ? r : revoked_check(buffer_span(&o->revoked), path);
}

static int take_floor(struct options *o, const char *text)
{
	o->has_floor = lines_number(
		span_of(text, strlen(text)), ANCHORS_EPOCH_MAX, &o->epoch_floor);
	return o->has_floor ? 0
			    : error_usage("verify: --epoch-floor %s: no number up to %d",
				      text, ANCHORS_EPOCH_MAX);
}

static int take_option(struct options *o, int option, char **argv)
{
	switch (option) {
	case OPT_CERT:
		o->have_cert = true;
		return certificates_add(&o->pins, optarg);
	case OPT_TRUST:
		o->trust = optarg;
		return 0;
	case OPT_PURPOSE:
		o->have_purpose = true;
		return purpose_by_name(optarg, &o->purpose);
	case OPT_NO_SIGNATURE:
		o->no_signature = true;
		return 0;
	case OPT_HASH:
		return take_root_hash(o, optarg, "--root-hash");
	case OPT_HASH_FILE:
		return read_root_hash(o, optarg);
	case OPT_REVOKED:
		return read_revoked(o, optarg);
	case OPT_EPOCH_FLOOR:
		return take_floor(o, optarg);
	case OPT_POLICY:
		return rules_load(&o->rules, optarg);
	case OPT_TREE_FILE:
		o->hash_file = optarg;
		return 0;
	case OPT_TREE_OFFSET:
		o->has_hash_offset = true;
		return argument_number(
			"--hash-offset", optarg, 0, INT64_MAX, &o->hash_offset);
	case OPT_MANIFEST:
		free(o->manifest);
		o->manifest = strdup(optarg);
		return o->manifest ? 0 : error_memory();
	case OPT_JUNIT:
		o->junit = optarg;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_QUIET:
		o->quiet = true;
		return 0;
	case OPT_JOBS:
		return argument_jobs(optarg, &o->jobs);
	default:
		return argument_unknown(option, argv);
	}
}

/* The certificates for the purpose, from the directory of that name below --trust. */
static int load_trust(struct options *o)
{
	BUFFER path = {0};
	if (!o->trust)
		return 0;
	int r = buffer_printf(&path, "%s/%s", o->trust, purpose_name(o->purpose));
	size_t before = o->pins.n_items;
	if (r == 0)
		r = certificates_add(&o->pins, buffer_text(&path));
	if (r == 0 && o->pins.n_items == before)
		return error_set(STATUS_UNCHECKED, ENOENT,
			"%s: there is no certificate in it", buffer_text(&path));
	return r;
}

/* "os.raw" has its manifest beside it, as "os.manifest.json". */
static int find_manifest(struct options *o, const char *image)
{
	size_t n = strlen(image);
	if (o->manifest)
		return 0;
	if (n > 4 && (!strcmp(image + n - 4, ".raw") || !strcmp(image + n - 4, ".img")))
		n -= 4;
	if (asprintf(&o->manifest, "%.*s.manifest.json", (int)n, image) < 0)
		return error_memory();
	if (access(o->manifest, F_OK) < 0) {
		free(o->manifest);
		o->manifest = NULL;
	}
	return 0;
}

/* As it was given, else as the policy wants it, else as the image's name tells. */
static int settle_purpose(struct options *o, const char *image)
{
	const struct rule *rule = rules_find(&o->rules, RULE_PURPOSE);
	if (o->have_purpose)
		return 0;
	if (rule)
		return purpose_by_name(rule->value, &o->purpose);
	extension_kind_of(image, &o->purpose, NULL);
	return 0;
}

static int parse(struct options *o, int argc, char **argv)
{
	int option, r = 0;
	optind = 1;
	opterr = 0;
	while (r >= 0 &&
		(option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
		r = take_option(o, option, argv);
	if (r < 0)
		return r;
	if (optind + 1 != argc)
		return error_usage("verify: needs one IMAGE; see cairn help verify");
	if (o->no_signature && (o->have_cert || o->trust))
		return error_usage(
			"verify: --no-signature contradicts --cert and --trust");
	r = settle_purpose(o, argv[optind]);
	if (r == 0)
		r = load_trust(o);
	return r < 0 ? r : find_manifest(o, argv[optind]);
}

static int print_json(const struct file *f, const struct report *report)
{
	json_object *document = json_object_new_object();
	json_add_bytes(document, "image", span_of(f->name, strlen(f->name)));
	json_add_number(document, "size", f->size);
	report_json(report, document);
	int r = json_print(document);
	json_object_put(document);
	return r;
}

static int tell(
	const struct options *o, const struct file *f, const struct report *report)
{
	int r = 0;
	if (o->json)
		r = print_json(f, report);
	else if (!o->quiet)
		report_print(report, f->name, stdout);
	if (r == 0 && fflush(stdout))
		r = error_errno("cannot write to standard output");
	return r < 0 ? r : report_finish(report, f->name);
}

static int write_junit(const struct file *to, const struct file *f,
	const struct report *report, const struct timespec *start)
{
	BUFFER xml = {0};
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	double seconds = (double)(end.tv_sec - start->tv_sec) +
			 (double)(end.tv_nsec - start->tv_nsec) / 1e9;
	int r = report_junit(report, f->name, seconds, &xml);
	return r < 0 ? r : file_write(to, xml.data, xml.size, 0);
}

/* Everything that is needed, before a byte of the image is looked at. */
static int open_all(const struct options *o, const char *path, struct file *f,
	struct file *manifest, struct file *hash)
{
	int r = file_open_image(f, path, O_RDONLY);
	if (r == 0 && o->manifest && o->rules.n_items)
		r = file_open(manifest, o->manifest);
	if (r == 0 && o->hash_file)
		r = file_open_image(hash, o->hash_file, O_RDONLY);
	return r < 0 ? r : confine();
}

static int verify(const struct options *o, const char *path, const struct file *junit)
{
	AUTO_FILE f = FILE_CLOSED;
	AUTO_FILE manifest = FILE_CLOSED;
	AUTO_FILE hash = FILE_CLOSED;
	AUTO_REPORT report = {0};
	const struct verify_options v = {.root_hash = o->root_hash,
		.pins = o->have_cert || o->trust ? &o->pins : NULL,
		.purpose = o->purpose,
		.no_signature = o->no_signature,
		.revoked = buffer_span(&o->revoked),
		.has_floor = o->has_floor,
		.epoch_floor = o->epoch_floor,
		.rules = o->rules.n_items ? &o->rules : NULL,
		.manifest = o->manifest ? &manifest : NULL,
		.hash_file = o->hash_file ? &hash : NULL,
		.hash_offset = o->hash_offset,
		.has_hash_offset = o->has_hash_offset,
		.jobs = o->jobs};
	struct timespec start;
	clock_gettime(CLOCK_MONOTONIC, &start);
	int r = open_all(o, path, &f, &manifest, &hash);
	if (r == 0)
		r = verify_image(&f, &v, &report);
	if (r < 0)
		return r;
	if (junit)
		r = write_junit(junit, &f, &report, &start);
	return r < 0 ? r : tell(o, &f, &report);
}

/* The report of an examination: a directory. */
static int verify_dossier(const struct options *o, const char *path)
{
	AUTO_REPORT report = {0};
	const struct file name = {.fd = -1, .name = (char *)(uintptr_t)path};
	const struct certificates *pins = o->have_cert || o->trust ? &o->pins : NULL;
	if (o->junit)
		return error_usage("verify: --junit is for images");
	int r = dossier_verify(path, pins, o->no_signature, &report);
	return r < 0 ? r : tell(o, &name, &report);
}

/* What the confined process left in memory becomes the file. */
static int save_junit(const char *path, const struct file *memory)
{
	BUFFER xml = {0};
	struct stat s;
	if (fstat(memory->fd, &s) < 0)
		return error_errno("%s: cannot get the size", memory->name);
	int r = buffer_append_zeros(&xml, (size_t)s.st_size);
	if (r == 0)
		r = file_read(memory, xml.data, xml.size, 0);
	return r == 0 && xml.size ? output_save(path, 0666, true, buffer_span(&xml)) : r;
}

/*
 * Who has parsed the image cannot open files any more, so that another process writes
 * this one. Returns in both; the child goes on as if it were alone.
 */
static int verify_with_junit(const struct options *o, const char *path)
{
	AUTO_FILE memory = FILE_CLOSED;
	AUTO_OUTPUT place = OUTPUT_CLOSED;
	/* That it can be written is found out before, and told once. */
	int status = 0, r = output_open(&place, o->junit, 0666, true);
	output_close(&place);
	if (r == 0)
		r = file_in_memory(&memory, "JUnit report", (struct span){0});
	if (r < 0)
		return r;
	pid_t pid = fork();
	if (pid < 0)
		return error_errno("cannot start a process");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return verify(o, path, &memory);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno("cannot wait for a process");
	r = save_junit(o->junit, &memory);
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(int argc, char **argv)
{
	struct options o = {.purpose = PURPOSE_ROOT};
	int r = parse(&o, argc, argv);
	progress_silence(o.quiet);
	if (r == 0 && dossier_is(argv[optind]))
		r = verify_dossier(&o, argv[optind]);
	else if (r == 0)
		r = o.junit ? verify_with_junit(&o, argv[optind])
			    : verify(&o, argv[optind], NULL);
	certificates_free(&o.pins);
	buffer_free(&o.revoked);
	rules_free(&o.rules);
	free(o.manifest);
	free(o.root_hash);
	return r;
}

const struct verb verb_verify = {
	.name = "verify",
	.run = run,
	.summary = "check all of an image without mounting it",
	.usage =
		"usage: cairn verify [OPTION...] IMAGE\n"
		"\n"
		"Checks a disk image or block device, as any user who may read it: both "
		"copies\n"
		"of the partition table, every block of root or /usr and of its hash "
		"tree, the\n"
		"signature of the root hash, every EFI program and the command line "
		"inside the\n"
		"UKI, that the file system cannot be written to, and that nothing hides "
		"where\n"
		"no hash looks. All faults are listed, by partition and block.\n"
		"\n"
		"IMAGE can also be the directory of a report of cairn examine.\n\n"
		"  --cert FILE          trust this signer (PEM or DER; may be repeated)\n"
		"  --trust DIR          trust the certificates in DIR/PURPOSE/*.crt\n"
		"  --purpose PURPOSE    root, sysext, confext or generation; root unless "
		"the image\n"
		"                       is called .sysext.raw or .confext.raw\n"
		"  --no-signature       do without signatures; else, without a "
		"certificate to\n"
		"                       check them against, the status is 7\n"
		"  --revoked FILE       certificates and root hashes that are refused "
		"(docs/trust.md)\n"
		"  --epoch-floor N      refuse images of an epoch below N\n"
		"  --root-hash HEX      the root hash it must have\n"
		"  --root-hash-file F   the same, read from a file\n"
		"  --hash-file FILE     the hash tree of an IMAGE that is no disk image "
		"is here\n"
		"  --hash-offset N      and starts at byte N (with its superblock)\n"
		"  --policy FILE        hold it to these rules (docs/policy.md)\n"
		"  --manifest FILE      the image's manifest, for rules on packages\n"
		"                       (default: the one beside it)\n"
		"  --junit FILE         write the report as JUnit XML as well\n"
		"  --jobs N             threads (default: one per processor)\n"
		"  --json               the report as JSON (docs/verify-json.md)\n"
		"  --quiet              only the exit status and one line on stderr\n"
		"\n"
		"Exit status: 0 all is good; 3 content is not what its hash says; 4 a "
		"signature\n"
		"is missing or not trusted; 5 malformed; 7 a check could not run; 8 a "
		"rule of\n"
		"the policy is broken; 1, 2 as usual.\n",
};
