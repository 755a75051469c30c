/* SPDX-License-Identifier: MIT */
#include "cli/qemu.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/collect.h"

#define QEMU "qemu-system-x86_64"

/* QEMU 7.2 emulates cmpxchg16b wrongly under TCG: 6.12 kernels panic now and then. */
#define TCG_CPU "max,-cx16"

static int add(struct qemu *q, const char *format, ...) ERROR_PRINTF(2, 3);

static int add(struct qemu *q, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *word = NULL;
	int n = q->n_words + 1 < QEMU_MAX_WORDS ? vasprintf(&word, format, args) : -1;
	va_end(args);
	if (n < 0)
		return error_memory();
	q->argv[q->n_words++] = word;
	q->argv[q->n_words] = NULL;
	return 0;
}

static int add_words(struct qemu *q, const char *const *words)
{
	int r = 0;
	for (; r == 0 && *words; words++)
		r = add(q, "%s", *words);
	return r;
}

void qemu_free(struct qemu *q)
{
	for (size_t i = 0; i < q->n_words; i++)
		free(q->argv[i]);
	*q = (struct qemu){0};
}

/* How QEMU gets at F: by descriptor, or by name for people (commas doubled for -drive).
 */
static int reach(
	struct qemu *q, const struct file *f, bool names, bool drive, struct buffer *path)
{
	if (!names) {
		q->fds[q->n_fds++] = f->fd;
		return buffer_printf(path, "/proc/self/fd/%d", f->fd);
	}
	int r = 0;
	for (const char *p = f->name; r == 0 && *p; p++)
		r = buffer_printf(path, drive && *p == ',' ? ",%c" : "%c", *p);
	return r;
}

static int add_disk(const struct machine *m, bool names, struct qemu *q)
{
	BUFFER path = {0};
	int r = reach(q, m->image, names, true, &path);
	if (r == 0)
		r = add(q, "-drive");
	if (r == 0)
		r = add(q, "if=none,id=disk,format=%s,%s,file=%s",
			m->qcow2 ? "qcow2" : "raw",
			m->snapshot ? "snapshot=on" : "readonly=on", buffer_text(&path));
	const char *const words[] = {
		"-device", "virtio-blk-pci,drive=disk,bootindex=1", NULL};
	return r < 0 ? r : add_words(q, words);
}

static int add_kernel(const struct machine *m, bool names, struct qemu *q)
{
	BUFFER kernel = {0}, initrd = {0};
	int r = reach(q, m->kernel, names, false, &kernel);
	if (r == 0 && m->initrd)
		r = reach(q, m->initrd, names, false, &initrd);
	const char *const words[] = {"-kernel", buffer_text(&kernel), "-append",
		m->cmdline, m->initrd ? "-initrd" : NULL, buffer_text(&initrd), NULL};
	return r < 0 ? r : add_words(q, words);
}

/* What the guest may not touch is read-only; it holds what is told apart by SERIAL. */
static int add_space(const struct file *f, bool names, bool writable, const char *serial,
	struct qemu *q)
{
	BUFFER path = {0};
	int r = reach(q, f, names, true, &path);
	if (r == 0)
		r = add(q, "-drive");
	if (r == 0)
		r = add(q, "if=none,id=%s,format=raw%s,file=%s", serial,
			writable ? "" : ",readonly=on", buffer_text(&path));
	if (r == 0)
		r = add(q, "-device");
	return r < 0 ? r : add(q, "virtio-blk-pci,drive=%s,serial=%s", serial, serial);
}

static int add_spaces(const struct machine *m, bool names, struct qemu *q)
{
	char serial[40];
	int r = 0;
	for (size_t i = 0; r == 0 && i < m->n_extensions; i++) {
		snprintf(serial, sizeof serial, QEMU_EXTENSION_SERIAL "%zu", i);
		r = add_space(&m->extensions[i], names, false, serial, q);
	}
	if (r == 0 && m->collect)
		r = add_space(m->collect, names, true, COLLECT_SERIAL, q);
	return r;
}

