/* SPDX-License-Identifier: MIT */
#include "cli/accelerator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/hex.h"
#include "core/output.h"
#include "core/path.h"
#include "core/process.h"
#include "core/progress.h"

#define PROBE_MS 8000
#define MARKER   "cairn: kvm works"

/*
 * The whole user space of the probe: write the marker, power off. It is never called
 * here, only copied into an executable; hence position-independent and without data.
 */
extern const uint8_t probe_code[], probe_code_end[];
__asm__(".pushsection .rodata\n"
	".globl probe_code, probe_code_end\n"
	".hidden probe_code, probe_code_end\n"
#ifdef __x86_64__
	"probe_code:\n"
	"	mov $1, %eax\n" /* write */
	"	mov $1, %edi\n"
	"	lea 1f(%rip), %rsi\n"
	"	mov $(2f - 1f), %edx\n"
	"	syscall\n"
	"	mov $169, %eax\n" /* reboot */
	"	mov $0xfee1dead, %edi\n"
	"	mov $0x28121969, %esi\n"
	"	mov $0x4321fedc, %edx\n" /* power off */
	"	syscall\n"
	"3:	jmp 3b\n"
	"1:	.ascii \"" MARKER "\\n\"\n"
	"2:\n"
#else
	"probe_code:\n"
#endif
	"probe_code_end:\n"
	".popsection\n");

#define ELF_HEADER 64u
#define ELF_ENTRY  (ELF_HEADER + 56u) /* behind the one program header */
#define ELF_BASE   UINT64_C(0x400000)

/* A static executable of one loaded segment around the code (System V ABI, ELF-64). */
static int add_program(struct buffer *b)
{
	size_t code = (size_t)(probe_code_end - probe_code), size = ELF_ENTRY + code;
	uint8_t header[ELF_ENTRY] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
	put_le16(header + 16, 2);  /* an executable */
	put_le16(header + 18, 62); /* for x86-64 */
	put_le32(header + 20, 1);
	put_le64(header + 24, ELF_BASE + ELF_ENTRY);
	put_le64(header + 32, ELF_HEADER); /* where the program header is */
	put_le16(header + 52, ELF_HEADER);
	put_le16(header + 54, 56);
	put_le16(header + 56, 1);
	uint8_t *segment = header + ELF_HEADER;
	put_le32(segment, 1);     /* to be loaded */
	put_le32(segment + 4, 5); /* readable, executable */
	put_le64(segment + 16, ELF_BASE);
	put_le64(segment + 24, ELF_BASE);
	put_le64(segment + 32, size);
	put_le64(segment + 40, size);
	put_le64(segment + 48, 4096);
	int r = buffer_append(b, header, sizeof header);
	return r < 0 ? r : buffer_append(b, probe_code, code);
}

/* One member of a "newc" cpio archive, padded (the kernel's buffer-format.rst). */
static int add_member(struct buffer *b, const char *name, unsigned mode, struct span s)
{
	int r = buffer_printf(b,
		"070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s", 1u,
		mode, 0u, 0u, 1u, 0u, s.size, 0u, 0u, 0u, 0u, strlen(name) + 1, 0u, name);
	if (r == 0)
		r = buffer_append_zeros(b, 4 - b->size % 4);
	if (r == 0 && s.size)
		r = buffer_append(b, s.data, s.size);
	return r == 0 ? buffer_append_zeros(b, (4 - b->size % 4) % 4) : r;
}

static int make_initrd(struct file *f)
{
	BUFFER program = {0}, archive = {0};
	int r = add_program(&program);
	if (r == 0)
		r = add_member(&archive, "init", 0100755, buffer_span(&program));
	if (r == 0)
		r = add_member(&archive, "TRAILER!!!", 0, (struct span){0});
	return r < 0 ? r : file_in_memory(f, "the probe's initrd", buffer_span(&archive));
}

