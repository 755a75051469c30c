/* SPDX-License-Identifier: MIT */
#include "cli/firmware.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/certificate.h"
#include "core/process.h"

/* Whose the keys are, in the variables; nobody asks. */
#define OWNER "6f3d2a54-6d4b-4b5a-9c0e-2f1d3b8a7c61"

void firmware_free(struct firmware *f)
{
	free(f->code);
	file_close(&f->vars);
	*f = FIRMWARE_NONE;
}

static int find(struct firmware *f, char *vars, size_t size)
{
	static const char *const directories[] = {
		"/usr/share/OVMF", "/usr/share/edk2/x64"};
	const char *kind = f->secure ? ".secboot" : "";
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		free(f->code);
		if (asprintf(&f->code, "%s/OVMF_CODE_4M%s.fd", directories[i], kind) <
			0) {
			f->code = NULL;
			return error_memory();
		}
		snprintf(vars, size, "%s/OVMF_VARS_4M.fd", directories[i]);
		if (access(f->code, R_OK) == 0 && access(vars, R_OK) == 0)
			return 0;
	}
	return error_set(STATUS_FAILED, ENOENT,
		"%s/OVMF_CODE_4M%s.fd: UEFI firmware is needed and was not found "
		"(package "
		"ovmf)",
		directories[0], kind);
}

/* The certificate as PEM, which is all virt-fw-vars takes, in memory. */
static int load_certificate(const char *path, struct file *pem)
{
	AUTO_CERTIFICATE c = {0};
	int r = certificate_load(&c, path);
	/* What vouches for UKIs: the purpose of images. */
	if (r == 0)
		r = certificate_check_purpose(&c, PURPOSE_ROOT);
	if (r < 0)
		return r;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long size = 0;
	if (!bio || PEM_write_bio_X509(bio, c.x509) != 1 ||
		(size = BIO_get_mem_data(bio, &text)) <= 0)
		r = error_memory();
	else
		r = file_in_memory(pem, path, span_of(text, (size_t)size));
	BIO_free(bio);
	return r;
}

static int enrol(const char *from, const struct file *pem, const struct file *to)
{
	char input[32], output[32];
	const int fds[] = {pem->fd, to->fd};
	snprintf(input, sizeof input, "/proc/self/fd/%d", pem->fd);
	snprintf(output, sizeof output, "/proc/self/fd/%d", to->fd);
	const char *const argv[] = {"virt-fw-vars", "-i", from, "-o", output,
		"--secure-boot", "--set-pk", OWNER, input, "--add-kek", OWNER, input,
		"--add-db", OWNER, input, NULL};
	const struct process p = {.argv = argv,
		.keep_fds = fds,
		.n_keep_fds = 2,
		.stdin_fd = -1,
		.stdout_fd = -1};
	int r = process_run(&p, NULL);
	return r < 0 ? error_context(r, "--secure-boot needs virt-fw-vars (package "
					"python3-virt-firmware)")
		     : 0;
}

int firmware_find(struct firmware *f, const char *certificate)
{
	AUTO_FILE pem = FILE_CLOSED;
	char vars[128];
	*f = FIRMWARE_NONE;
	f->secure = certificate != NULL;
	int r = find(f, vars, sizeof vars);
	if (r == 0 && !certificate)
		r = file_open(&f->vars, vars);
	if (r == 0 && certificate)
		r = load_certificate(certificate, &pem);
	if (r == 0 && certificate)
		r = file_in_memory(&f->vars, vars, span_of("", 0));
	if (r == 0 && certificate)
		r = enrol(vars, &pem, &f->vars);
	if (r < 0)
		firmware_free(f);
	return r;
}
