/* SPDX-License-Identifier: MIT */
/*
 * All that the init parses: the input's first letter chooses the parser. What a parser
 * accepts must keep its word: a policy survives being written, an accepted command line
 * has one root hash and none of the words that must stop a boot.
 */
#include <stdlib.h>
#include <string.h>

#include "initrd/plan/cmdline.h"
#include "initrd/plan/drivers.h"
#include "initrd/plan/table.h"
#include "initrd/plan/vouch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HASH     "e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5c"
#define BUILT_IN "roothash=" HASH " cairn.overlay=volatile a=1"

static struct policy p, q;

static void must(bool kept)
{
	if (!kept)
		abort();
}

static void fuzz_policy(struct span in)
{
	BUFFER first = {0}, second = {0};
	if (policy_parse(&p, in) < 0)
		return;
	must(strlen(p.root_hash) == 64 && p.init[0] == '/');
	must(policy_write(&p, &first) == 0);
	/* What is written is complete text again, unless it grew beyond the limit. */
	if (first.size > POLICY_MAX_SIZE)
		return;
	must(policy_parse(&q, buffer_span(&first)) == 0);
	must(policy_write(&q, &second) == 0);
	must(first.size == second.size && !memcmp(first.data, second.data, first.size));
}

/* Sees the words in its own, simpler way: quotes away, then at white space. */
static void check_accepted(struct span in)
{
	size_t hashes = 0;
	bool seen_overlay = false;
	for (size_t at = 0; at < in.size;) {
		char word[512];
		size_t n = 0;
		for (; at < in.size && !strchr(" \t\n\v\f\r", in.data[at]); at++)
			if (in.data[at] != '"' && n < sizeof word - 1)
				word[n++] = (char)in.data[at];
		at++;
		word[n] = 0;
		hashes += !strcmp(word, "roothash=" HASH);
		must(strncmp(word, "init=", 5) && strncmp(word, "rdinit=", 7));
		must(strncmp(word, "usrhash=", 8) && strcmp(word, "single"));
		if (!strncmp(word, "cairn.", 6)) {
			must(!strcmp(word, "cairn.overlay=volatile") && !seen_overlay);
			seen_overlay = true;
		}
	}
	must(hashes == 1 && seen_overlay);
}

static void fuzz_cmdline(struct span in)
{
	policy_defaults(&p);
	must(policy_from_cmdline(&p, BUILT_IN) == 0);
	must(cmdline_check(&p, span_of(BUILT_IN, strlen(BUILT_IN))) == 0);
	/* A quoted space is part of a word here, and is not in check_accepted. */
	if (cmdline_check(&p, in) == 0 && !memchr(in.data, '"', in.size))
		check_accepted(in);
}

static void fuzz_builder(struct span in)
{
	char line[8192];
	BUFFER text = {0};
	if (in.size >= sizeof line)
		return;
	memcpy(line, in.data, in.size);
	line[in.size] = 0;
	policy_defaults(&p);
	if (policy_from_cmdline(&p, line) < 0 || policy_check(&p) < 0)
		return;
	/* What the builder accepts, the boot accepts. */
	must(policy_write(&p, &text) == 0);
	must(policy_parse(&q, buffer_span(&text)) == 0);
	must(cmdline_check(&q, span_of(line, strlen(line))) == 0);
}

static int see(void *context, const char *file)
{
	(void)context;
	must(*file && !strchr(file, '/') && !strchr(file, ' '));
	return 0;
}

static void fuzz_drivers(struct span in)
{
	drivers_match(in, NULL, see, NULL);
	drivers_match(in, "virtio:d00000002v00001AF4", see, NULL);
}

static void fuzz_table(struct span in)
{
	struct table t;
	BUFFER text = {0};
	if (in.size < 16 || table_parse(&t, span_of(in.data + 16, in.size - 16), "x",
				    get_le64(in.data), get_le64(in.data + 8)) < 0)
		return;
	must(t.data_blocks && t.data_blocks <= get_le64(in.data) / 4096);
	must(t.tree_blocks < get_le64(in.data + 8) / 4096 && t.salt_size <= 256);
	policy_defaults(&p);
	must(table_write(&t, &p, "1:1", "1:2", NULL, false, &text) == 0);
	must(text.size < 1024);
}

static void fuzz_vouch(struct span in)
{
	BUFFER pkcs7 = {0};
	if (vouch_parse(in, "x", HASH, &pkcs7, NULL) == 0)
		must(pkcs7.size && pkcs7.size <= in.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data + 1, size ? size - 1 : 0);
	switch (size ? data[0] : 0) {
	case 'p':
		fuzz_policy(in);
		break;
	case 'c':
		fuzz_cmdline(in);
		break;
	case 'b':
		fuzz_builder(in);
		break;
	case 'd':
		fuzz_drivers(in);
		break;
	case 't':
		fuzz_table(in);
		break;
	case 'v':
		fuzz_vouch(in);
		break;
	}
	return 0;
}
