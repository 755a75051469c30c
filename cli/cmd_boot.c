/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/accelerator.h"
#include "cli/arguments.h"
#include "cli/bootable.h"
#include "cli/console.h"
#include "cli/qemu.h"
#include "cli/verb.h"
#include "core/path.h"
#include "core/process.h"
#include "core/progress.h"

enum { EXPECT_TIMEOUT = 300 }; /* seconds, where a line is expected and nothing is said */

struct options {
	const char *image, *kernel, *initrd, *uki, *expect, *accel;
	struct buffer append; /* all of them, with spaces between */
	unsigned memory, n_cpus;
	unsigned timeout; /* seconds; 0: none given */
	bool uefi, snapshot, dry_run;
};

enum {
	UEFI = 256,
	APPEND,
	EXPECT,
	TIMEOUT,
	SNAPSHOT,
	DRY_RUN,
	KERNEL,
	INITRD,
	UKI,
	SMP,
	ACCEL
};

static const struct option long_options[] = {
	{"uefi", no_argument, NULL, UEFI},
	{"append", required_argument, NULL, APPEND},
	{"expect", required_argument, NULL, EXPECT},
	{"timeout", required_argument, NULL, TIMEOUT},
	{"snapshot", no_argument, NULL, SNAPSHOT},
	{"accel", required_argument, NULL, ACCEL},
	{"memory", required_argument, NULL, 'm'},
	{"smp", required_argument, NULL, SMP},
	{"kernel", required_argument, NULL, KERNEL},
	{"initrd", required_argument, NULL, INITRD},
	{"uki", required_argument, NULL, UKI},
	{"dry-run", no_argument, NULL, DRY_RUN},
	{"quiet", no_argument, NULL, 'q'},
	{0},
};

static int parse_number(const char *option, unsigned limit, unsigned *n)
{
	uint64_t value = 0;
	int r = argument_number(option, optarg, 1, limit, &value);
	*n = (unsigned)value;
	return r;
}

static int parse_option(struct options *o, int option, char **argv)
{
	switch (option) {
	case APPEND:
		return buffer_printf(
			&o->append, "%s%s", o->append.size ? " " : "", optarg);
	case EXPECT:
		o->expect = optarg;
		return 0;
	case TIMEOUT:
		return parse_number("--timeout", INT_MAX / 1000, &o->timeout);
	case 'm':
		return parse_number("--memory", 1 << 20, &o->memory);
	case SMP:
		return parse_number("--smp", 64, &o->n_cpus);
	case 'q':
		progress_silence(true);
		return 0;
	case UEFI:
		o->uefi = true;
		return 0;
	case SNAPSHOT:
		o->snapshot = true;
		return 0;
	case DRY_RUN:
		o->dry_run = true;
		return 0;
	case KERNEL:
		o->kernel = optarg;
		return 0;
	case INITRD:
		o->initrd = optarg;
		return 0;
	case UKI:
		o->uki = optarg;
		return 0;
	case ACCEL:
		o->accel = optarg;
		return 0;
	default:
		return argument_unknown(option, argv);
	}
}

static int check_options(const struct options *o)
{
	if (strcmp(o->accel, "auto") && strcmp(o->accel, "kvm") &&
		strcmp(o->accel, "tcg"))
		return error_usage("boot: --accel %s: it is auto, kvm or tcg", o->accel);
	if (o->uefi && (o->append.size || o->kernel || o->initrd || o->uki))
		return error_usage(
			"boot: with --uefi the image's own boot loader chooses: "
			"--append, --kernel, --initrd and --uki do not apply");
	if (o->uki && o->kernel)
		return error_usage("boot: --uki and --kernel exclude each other");
	if (o->initrd && !o->kernel)
		return error_usage("boot: --initrd needs --kernel");
	return 0;
}

static int parse(struct options *o, int argc, char **argv)
{
	*o = (struct options){.accel = "auto", .memory = 1024};
	int option, r = 0;
	optind = 0;
	opterr = 0;
	while (r == 0 &&
		(option = getopt_long(argc, argv, ":m:q", long_options, NULL)) != -1)
		r = parse_option(o, option, argv);
	if (r == 0 && argc - optind != 1)
		r = error_usage("boot: one IMAGE is needed; see cairn help boot");
	if (r < 0)
		return r;
	o->image = argv[optind];
	return check_options(o);
}

