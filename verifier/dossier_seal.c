/* SPDX-License-Identifier: MIT */
#include "verifier/dossier_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/openssl.h"
#include "core/path.h"
#include "core/pkcs7.h"

int dossier_check_signer(const struct certificate *c)
{
	int r = 0;
	for (int purpose = 0; r == 0 && purpose < N_PURPOSES; purpose++)
		r = certificate_check_purpose(c, (enum purpose)purpose);
	return r < 0 ? error_set(STATUS_TRUST, EKEYREJECTED,
			       "%s: a certificate for images, not for reports", c->name)
		     : 0;
}

int dossier_sign(const struct signer *signer, struct span manifest, struct buffer *der)
{
	BUFFER raw = {0};
	int r = dossier_check_signer(&signer->certificate);
	if (r == 0)
		r = signer_sign(signer, manifest, &raw);
	if (r < 0)
		return r;
	AUTO(pkcs7, PKCS7) *p7 = pkcs7_new(&signer->certificate, buffer_span(&raw));
	if (!p7)
		return -ENOMEM;
	if (!PKCS7_content_new(p7, NID_pkcs7_data) || !PKCS7_set_detached(p7, 1))
		return openssl_error(STATUS_FAILED, "cannot make PKCS#7");
	return DER_APPEND(der, i2d_PKCS7, p7);
}

bool dossier_is(const char *dir)
{
	static const char *const names[] = {
		DOSSIER_MANIFEST, DOSSIER_SIGNATURE, "report.json", DOSSIER_UNFINISHED};
	struct stat st;
	bool found = false;
	int fd = path_open_dir(dir);
	for (size_t i = 0; fd >= 0 && !found && i < sizeof names / sizeof names[0]; i++)
		found = fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (fd >= 0)
		close(fd);
	error_clear();
	return found;
}
