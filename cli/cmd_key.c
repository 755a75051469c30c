/* SPDX-License-Identifier: MIT */
#include <getopt.h>

#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/interrupt.h"
#include "core/key.h"
#include "core/progress.h"

struct options {
	const char *dir;
	enum purpose purpose;
	bool replace;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"purpose", required_argument, NULL, 'p'},
		{"force", no_argument, NULL, 'f'},
		{"quiet", no_argument, NULL, 'q'},
		{0},
	};
	int c, r = 0;
	optind = 0;
	opterr = 0;
	while (r == 0 && (c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (c == 'p')
			r = purpose_by_name(optarg, &o->purpose);
		else if (c == 'f')
			o->replace = true;
		else if (c == 'q')
			progress_silence(true);
		else
			r = argument_unknown(c, argv);
	}
	if (r == 0 && optind != argc - 1)
		r = error_usage("key new: one directory is needed; see cairn help key");
	o->dir = r == 0 ? argv[optind] : NULL;
	return r;
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
