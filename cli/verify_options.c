/* SPDX-License-Identifier: MIT */
#include "cli/verify_options.h"

#include <ctype.h>
#include <errno.h>
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

static int take_root_hash_text(void *into, const char *text)
{
	return take_root_hash(into, text, "--root-hash");
}

static int read_root_hash(void *into, const char *path)
{
	BUFFER text = {0};
	int r = file_slurp(path, 4096, &text);
	if (r == 0 && strlen(buffer_text(&text)) != text.size)
		return error_format("%s: not a root hash of 64 hex digits", path);
	return r < 0 ? r : take_root_hash(into, buffer_text(&text), path);
}

static int read_revoked(void *into, const char *path)
{
	struct verify_arguments *o = into;
	buffer_free(&o->revoked);
	int r = file_slurp(path, ANCHORS_FILE_MAX, &o->revoked);
	return r < 0 ? r : revoked_check(buffer_span(&o->revoked), path);
}

static int take_floor(void *into, const char *text)
{
	struct verify_arguments *o = into;
	o->has_floor = lines_number(
		span_of(text, strlen(text)), ANCHORS_EPOCH_MAX, &o->epoch_floor);
	return o->has_floor ? 0
			    : error_usage("verify: --epoch-floor %s: no number up to %d",
				      text, ANCHORS_EPOCH_MAX);
}

static int take_certificate(void *into, const char *path)
{
	struct verify_arguments *o = into;
	o->have_cert = true;
	return certificates_add(&o->pins, path);
}

static int take_purpose(void *into, const char *name)
{
	struct verify_arguments *o = into;
	o->have_purpose = true;
	return purpose_by_name(name, &o->purpose);
}

static int take_rules(void *into, const char *path)
{
	return rules_load(into, path);
}

static int take_hash_offset(void *into, const char *text)
{
	struct verify_arguments *o = into;
	o->has_hash_offset = true;
	return argument_number("--hash-offset", text, 0, INT64_MAX, &o->hash_offset);
}

static int take_manifest(void *into, const char *path)
{
	char **manifest = into;
	free(*manifest);
	*manifest = strdup(path);
	return *manifest ? 0 : error_memory();
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

static int parse(struct verify_arguments *o, int argc, char **argv)
{
	const struct argument table[] = {
		{.name = "cert", .take = take_certificate, .into = o},
		{.name = "trust", .text = &o->trust},
		{.name = "purpose", .take = take_purpose, .into = o},
		{.name = "no-signature", .flag = &o->no_signature},
		{.name = "root-hash", .take = take_root_hash_text, .into = o},
		{.name = "root-hash-file", .take = read_root_hash, .into = o},
		{.name = "revoked", .take = read_revoked, .into = o},
		{.name = "epoch-floor", .take = take_floor, .into = o},
		{.name = "policy", .take = take_rules, .into = &o->rules},
		{.name = "manifest", .take = take_manifest, .into = &o->manifest},
		{.name = "hash-file", .text = &o->hash_file},
		{.name = "hash-offset", .take = take_hash_offset, .into = o},
		{.name = "image", .text = &o->image},
		{.name = "junit", .text = &o->junit},
		ARGUMENT_JOBS(&o->jobs),
		{.name = "json", .flag = &o->json},
		{.name = "quiet", .flag = &o->quiet},
		{0},
	};
	return arguments_parse(table, argc, argv);
}

int verify_arguments_parse(struct verify_arguments *o, int argc, char **argv)
{
	*o = (struct verify_arguments){.purpose = PURPOSE_ROOT};
	int first = parse(o, argc, argv);
	if (first < 0)
		return first;
	if (first + 1 != argc)
		return error_usage("verify: needs one IMAGE; see cairn help verify");
	o->path = argv[first];
	if (o->no_signature && (o->have_cert || o->trust))
		return error_usage(
			"verify: --no-signature contradicts --cert and --trust");
	int r = settle_purpose(o, o->path);
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
