/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "builder/extension.h"
#include "builder/signing.h"
#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/interrupt.h"
#include "core/progress.h"

struct options {
	const char *image, *key, *certificate, *export;
	const char *const *answers;
	size_t n_answers;
	enum purpose purpose;
	unsigned jobs;
	bool attach, force, have_purpose, quiet;
};

/* Exactly one of the three ways, with all it needs and nothing it does not. */
static int check(const struct options *o)
{
	if (o->export)
		return o->attach || o->key || o->certificate || o->n_answers
			       ? error_usage("sign: --export takes no key, certificate "
					     "or answers")
			       : 0;
	if (!o->certificate)
		return error_usage("sign: --cert is needed; see cairn help sign");
	if (o->attach)
		return o->key || o->n_answers == 0
			       ? error_usage("sign: --attach takes answers of a signer "
					     "and no key")
			       : 0;
	return !o->key || o->n_answers
		       ? error_usage(
				 "sign: one image, --key and --cert; see cairn help sign")
		       : 0;
}

static int take_purpose(void *into, const char *value)
{
	struct options *o = into;
	o->have_purpose = true;
	return purpose_by_name(value, &o->purpose);
}

static int parse(int argc, char **argv, struct options *o)
{
	const struct argument table[] = {
		{.name = "key", .text = &o->key},
		{.name = "cert", .text = &o->certificate},
		{.name = "export", .text = &o->export},
		{.name = "attach", .flag = &o->attach},
		{.name = "purpose", .take = take_purpose, .into = o},
		ARGUMENT_JOBS(&o->jobs),
		{.name = "force", .flag = &o->force},
		{.name = "quiet", .flag = &o->quiet},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	if (first == argc)
		return error_usage("sign: which image? see cairn help sign");
	progress_silence(o->quiet);
	o->image = argv[first++];
	if (!o->have_purpose)
		extension_kind_of(o->image, &o->purpose, NULL);
	o->answers = (const char *const *)argv + first;
	o->n_answers = (size_t)(argc - first);
	return check(o);
}

static int sign_now(struct signing *s, const struct options *o)
{
	AUTO_SIGNER signer = {0};
	int r = signer_load(&signer, o->key, o->certificate, o->purpose);
	return r < 0 ? r : signing_sign(s, &signer);
}

static int attach(struct signing *s, const struct options *o)
{
	AUTO_CERTIFICATE certificate = {0};
	int r = certificate_load(&certificate, o->certificate);
	if (r == 0)
		r = certificate_check_purpose(&certificate, o->purpose);
	return r < 0 ? r : signing_attach(s, &certificate, o->answers, o->n_answers);
}

static int export(const struct signing *s, const struct options *o)
{
	BUFFER names = {0};
	int r = signing_export(s, o->export, o->force, &names);
	if (r == 0)
		fputs(buffer_text(&names), stdout);
	return r;
}

static int run(int argc, char **argv)
{
	struct options o = {.purpose = PURPOSE_ROOT};
	AUTO_SIGNING s = SIGNING_CLOSED;
	int r = parse(argc, argv, &o);
	interrupt_catch();
	if (r == 0)
		r = signing_open(&s, o.image, o.jobs);
	if (r < 0)
		return r;
	if (signing_is_signed(&s) && !o.force)
		return error_set(STATUS_FAILED, EEXIST,
			"%s: is signed already (--force signs it anew)", o.image);
	if (o.export)
		return export(&s, &o);
	r = o.attach ? attach(&s, &o) : sign_now(&s, &o);
	if (r == 0)
		r = signing_save(&s);
	if (r == 0 && s.esp)
		progress_note("%s: root hash %s and %zu EFI programs are signed", o.image,
			s.root_hash, s.n_items - 1);
	else if (r == 0)
		progress_note("%s: root hash %s is signed", o.image, s.root_hash);
	return r;
}

const struct verb verb_sign = {
	.name = "sign",
	.run = run,
	.summary = "sign an image, now or with an offline signer",
	.usage =
		"usage: cairn sign IMAGE --key KEY --cert CERT\n"
		"       cairn sign IMAGE --export DIR\n"
		"       cairn sign IMAGE --attach FILE... --cert CERT\n"
		"\n"
		"Signs the root hash of an image and the EFI programs on its ESP, after "
		"checking\nthat both belong to what the image holds. The result is, byte "
		"for byte, what\n`cairn build --key` gives. KEY is a PEM file or a "
		"pkcs11: URI.\n"
		"\n"
		"--export writes what an offline signer signs to DIR, a file each, and "
		"prints their\nnames. --attach takes the plain signatures of them "
		"(openssl dgst -sha256 -sign), in\nany order; a wrong one is refused and "
		"the image is left as it was.\n"
		"\n"
		"  --purpose P  what CERT must be good for: root, sysext, confext, "
		"generation;\n               root unless the image is called .sysext.raw "
		"or .confext.raw\n"
		"  --force      sign anew what is signed, replace exported files\n"
		"  --jobs N     threads; one per processor by default\n"
		"  --quiet      say nothing\n",
};