/* The raw contents of a qcow2 image, in a file without a name. */
static int unpack_qcow2(const struct file *f, uint64_t size, struct file *raw)
{
	char from[32], to[32];
	int fds[2];
	if (size > (uint64_t)1 << 44)
		return error_format("%s: a virtual size of %ju bytes is absurd", f->name,
			(uintmax_t)size);
	int r = file_scratch(raw, "/var/tmp/cairn");
	if (r == 0 && ftruncate(raw->fd, (off_t)size) < 0)
		r = error_errno("%s: cannot unpack it into /var/tmp", f->name);
	if (r < 0)
		return r;
	raw->size = size;
	fds[0] = f->fd;
	fds[1] = raw->fd;
	snprintf(from, sizeof from, "/proc/self/fd/%d", fds[0]);
	snprintf(to, sizeof to, "/proc/self/fd/%d", fds[1]);
	const char *const argv[] = {
		"qemu-img", "convert", "-n", "-f", "qcow2", "-O", "raw", from, to, NULL};
	struct process p = {.argv = argv,
		.keep_fds = fds,
		.n_keep_fds = 2,
		.stdin_fd = -1,
		.stdout_fd = -1};
	r = process_run(&p, NULL);
	free(raw->name);
	if (!(raw->name = strdup(f->name)) && r == 0)
		r = error_memory();
	return r < 0 ? error_context(r, "%s", f->name) : 0;
}

/* The UKI that lies beside the image, where the image itself has none. */
static int find_beside(struct bootable *b, const char *image)
{
	BUFFER path = {0};
	const char *dot = strrchr(path_base(image), '.');
	int stem = dot ? (int)(dot - image) : (int)strlen(image);
	int r = buffer_printf(&path, "%.*s.efi", stem, image);
	if (r < 0)
		return r;
	if (access(buffer_text(&path), F_OK))
		return error_format("%s: has no EFI system partition, and there is no %s",
			image, buffer_text(&path));
	return bootable_from_uki(b, buffer_text(&path));
}

static int load_files(struct bootable *b, const struct options *o)
{
	*b = BOOTABLE_EMPTY;
	int r = file_open(&b->kernel, o->kernel);
	if (r == 0 && o->initrd)
		r = file_open(&b->initrd, o->initrd);
	return r < 0 ? r : buffer_printf(&b->origin, "%s", o->kernel);
}

/* Kernel, initrd and command line for a direct boot. */
static int load(struct bootable *b, const struct options *o, const struct file *image,
	bool qcow2, uint64_t size)
{
	AUTO_FILE raw = FILE_CLOSED;
	if (o->kernel)
		return load_files(b, o);
	if (o->uki)
		return bootable_from_uki(b, o->uki);
	int r = qcow2 ? unpack_qcow2(image, size, &raw) : 0;
	if (r == 0)
		r = bootable_from_image(b, qcow2 ? &raw : image);
	return r > 0 ? find_beside(b, o->image) : r;
}

/* True if the command line has a word that begins with NAME=. */
static bool has_word(const char *cmdline, const char *name)
{
	size_t size = strlen(name);
	for (const char *p = cmdline; (p = strstr(p, name)); p += size)
		if ((p == cmdline || p[-1] == ' ') && p[size] == '=')
			return true;
	return false;
}

/*
 * Without a console on the serial line nobody sees anything, and a panic would hang. An
 * emulator that waits for a busy host's processor fails the kernel's test of its timer.
 */
static int complete_cmdline(
	struct buffer *cmdline, const struct buffer *append, enum accel accel)
{
	int r = 0;
	if (append->size)
		r = buffer_printf(
			cmdline, "%s%s", cmdline->size ? " " : "", buffer_text(append));
	if (r == 0 && !has_word(buffer_text(cmdline), "console"))
		r = buffer_printf(cmdline, "%sconsole=ttyS0", cmdline->size ? " " : "");
	if (r == 0 && !has_word(buffer_text(cmdline), "panic"))
		r = buffer_printf(cmdline, " panic=-1");
	if (r == 0 && accel == ACCEL_TCG)
		r = buffer_printf(cmdline, " no_timer_check");
	return r;
}

static int choose_accel(
	const struct options *o, const struct file *kernel, enum accel *accel)
{
	*accel = strcmp(o->accel, "kvm") ? ACCEL_TCG : ACCEL_KVM;
	return strcmp(o->accel, "auto") || o->dry_run ? 0
						      : accelerator_choose(kernel, accel);
}

static int print_line(const struct machine *m)
{
	AUTO_QEMU q = {0};
	BUFFER text = {0};
	int r = qemu_prepare(m, true, &q);
	if (r == 0)
		r = qemu_quote(&q, &text);
	if (r == 0)
		puts(buffer_text(&text));
	return r;
}

