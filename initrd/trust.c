/* SPDX-License-Identifier: MIT */
#include "initrd/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "core/path.h"
#include "initrd/compose/epochs.h"
#include "initrd/fail.h"

#define OS_RELEASE_MAX 65536
#define CERTIFICATES   "/run/cairn/certificates"
#define TPM_WAIT_MS    5000
#define TPM_POLL_MS    50
/* A TPM 2.0 in ACPI, whose driver may need a moment: TCG's ACPI specification, 7. */
#define TPM_IN_FIRMWARE "/sys/firmware/acpi/tables/TPM2"

int trust_read(struct trust *t, const struct policy *p)
{
	*t = (struct trust){.state = ROLLBACK_NO_TPM};
	if (!policy_requires(p, PURPOSE_ROOT))
		return 0;
	int usr = path_open_dir("/usr");
	if (usr < 0)
		return error_context(usr, "the initrd has no trusted signers");
	int r = anchors_read(&t->anchors, usr);
	close(usr);
	return r;
}

int trust_check_root(
	struct trust *t, const struct policy *p, const char *name, struct span partition)
{
	return anchors_check(
		&t->anchors, PURPOSE_ROOT, name, p->root_hash, partition, &t->root);
}

static void wait_for_tpm(const struct policy *p)
{
	bool expected = p->rollback == ROLLBACK_TPM || !access(TPM_IN_FIRMWARE, F_OK);
	for (int waited = 0; expected && waited < TPM_WAIT_MS && access(TPM_DEVICE, F_OK);
		waited += TPM_POLL_MS)
		nanosleep(&(struct timespec){.tv_nsec = TPM_POLL_MS * 1000000L}, NULL);
}

int trust_check_floor(struct trust *t, const struct policy *p)
{
	wait_for_tpm(p);
	int r = rollback_read(TPM_DEVICE, &t->state, &t->floor);
	if (r < 0) {
		/* A TPM that fails is worth no more than none: the policy says how much.
		 */
		if (p->rollback == ROLLBACK_TPM)
			return r;
		t->state = ROLLBACK_NO_FLOOR;
		t->floor = 0;
		note("%s", error_text());
	}
	const char *reason =
		r < 0 ? "the TPM could not be used" : rollback_reason(t->state);
	if (reason && p->rollback == ROLLBACK_TPM)
		return error_set(STATUS_TRUST, EPERM,
			"this image wants a floor of epochs in the TPM: %s", reason);
	if (reason)
		note("rollback: unprotected: %s", reason);
	if (p->epoch < t->floor)
		return error_set(STATUS_TRUST, EKEYREJECTED,
			"this image's epoch %u is below the floor %ju in the TPM: it is "
			"too "
			"old to be booted",
			p->epoch, (uintmax_t)t->floor);
	return 0;
}

int trust_check_epoch(const struct policy *p, int usr_fd)
{
	unsigned epoch = 0;
	int r = epochs_of_usr(usr_fd, &epoch);
	if (r == 0 && epoch != p->epoch)
		r = error_set(STATUS_TRUST, EKEYREJECTED,
			"the image's os-release has the epoch %u, but the initrd is for "
			"%u",
			epoch, p->epoch);
	return r;
}

int trust_save(const struct trust *t)
{
	char path[sizeof CERTIFICATES + PIN_FINGERPRINT_TEXT_SIZE + 8];
	AUTO_FILE f = FILE_CLOSED;
	const struct pin *pin = t->root.pin;
	if (!pin)
		return 0;
	snprintf(path, sizeof path, CERTIFICATES "/%s.crt", pin->fingerprint);
	int fd = -1;
	if (mkdir(CERTIFICATES, 0755) == 0 || errno == EEXIST)
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno("%s: cannot make", path);
	int r = file_from_fd(&f, fd, path);
	return r < 0 ? r : file_write(&f, pin->der.data, pin->der.size, 0);
}
