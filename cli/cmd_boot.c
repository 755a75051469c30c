/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/boot_run.h"
#include "cli/verb.h"
#include "core/progress.h"

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
	ACCEL,
	EXTENSION,
	SECURE_BOOT,
	TPM,
	COLLECT
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
	{"extension", required_argument, NULL, EXTENSION},
	{"secure-boot", required_argument, NULL, SECURE_BOOT},
	{"tpm", no_argument, NULL, TPM},
	{"collect", required_argument, NULL, COLLECT},
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

static int add_extension(struct boot_options *o, const char *path)
{
	if (o->n_extensions == QEMU_MAX_EXTENSIONS)
		return error_usage("boot: at most %d extensions", QEMU_MAX_EXTENSIONS);
	o->extensions[o->n_extensions++] = path;
	return 0;
}

/* What the machine has besides its disk. */
static int parse_part(struct boot_options *o, int option, char **argv)
{
	switch (option) {
	case EXTENSION:
		return add_extension(o, optarg);
	case SECURE_BOOT:
		o->secure_boot = optarg;
		o->uefi = true;
		return 0;
	case TPM:
		o->tpm = true;
		return 0;
	case COLLECT:
		o->collect = optarg;
		return 0;
	default:
		return argument_unknown(option, argv);
	}
}

static int parse_option(struct boot_options *o, int option, char **argv)
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
		return parse_part(o, option, argv);
	}
}

static int check_options(const struct boot_options *o)
{
	if (strcmp(o->accel, "auto") && strcmp(o->accel, "kvm") &&
		strcmp(o->accel, "tcg"))
		return error_usage("boot: --accel %s: it is auto, kvm or tcg", o->accel);
	if (o->uefi && (o->append.size || o->kernel || o->initrd || o->uki))
		return error_usage("boot: with --uefi or --secure-boot the image's own "
				   "boot loader chooses: "
				   "--append, --kernel, --initrd and --uki do not apply");
	if (o->uki && o->kernel)
		return error_usage("boot: --uki and --kernel exclude each other");
	if (o->initrd && !o->kernel)
		return error_usage("boot: --initrd needs --kernel");
	return 0;
}

static int parse(struct boot_options *o, int argc, char **argv)
{
	*o = (struct boot_options){.accel = "auto", .memory = 1024};
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

static int boot_expecting(const struct boot_options *o)
{
	regex_t regex;
	int bad = o->expect ? regcomp(&regex, o->expect, REG_EXTENDED | REG_NOSUB) : 0;
	if (bad) {
		char why[128];
		regerror(bad, &regex, why, sizeof why);
		return error_usage("boot: --expect %s: %s", o->expect, why);
	}
	int r = boot_run(o, &regex);
	if (o->expect)
		regfree(&regex);
	return r;
}

static int run(int argc, char **argv)
{
	struct boot_options o;
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
		 "  --secure-boot CERT  the same with Secure Boot, CERT being the "
		 "firmware's only key\n"
		 "  --tpm              with an emulated TPM; PCR 11 is printed at the "
		 "end\n"
		 "  --extension FILE   one more disk, read-only; may be given again\n"
		 "  --collect FILE     a disk for the guest to write a tar archive to, "
		 "which becomes\n"
		 "                     FILE (see cairn-boot(1))\n"
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
		 "or its kernel panicked; 4 Secure Boot refused the image; 9 time-out.\n",
};
