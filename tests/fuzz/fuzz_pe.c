/* SPDX-License-Identifier: MIT */
/*
 * The input as an EFI program: what the parser accepts must lie inside the file, and
 * nothing but the seed, which tests/fuzz/corpus/signer.crt signed, may verify.
 */
#include <stdint.h>
#include <stdlib.h>

#include "builder/uki.h"
#include "core/authenticode.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct certificates pins;
static volatile uint8_t sink;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (certificates_add(&pins, "tests/fuzz/corpus/signer.crt") < 0)
		abort();
	return 0;
}

static void check(const struct pe *pe)
{
	for (unsigned i = 0; i < pe->n_sections; i++) {
		const struct pe_section *s = &pe->sections[i];
		struct span contents;
		if (s->file_size &&
			(uint64_t)s->file_offset + s->file_size > pe_contents_end(pe))
			abort();
		if (pe_find(pe, s->name, &contents) != 0)
			continue;
		for (size_t n = 0; n < contents.size; n++)
			sink ^= contents.data[n];
	}
	if ((uint64_t)pe->certificates + pe->certificates_size > pe->image.size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pe pe;
	uint8_t digest[32];
	if (pe_parse(&pe, span_of(data, size), "input") < 0)
		return 0;
	check(&pe);
	uki_stub_version(&pe);
	if (pe.size_of_image < 1 << 20)
		uki_pcr11(&pe, digest);
	if (authenticode_verify(&pe, &pins, PURPOSE_ROOT, NULL) == 0 &&
		pe_digest(&pe, digest) < 0)
		abort();
	return 0;
}
