/* SPDX-License-Identifier: MIT */
#include "cli/boot_run.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/accelerator.h"
#include "cli/bootable.h"
#include "cli/collect.h"
#include "cli/console.h"
#include "cli/tpm.h"
#include "core/hex.h"
#include "core/process.h"
#include "core/progress.h"

enum { EXPECT_TIMEOUT = 300 }; /* seconds, where a line is expected and nothing is said */

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
	const struct boot_options *o, const struct file *kernel, enum accel *accel)
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
static int run_machine(const struct machine *m, struct tpm *tpm,
	const struct boot_options *o, const regex_t *regex)
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
	tpm_handed_over(tpm);
	if (ends[0] >= 0)
		close(ends[0]);
	unsigned seconds = o->timeout || !o->expect ? o->timeout : EXPECT_TIMEOUT;
	struct console c = {.guest = &child,
		.name = o->image,
		.input = ends[1],
		.expect = o->expect ? regex : NULL,
		.pattern = o->expect,
		.firmware = o->uefi,
		.timeout_ms = seconds ? (int)seconds * 1000 : -1};
	if (r == 0 && ends[1] >= 0 && isatty(0))
		progress_note("%s: Ctrl-] ends the machine", o->image);
	if (r == 0)
		r = console_run(&c);
	if (ends[1] >= 0)
		close(ends[1]);
	return r;
}

/* What is open while a machine runs. */
struct parts {
	struct file image;
	struct bootable kernel;
	struct firmware firmware;
	struct file extensions[QEMU_MAX_EXTENSIONS];
	struct collect collect;
	struct tpm tpm;
};

static void close_parts(struct parts *p)
{
	tpm_stop(&p->tpm);
	collect_close(&p->collect);
	for (size_t i = 0; i < QEMU_MAX_EXTENSIONS; i++)
		file_close(&p->extensions[i]);
	firmware_free(&p->firmware);
	bootable_free(&p->kernel);
	file_close(&p->image);
}

/* Disks, and what is started first: the kernel itself, or firmware. */
static int open_parts(struct parts *p, const struct boot_options *o, struct machine *m)
{
	const struct bootable_source from = {o->image, &p->image, m->qcow2, m->qcow2_size,
		o->kernel, o->initrd, o->uki};
	int r = 0;
	for (size_t i = 0; r == 0 && i < o->n_extensions; i++)
		r = file_open_image(&p->extensions[i], o->extensions[i], O_RDONLY);
	m->extensions = p->extensions;
	m->n_extensions = o->n_extensions;
	if (r == 0 && o->uefi) {
		r = firmware_find(&p->firmware, o->secure_boot);
		m->firmware = &p->firmware;
	} else if (r == 0) {
		r = bootable_load(&p->kernel, &from);
		m->kernel = &p->kernel.kernel;
		m->initrd = p->kernel.initrd.name ? &p->kernel.initrd : NULL;
	}
	if (r == 0 && o->collect)
		r = collect_open(&p->collect, o->collect);
	m->collect = o->collect ? &p->collect.disk : NULL;
	if (r == 0)
		r = choose_accel(o, m->kernel, &m->accel);
	if (r == 0 && m->kernel)
		r = complete_cmdline(&p->kernel.cmdline, &o->append, m->accel);
	m->cmdline = buffer_text(&p->kernel.cmdline);
	/* QEMU 7.2's TCG now and then misses code that another processor patched. */
	if (m->n_cpus == 0)
		m->n_cpus = m->accel == ACCEL_KVM ? 2 : 1;
	return r;
}

/* What was measured, beside what the image's own kernel makes of it alone. */
static int print_pcr(struct parts *p, const struct machine *m)
{
	uint8_t measured[32], predicted[32];
	char hex[65];
	int r = tpm_read_pcr(&p->tpm, 11, measured);
	if (r < 0)
		return r;
	printf("PCR 11: %s\n", hex_encode(measured, sizeof measured, hex));
	if (m->kernel || m->qcow2 || bootable_pcr11(&p->image, predicted) < 0)
		return 0;
	progress_note(memcmp(measured, predicted, sizeof measured)
			      ? "%s: its kernel alone would have given PCR 11 %s"
			      : "%s: PCR 11 is as predicted",
		p->image.name, hex_encode(predicted, sizeof predicted, hex));
	return 0;
}

/* However the boot went, what the guest gave is kept; the first error is the one told. */
static int finish(
	struct parts *p, const struct boot_options *o, const struct machine *m, int r)
{
	struct error_record record;
	if (r > 0) /* a signal */
		return r;
	error_take(&record);
	int next = o->tpm ? print_pcr(p, m) : 0;
	if (next == 0 && o->collect)
		next = collect_finish(&p->collect);
	if (r == 0)
		return next;
	error_put(&record);
	return r;
}

static int boot_parts(struct parts *p, const struct boot_options *o, const regex_t *regex)
{
	struct machine m = {.image = &p->image,
		.memory = o->memory,
		.n_cpus = o->n_cpus,
		.snapshot = o->snapshot || o->uefi,
		.tpm = -1};
	int r = file_open_image(&p->image, o->image, O_RDONLY);
	int qcow2 = r < 0 ? r : qemu_check_qcow2(&p->image, &m.qcow2_size);
	if (qcow2 < 0)
		return qcow2;
	m.qcow2 = qcow2 > 0;
	r = open_parts(p, o, &m);
	if (r == 0 && o->dry_run) {
		m.tpm = o->tpm ? 0 : -1;
		return print_line(&m);
	}
	if (r == 0 && o->tpm)
		r = tpm_start(&p->tpm);
	m.tpm = p->tpm.guest;
	return r < 0 ? r : finish(p, o, &m, run_machine(&m, &p->tpm, o, regex));
}

int boot_run(const struct boot_options *o, const regex_t *regex)
{
	struct parts p = {.image = FILE_CLOSED,
		.kernel = BOOTABLE_EMPTY,
		.firmware = FIRMWARE_NONE,
		.extensions = {[0 ... QEMU_MAX_EXTENSIONS - 1] = FILE_CLOSED},
		.collect = COLLECT_NONE,
		.tpm = TPM_NONE};
	int r = boot_parts(&p, o, regex);
	close_parts(&p);
	return r;
}
