/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/boot_run.h"
#include "cli/verb.h"
#include "core/progress.h"

static int add_extension(void *into, const char *path)
{
	struct boot_options *o = into;
	if (o->n_extensions == QEMU_MAX_EXTENSIONS)
		return error_usage("boot: at most %d extensions", QEMU_MAX_EXTENSIONS);
	o->extensions[o->n_extensions++] = path;
	return 0;
}

static int add_words(void *into, const char *words)
{
	struct buffer *append = into;
	return buffer_printf(append, "%s%s", append->size ? " " : "", words);
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
	bool quiet = false;
	const struct argument table[] = {
		{.name = "uefi", .flag = &o->uefi},
		{.name = "append", .take = add_words, .into = &o->append},
		{.name = "expect", .text = &o->expect},
		{.name = "timeout",
			.number = &o->timeout,
			.min = 1,
			.max = INT_MAX / 1000},
		{.name = "snapshot", .flag = &o->snapshot},
		{.name = "accel", .text = &o->accel},
		{.name = "memory",
			.letter = 'm',
			.number = &o->memory,
			.min = 1,
			.max = 1 << 20},
		{.name = "smp", .number = &o->n_cpus, .min = 1, .max = 64},
		{.name = "kernel", .text = &o->kernel},
		{.name = "initrd", .text = &o->initrd},
		{.name = "uki", .text = &o->uki},
		{.name = "extension", .take = add_extension, .into = o},
		{.name = "secure-boot", .text = &o->secure_boot},
		{.name = "tpm", .flag = &o->tpm},
		{.name = "collect", .text = &o->collect},
		{.name = "dry-run", .flag = &o->dry_run},
		{.name = "quiet", .letter = 'q', .flag = &quiet},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	if (argc - first != 1)
		return error_usage("boot: one IMAGE is needed; see cairn help boot");
	progress_silence(quiet);
	o->image = argv[first];
	o->uefi = o->uefi || o->secure_boot;
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
