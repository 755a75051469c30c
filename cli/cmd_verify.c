/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/verb.h"
#include "cli/verify_options.h"
#include "core/confine.h"
#include "core/output.h"
#include "core/progress.h"
#include "verifier/dossier_check.h"
#include "verifier/dossier_seal.h"
#include "verifier/junit.h"
#include "verifier/verify.h"
#include "verifier/verify_store.h"

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

static int tell(const struct verify_arguments *o, const struct file *f,
	const struct report *report)
{
	int r = 0;
	if (o->json)
		r = print_json(f, report);
	else if (!o->quiet)
		report_print(report, f->name, stdout);
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

/* What is looked at. */
struct inputs {
	struct file f, manifest, hash, image;
};

static void close_all(struct inputs *in)
{
	file_close(&in->f);
	file_close(&in->manifest);
	file_close(&in->hash);
	file_close(&in->image);
}

/* Everything that is needed, before a byte of the image is looked at. */
static int open_all(const struct verify_arguments *o, struct inputs *in)
{
	int r = file_open_image(&in->f, o->path, O_RDONLY);
	if (r == 0 && o->manifest && o->rules.n_items)
		r = file_open(&in->manifest, o->manifest);
	if (r == 0 && o->hash_file)
		r = file_open_image(&in->hash, o->hash_file, O_RDONLY);
	if (r == 0 && o->image)
		r = file_open_image(&in->image, o->image, O_RDONLY);
	return r < 0 ? r : confine();
}

static struct verify_options options_of(
	const struct verify_arguments *o, const struct inputs *in)
{
	return (struct verify_options){.root_hash = o->root_hash,
		.pins = verify_arguments_pins(o),
		.purpose = o->purpose,
		.no_signature = o->no_signature,
		.revoked = buffer_span(&o->revoked),
		.has_floor = o->has_floor,
		.epoch_floor = o->epoch_floor,
		.rules = o->rules.n_items ? &o->rules : NULL,
		.manifest = o->manifest ? &in->manifest : NULL,
		.image = o->image ? &in->image : NULL,
		.hash_file = o->hash_file ? &in->hash : NULL,
		.hash_offset = o->hash_offset,
		.has_hash_offset = o->has_hash_offset,
		.jobs = o->jobs};
}

static int verify_inputs(const struct verify_arguments *o, const struct inputs *in,
	const struct file *junit)
{
	AUTO_REPORT report = {0};
	const struct verify_options v = options_of(o, in);
	struct timespec start;
	clock_gettime(CLOCK_MONOTONIC, &start);
	int r = verify_image(&in->f, &v, &report);
	if (r == 0 && junit)
		r = write_junit(junit, &in->f, &report, &start);
	return r < 0 ? r : tell(o, &in->f, &report);
}

/* The report of an examination: a directory. */
static int verify_dossier(const struct verify_arguments *o)
{
	AUTO_REPORT report = {0};
	AUTO_DOSSIER_FILES files = {0};
	const struct file name = {.fd = -1, .name = (char *)(uintptr_t)o->path};
	const struct certificates *pins = verify_arguments_pins(o);
	if (o->junit)
		return error_usage("verify: --junit is for images");
	if (o->image)
		return error_usage("verify: --image is for an EFI program");
	int r = dossier_files_open(&files, o->path);
	if (r == 0)
		r = confine();
	if (r == 0)
		r = dossier_verify(&files, pins, o->no_signature, &report);
	return r < 0 ? r : tell(o, &name, &report);
}

/* ---- a directory of blobs ---------------------------------------------------------- */

static int wait_for(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno("cannot wait for a process");
	if (WIFEXITED(status))
		return WEXITSTATUS(status); /* it has said why */
	return error_set((enum status)(128 + WTERMSIG(status)), EIO,
		"the process that looks at the contents was ended by signal %d",
		WTERMSIG(status));
}

static int verify_listed(const struct verify_arguments *o, const struct store_list *list,
	int socket, const struct file *junit)
{
	AUTO_REPORT report = {0};
	const struct file name = {.fd = -1, .name = (char *)(uintptr_t)o->path};
	const struct inputs none = {FILE_CLOSED, FILE_CLOSED, FILE_CLOSED, FILE_CLOSED};
	const struct verify_options v = options_of(o, &none);
	struct timespec start;
	clock_gettime(CLOCK_MONOTONIC, &start);
	int r = confine();
	if (r == 0)
		r = verify_store(list, socket, &v, &report);
	if (r == 0 && junit)
		r = write_junit(junit, &name, &report, &start);
	return r < 0 ? r : tell(o, &name, &report);
}

/* Who opens the blobs is this process, who looks at them its child; both return. */
static int verify_directory(const struct verify_arguments *o, const struct file *junit)
{
	AUTO_OBJECTS store = OBJECTS_CLOSED;
	AUTO_STORE_LIST list = {0};
	int ends[2];
	if (o->image || o->hash_file || o->has_hash_offset)
		return error_usage("verify: %s: is a directory of blobs: --image and the "
				   "options for hash trees make no sense",
			o->path);
	int r = objects_open(&store, o->path, OBJECTS_READ);
	if (r == 0)
		r = store_list_read(&list, &store);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno("cannot make a socket");
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		return verify_listed(o, &list, ends[1], junit);
	}
	close(ends[1]);
	r = pid < 0 ? error_errno("cannot start a process")
		    : verify_store_feed(&list, &store, ends[0]);
	close(ends[0]);
	return r < 0 ? r : wait_for(pid);
}

static int verify(const struct verify_arguments *o, const struct file *junit)
{
	struct inputs in = {FILE_CLOSED, FILE_CLOSED, FILE_CLOSED, FILE_CLOSED};
	if (verify_is_store(o->path))
		return verify_directory(o, junit);
	int r = open_all(o, &in);
	if (r == 0)
		r = verify_inputs(o, &in, junit);
	close_all(&in);
	return r;
}

/* ---- JUnit ------------------------------------------------------------------------- */

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
static int verify_with_junit(const struct verify_arguments *o)
{
	AUTO_FILE memory = FILE_CLOSED;
	AUTO_OUTPUT place = OUTPUT_CLOSED;
	/* That it can be written is found out before, and told once. */
	int r = output_open(&place, o->junit, 0666, true);
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
		return verify(o, &memory);
	}
	r = wait_for(pid);
	int saved = r < 0 ? r : save_junit(o->junit, &memory);
	return saved < 0 ? saved : r;
}

static int run(int argc, char **argv)
{
	struct verify_arguments o;
	int r = verify_arguments_parse(&o, argc, argv);
	progress_silence(o.quiet);
	if (r == 0 && dossier_is(o.path))
		r = verify_dossier(&o);
	else if (r == 0)
		r = o.junit ? verify_with_junit(&o) : verify(&o, NULL);
	verify_arguments_free(&o);
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
		"IMAGE can also be a directory of blobs (cairn store), or of a report of "
		"cairn\n"
		"examine.\n\n"
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
		"  --image FILE         IMAGE is an EFI program, and must boot this "
		"disk image\n"
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
