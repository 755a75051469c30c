/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/interrupt.h"
#include "core/key.h"
#include "core/progress.h"

struct options {
	const char *dir;
	enum purpose purpose;
	bool replace, quiet;
};

static int take_purpose(void *into, const char *value)
{
	return purpose_by_name(value, into);
}

static int parse(int argc, char **argv, struct options *o)
{
	const struct argument table[] = {
		{.name = "purpose", .take = take_purpose, .into = &o->purpose},
		{.name = "force", .flag = &o->replace},
		{.name = "quiet", .flag = &o->quiet},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	if (first != argc - 1)
		return error_usage(
			"key new: one directory is needed; see cairn help key");
	progress_silence(o->quiet);
	o->dir = argv[first];
	return 0;
}

static int run_new(int argc, char **argv)
{
	struct options o = {.purpose = PURPOSE_ROOT};
	int r = parse(argc, argv, &o);
	interrupt_catch();
	if (r == 0)
		r = key_make(o.dir, o.purpose, o.replace);
	if (r < 0)
		return r;
	const char *name = purpose_name(o.purpose);
	progress_note("%s/%s.key is the private key, %s/%s.crt the certificate to trust",
		o.dir, name, o.dir, name);
	return 0;
}

static const struct verb verb_new = {.name = "new", .run = run_new};

static int run(int argc, char **argv)
{
	static const struct verb *const table[] = {&verb_new, NULL};
	return verb_run_sub(table, argc, argv);
}

const struct verb verb_key = {
	.name = "key",
	.run = run,
	.summary = "make signing keys",
	.usage =
		"usage: cairn key new DIR [--purpose root|sysext|confext|generation] "
		"[--force] [--quiet]\n"
		"\n"
		"Makes an RSA key of 3072 bits and a self-signed certificate that is "
		"good "
		"for\none purpose (root: images, their UKIs and Secure Boot), and "
		"writes\n"
		"    DIR/PURPOSE.key    the private key: PEM, PKCS#8, mode 0600\n"
		"    DIR/PURPOSE.crt    the certificate: PEM, for `cairn verify --cert`\n"
		"Existing files are refused without --force.\n",
};