/* The variables are written into a copy that vanishes. */
static int add_firmware(const struct firmware *f, bool names, struct qemu *q)
{
	/* With Secure Boot only the firmware itself, in system management mode, may. */
	static const char *const secure[] = {"-global",
		"driver=cfi.pflash01,property=secure,value=on", "-global",
		"ICH9-LPC.disable_s3=1", NULL};
	BUFFER vars = {0};
	int r = f->secure ? add_words(q, secure) : 0;
	if (r == 0)
		r = reach(q, &f->vars, names, true, &vars);
	if (r == 0)
		r = add(q, "-drive");
	if (r == 0)
		r = add(q, "if=pflash,unit=0,format=raw,readonly=on,file=%s", f->code);
	if (r == 0)
		r = add(q, "-drive");
	return r < 0 ? r
		     : add(q, "if=pflash,unit=1,format=raw,snapshot=on,file=%s",
			       buffer_text(&vars));
}

static int add_tpm(int socket, bool names, struct qemu *q)
{
	static const char *const words[] = {"-tpmdev", "emulator,id=tpm0,chardev=tpm",
		"-device", "tpm-tis,tpmdev=tpm0", NULL};
	int r = add(q, "-chardev");
	if (r == 0 && names)
		r = add(q, "socket,id=tpm,path=swtpm.socket");
	else if (r == 0)
		r = add(q, "socket,id=tpm,fd=%d", socket);
	if (!names)
		q->fds[q->n_fds++] = socket;
	return r < 0 ? r : add_words(q, words);
}

int qemu_prepare(const struct machine *m, bool names, struct qemu *q)
{
	*q = (struct qemu){0};
	bool kvm = m->accel == ACCEL_KVM;
	/* QEMU parses what the guest wrote onto its disk: it gets no rights it can spare.
	 */
	bool secure = !m->kernel && m->firmware->secure;
	const char *const words[] = {QEMU, "-M", secure ? "q35,smm=on" : "q35", "-accel",
		kvm ? "kvm" : "tcg,thread=multi", "-cpu", kvm ? "host" : TCG_CPU,
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny",
		"-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial",
		NULL};
	int r = add_words(q, words);
	if (r == 0)
		r = add(q, "-smp");
	if (r == 0)
		r = add(q, "%u", m->n_cpus);
	if (r == 0)
		r = add(q, "-m");
	if (r == 0)
		r = add(q, "%u", m->memory);
	if (r == 0)
		r = m->kernel ? add_kernel(m, names, q)
			      : add_firmware(m->firmware, names, q);
	if (r == 0 && m->image)
		r = add_disk(m, names, q);
	if (r == 0)
		r = add_spaces(m, names, q);
	if (r == 0 && m->tpm >= 0)
		r = add_tpm(m->tpm, names, q);
	if (r < 0)
		qemu_free(q);
	return r;
}

static bool is_plain(const char *word)
{
	return *word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyz"
					   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
					   "-_./,:=+@%")];
}

static int quote(const char *word, struct buffer *text)
{
	if (is_plain(word))
		return buffer_printf(text, "%s", word);
	int r = buffer_printf(text, "'");
	for (; r == 0 && *word; word++)
		r = *word == '\'' ? buffer_printf(text, "'\\''")
				  : buffer_append(text, word, 1);
	return r < 0 ? r : buffer_printf(text, "'");
}

int qemu_quote(const struct qemu *q, struct buffer *text)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < q->n_words; i++) {
		if (i > 0)
			r = buffer_printf(text, " ");
		if (r == 0)
			r = quote(q->argv[i], text);
	}
	return r;
}

/* Offsets and bits: QEMU's docs/interop/qcow2.rst; integers there are big-endian. */
#define QCOW2_MAGIC     0x514649fbu
#define QCOW2_DATA_FILE 4u /* incompatible feature: guest data in another file */

int qemu_check_qcow2(const struct file *f, uint64_t *size)
{
	uint8_t header[80] = {0};
	size_t n_read;
	int r = file_read_some(f, header, sizeof header, 0, &n_read);
	if (r < 0)
		return r;
	if (n_read < 4 || get_be32(header) != QCOW2_MAGIC)
		return 0;
	uint32_t version = get_be32(header + 4);
	if (n_read < 72 || version < 2 || version > 3)
		return error_format("%s: a qcow2 image of version %u, or cut short",
			f->name, version);
	if (get_be32(header + 8) || get_be32(header + 12))
		return error_format(
			"%s: offset 8: a qcow2 image with a backing file is not booted",
			f->name);
	if (version == 3 && (get_be32(header + 76) & QCOW2_DATA_FILE))
		return error_format(
			"%s: offset 72: a qcow2 image with a data file is not booted",
			f->name);
	*size = (uint64_t)get_be32(header + 24) << 32 | get_be32(header + 28);
	return 1;
}
