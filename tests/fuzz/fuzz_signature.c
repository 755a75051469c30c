/* SPDX-License-Identifier: MIT */
/* The input as a signature partition, verified against tests/fuzz/corpus/signer.crt. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/signature.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The one root hash that signer.crt's key, which is gone, has ever signed. */
static const char signed_hash[] =
	"e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5c";

static struct certificates pins;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (certificates_add(&pins, "tests/fuzz/corpus/signer.crt") < 0)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_SIGNATURE s = {0};
	if (signature_parse(&s, span_of(data, size), "input") != 0)
		return 0;
	if (strlen(s.root_hash) != 64 || strlen(s.fingerprint) != 64 || !s.pkcs7.size)
		abort();
	if (signature_verify(&s, "input", &pins, PURPOSE_ROOT, NULL) == 0 &&
		strcmp(s.root_hash, signed_hash) != 0)
		abort();
	return 0;
}
