/* SPDX-License-Identifier: MIT */
#include "cli/verify_options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/extension.h"
#include "cli/arguments.h"
#include "core/hex.h"
#include "initrd/compose/anchors.h"
#include "initrd/compose/lines.h"
#include "initrd/compose/revoked.h"

enum {
	OPT_CERT = 256,
	OPT_TRUST,
	OPT_PURPOSE,
	OPT_NO_SIGNATURE,
	OPT_HASH,
	OPT_HASH_FILE,
	OPT_REVOKED,
	OPT_EPOCH_FLOOR,
	OPT_POLICY,
	OPT_MANIFEST,
	OPT_TREE_FILE,
	OPT_TREE_OFFSET,
	OPT_IMAGE,
	OPT_JUNIT,
	OPT_JSON,
	OPT_QUIET,
	OPT_JOBS
};

static const struct option long_options[] = {
	{"cert", required_argument, NULL, OPT_CERT},
	{"trust", required_argument, NULL, OPT_TRUST},
	{"purpose", required_argument, NULL, OPT_PURPOSE},
	{"no-signature", no_argument, NULL, OPT_NO_SIGNATURE},
	{"root-hash", required_argument, NULL, OPT_HASH},
	{"root-hash-file", required_argument, NULL, OPT_HASH_FILE},
	{"revoked", required_argument, NULL, OPT_REVOKED},
	{"epoch-floor", required_argument, NULL, OPT_EPOCH_FLOOR},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"manifest", required_argument, NULL, OPT_MANIFEST},
	{"hash-file", required_argument, NULL, OPT_TREE_FILE},
	{"hash-offset", required_argument, NULL, OPT_TREE_OFFSET},
	{"image", required_argument, NULL, OPT_IMAGE},
	{"junit", required_argument, NULL, OPT_JUNIT},
	{"json", no_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"jobs", required_argument, NULL, OPT_JOBS},
	{NULL, 0, NULL, 0},
};

/* Takes TEXT as the root hash, surrounding white space allowed; ORIGIN is for messages.
 */
static int take_root_hash(
	struct verify_arguments *o, const char *text, const char *origin)
{
	uint8_t hash[32];
	char hex[65] = "";
	size_t n = 0;
	while (isspace((unsigned char)*text))
		text++;
	while (text[n] && !isspace((unsigned char)text[n]))
		n++;
	if (n == 64 && text[n + strspn(text + n, " \t\r\n")] == 0)
		memcpy(hex, text, 64);
	if (hex_decode(hex, hash, sizeof hash) < 0)
		return error_usage(
			"verify: %s: not a root hash of 64 hex digits", origin);
	free(o->root_hash);
	o->root_hash = strdup(hex_encode(hash, sizeof hash, hex));
	return o->root_hash ? 0 : error_memory();
}

static int read_root_hash(struct verify_arguments *o, const char *path)
{
	BUFFER text = {0};
	int r = file_slurp(path, 4096, &text);
	if (r == 0 && strlen(buffer_text(&text)) != text.size)
		return error_format("%s: not a root hash of 64 hex digits", path);
	return r < 0 ? r : take_root_hash(o, buffer_text(&text), path);
}

static int read_revoked(struct verify_arguments *o, const char *path)
{
	buffer_free(&o->revoked);
	int r = file_slurp(path, ANCHORS_FILE_MAX, &o->revoked);
	return r < 0 ? r : revoked_check(buffer_span(&o->revoked), path);
}

static int take_floor(struct verify_arguments *o, const char *text)
{
	o->has_floor = lines_number(
		span_of(text, strlen(text)), ANCHORS_EPOCH_MAX, &o->epoch_floor);
	return o->has_floor ? 0
			    : error_usage("verify: --epoch-floor %s: no number up to %d",
				      text, ANCHORS_EPOCH_MAX);
}