/* Starts the machine and stays with its serial line. */
static int run_machine(
	const struct machine *m, const struct options *o, const regex_t *regex)
{
	AUTO_QEMU q = {0};
	int ends[2] = {-1, -1};
	int r = qemu_prepare(m, false, &q);
	if (r == 0 && !o->expect && pipe2(ends, O_CLOEXEC) < 0)
		r = error_errno("pipe");
	struct process p = {.argv = (const char *const *)q.argv,
		.keep_fds = q.fds,
		.n_keep_fds = q.n_fds,
		.stdin_fd = ends[0],
		.stdout_fd = -1};
	struct child child = {.pidfd = -1, .output = -1, .errors = -1};
	if (r == 0)
		r = process_start(&p, &child);
	if (ends[0] >= 0)
		close(ends[0]);
	unsigned seconds = o->timeout || !o->expect ? o->timeout : EXPECT_TIMEOUT;
	struct console c = {.guest = &child,
		.name = o->image,
		.input = ends[1],
		.expect = o->expect ? regex : NULL,
		.pattern = o->expect,
		.timeout_ms = seconds ? (int)seconds * 1000 : -1};
	if (r == 0 && ends[1] >= 0 && isatty(0))
		progress_note("%s: Ctrl-] ends the machine", o->image);
	if (r == 0)
		r = console_run(&c);
	if (ends[1] >= 0)
		close(ends[1]);
	return r;
}

static int boot(const struct options *o, const regex_t *regex)
{
	AUTO_FILE image = FILE_CLOSED;
	AUTO_BOOTABLE b = BOOTABLE_EMPTY;
	uint64_t size = 0;
	int r = file_open_image(&image, o->image, O_RDONLY);
	int qcow2 = r < 0 ? r : qemu_check_qcow2(&image, &size);
	if (qcow2 < 0)
		return qcow2;
	struct machine m = {.image = &image,
		.qcow2 = qcow2 > 0,
		.memory = o->memory,
		.n_cpus = o->n_cpus,
		.snapshot = o->snapshot || o->uefi};
	if (!o->uefi) {
		r = load(&b, o, &image, m.qcow2, size);
		m.kernel = &b.kernel;
		m.initrd = b.initrd.name ? &b.initrd : NULL;
	}
	if (r == 0)
		r = choose_accel(o, m.kernel, &m.accel);
	if (r == 0 && !o->uefi)
		r = complete_cmdline(&b.cmdline, &o->append, m.accel);
	m.cmdline = buffer_text(&b.cmdline);
	/* QEMU 7.2's TCG now and then misses code that another processor patched. */
	if (m.n_cpus == 0)
		m.n_cpus = m.accel == ACCEL_KVM ? 2 : 1;
	if (r == 0)
		r = o->dry_run ? print_line(&m) : run_machine(&m, o, regex);
	return r;
}

static int boot_expecting(const struct options *o)
{
	regex_t regex;
	int bad = o->expect ? regcomp(&regex, o->expect, REG_EXTENDED | REG_NOSUB) : 0;
	if (bad) {
		char why[128];
		regerror(bad, &regex, why, sizeof why);
		return error_usage("boot: --expect %s: %s", o->expect, why);
	}
	int r = boot(o, &regex);
	if (o->expect)
		regfree(&regex);
	return r;
}

static int run(int argc, char **argv)
{
	struct options o;
	int r = parse(&o, argc, argv);
	if (r == 0)
		r = boot_expecting(&o);
	buffer_free(&o.append);
	return r;
}

const struct verb verb_boot = {
	.name = "boot",
	.run = run,
	.summary = "start an image in a virtual machine",
	.usage = "usage: cairn boot [OPTION...] IMAGE\n"
		 "\n"
		 "Starts the image (raw, qcow2 or a block device) in QEMU with its "
		 "serial line on\n"
		 "this terminal; Ctrl-] ends it. The kernel, initrd and command line "
		 "come out of the\n"
		 "unified kernel image in the image's EFI system partition (or of "
		 "IMAGE's .efi file\n"
		 "beside it) and are started directly. Where the command line has no "
		 "console= or no\n"
		 "panic=, console=ttyS0 and panic=-1 are added; no_timer_check under "
		 "emulation.\n"
		 "The image is never written: its disk is write-protected.\n"
		 "\n"
		 "  --uefi             start through UEFI firmware and the image's boot "
		 "loader;\n"
		 "                     implies --snapshot, as the loader counts boots on "
		 "the disk\n"
		 "  --append WORDS     add to the command line; may be given again\n"
		 "  --expect REGEX     succeed as soon as the guest says a line that "
		 "matches this\n"
		 "                     extended regular expression, and end it\n"
		 "  --timeout SECONDS  give up then (status 9); 300 with --expect, else "
		 "never\n"
		 "  --snapshot         let the guest write to its disk; what it writes "
		 "is kept\n"
		 "                     apart and forgotten at the end\n"
		 "  --accel auto|kvm|tcg  auto tries once whether kvm boots this kernel\n"
		 "  --memory MIB, --smp N  1024 unless given; 2 processors with kvm, "
		 "else 1\n"
		 "  --uki FILE         this unified kernel image instead of the image's "
		 "own\n"
		 "  --kernel FILE, --initrd FILE  these instead; the command line is "
		 "--append's\n"
		 "  --dry-run          print the QEMU command line and do nothing\n"
		 "  --quiet            no remarks\n"
		 "\n"
		 "Status: 0 the line was seen, or the guest powered off; 1 it did not "
		 "get there\n"
		 "or its kernel panicked; 9 time-out.\n",
};