/* Boots KERNEL under kvm. Returns 1 if its user space spoke, 0 if not. */
static int probe(const struct file *kernel)
{
	AUTO_FILE initrd = FILE_CLOSED;
	AUTO_QEMU q = {0};
	int r = make_initrd(&initrd);
	const struct machine m = {.tpm = -1,
		.kernel = kernel,
		.initrd = &initrd,
		.accel = ACCEL_KVM,
		.cmdline = "console=ttyS0 panic=-1 quiet",
		.memory = 512,
		.n_cpus = 1};
	if (r == 0)
		r = qemu_prepare(&m, false, &q);
	if (r < 0)
		return r;
	struct process p = {.argv = (const char *const *)q.argv,
		.keep_fds = q.fds,
		.n_keep_fds = q.n_fds,
		.stdin_fd = -1,
		.stdout_fd = -1};
	struct child child;
	r = process_start(&p, &child);
	if (r < 0)
		return r;
	/* The answer is little and fits the pipe: it is read when QEMU has ended. */
	BUFFER said = {0};
	int output = dup(child.output);
	bool works = process_finish(&child, PROBE_MS) == 0 &&
		     file_slurp_fd(output, "probe", 1 << 20, &said) == 0 &&
		     strstr(buffer_text(&said), MARKER);
	if (output >= 0)
		close(output);
	error_clear();
	return works;
}

/* Empty if there is none: a home that does not exist is not made. */
static int cache_directory(struct buffer *path)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (cache && *cache == '/')
		return buffer_printf(path, "%s/cairn", cache);
	if (!home || *home != '/' || access(home, F_OK) < 0)
		return 0;
	return buffer_printf(path, "%s/.cache/cairn", home);
}

/* The cache's file for this combination. NULL text if there is no place for it. */
static int cache_path(const struct file *kernel, struct buffer *path)
{
	char *qemu;
	int r = process_find("qemu-system-x86_64", &qemu);
	if (r < 0)
		return r;
	struct stat st = {0};
	struct utsname host;
	BUFFER key = {0};
	uint8_t digest[HASH_MAX_SIZE];
	char hex[2 * HASH_MAX_SIZE + 1];
	uname(&host);
	if (stat(qemu, &st) < 0)
		r = error_errno("%s: cannot stat", qemu);
	if (r == 0)
		r = hash_file(HASH_SHA256, kernel, 0, kernel->size, digest);
	if (r == 0)
		r = buffer_printf(&key, "%s %jd %jd %s %s %s", qemu, (intmax_t)st.st_size,
			(intmax_t)st.st_mtime, host.release, host.nodename,
			hex_encode(digest, 32, hex));
	free(qemu);
	struct span s = buffer_span(&key);
	if (r == 0)
		r = hash_parts(HASH_SHA256, &s, 1, digest);
	if (r == 0)
		r = cache_directory(path);
	if (r < 0 || !path->size)
		return r;
	if (path_make_dirs(buffer_text(path), 0700) < 0) {
		error_clear(); /* a home that cannot be written costs time, no more */
		buffer_free(path);
		return 0;
	}
	return buffer_printf(path, "/kvm-%.16s", hex_encode(digest, 32, hex));
}

int accelerator_choose(const struct file *kernel, enum accel *accel)
{
	*accel = ACCEL_TCG;
	if (access("/dev/kvm", R_OK | W_OK) || &probe_code[0] == &probe_code_end[0] ||
		!kernel)
		return 0;
	BUFFER path = {0}, answer = {0};
	int r = cache_path(kernel, &path);
	if (r < 0)
		return r;
	if (path.size && file_slurp(buffer_text(&path), 16, &answer) == 0) {
		*accel = strcmp(buffer_text(&answer), "yes\n") ? ACCEL_TCG : ACCEL_KVM;
		return 0;
	}
	error_clear();
	progress_note("trying whether kvm boots this kernel (once, at most %d s)",
		PROBE_MS / 1000);
	int works = probe(kernel);
	if (works < 0)
		return works;
	*accel = works ? ACCEL_KVM : ACCEL_TCG;
	if (path.size)
		r = output_save(buffer_text(&path), 0600, true,
			works ? span_of("yes\n", 4) : span_of("no\n", 3));
	if (r < 0)
		error_clear();
	return 0;
}