static int take_option(struct verify_arguments *o, int option, char **argv)
{
	switch (option) {
	case OPT_CERT:
		o->have_cert = true;
		return certificates_add(&o->pins, optarg);
	case OPT_TRUST:
		o->trust = optarg;
		return 0;
	case OPT_PURPOSE:
		o->have_purpose = true;
		return purpose_by_name(optarg, &o->purpose);
	case OPT_NO_SIGNATURE:
		o->no_signature = true;
		return 0;
	case OPT_HASH:
		return take_root_hash(o, optarg, "--root-hash");
	case OPT_HASH_FILE:
		return read_root_hash(o, optarg);
	case OPT_REVOKED:
		return read_revoked(o, optarg);
	case OPT_EPOCH_FLOOR:
		return take_floor(o, optarg);
	case OPT_POLICY:
		return rules_load(&o->rules, optarg);
	case OPT_TREE_FILE:
		o->hash_file = optarg;
		return 0;
	case OPT_TREE_OFFSET:
		o->has_hash_offset = true;
		return argument_number(
			"--hash-offset", optarg, 0, INT64_MAX, &o->hash_offset);
	case OPT_MANIFEST:
		free(o->manifest);
		o->manifest = strdup(optarg);
		return o->manifest ? 0 : error_memory();
	case OPT_IMAGE:
		o->image = optarg;
		return 0;
	case OPT_JUNIT:
		o->junit = optarg;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_QUIET:
		o->quiet = true;
		return 0;
	case OPT_JOBS:
		return argument_jobs(optarg, &o->jobs);
	default:
		return argument_unknown(option, argv);
	}
}

/* The certificates for the purpose, from the directory of that name below --trust. */
static int load_trust(struct verify_arguments *o)
{
	BUFFER path = {0};
	if (!o->trust)
		return 0;
	int r = buffer_printf(&path, "%s/%s", o->trust, purpose_name(o->purpose));
	size_t before = o->pins.n_items;
	if (r == 0)
		r = certificates_add(&o->pins, buffer_text(&path));
	if (r == 0 && o->pins.n_items == before)
		return error_set(STATUS_UNCHECKED, ENOENT,
			"%s: there is no certificate in it", buffer_text(&path));
	return r;
}

/* "os.raw" has its manifest beside it, as "os.manifest.json". */
static int find_manifest(struct verify_arguments *o, const char *image)
{
	size_t n = strlen(image);
	if (o->manifest)
		return 0;
	if (n > 4 && (!strcmp(image + n - 4, ".raw") || !strcmp(image + n - 4, ".img")))
		n -= 4;
	if (asprintf(&o->manifest, "%.*s.manifest.json", (int)n, image) < 0)
		return error_memory();
	if (access(o->manifest, F_OK) < 0) {
		free(o->manifest);
		o->manifest = NULL;
	}
	return 0;
}

/* As it was given, else as the policy wants it, else as the image's name tells. */
static int settle_purpose(struct verify_arguments *o, const char *image)
{
	const struct rule *rule = rules_find(&o->rules, RULE_PURPOSE);
	if (o->have_purpose)
		return 0;
	if (rule)
		return purpose_by_name(rule->value, &o->purpose);
	extension_kind_of(image, &o->purpose, NULL);
	return 0;
}

int verify_arguments_parse(struct verify_arguments *o, int argc, char **argv)
{
	int option, r = 0;
	*o = (struct verify_arguments){.purpose = PURPOSE_ROOT};
	optind = 1;
	opterr = 0;
	while (r >= 0 &&
		(option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
		r = take_option(o, option, argv);
	if (r < 0)
		return r;
	if (optind + 1 != argc)
		return error_usage("verify: needs one IMAGE; see cairn help verify");
	o->path = argv[optind];
	if (o->no_signature && (o->have_cert || o->trust))
		return error_usage(
			"verify: --no-signature contradicts --cert and --trust");
	r = settle_purpose(o, o->path);
	if (r == 0)
		r = load_trust(o);
	return r < 0 ? r : find_manifest(o, o->path);
}

void verify_arguments_free(struct verify_arguments *o)
{
	certificates_free(&o->pins);
	buffer_free(&o->revoked);
	rules_free(&o->rules);
	free(o->manifest);
	free(o->root_hash);
	*o = (struct verify_arguments){0};
}

const struct certificates *verify_arguments_pins(const struct verify_arguments *o)
{
	return o->have_cert || o->trust ? &o->pins : NULL;
}
