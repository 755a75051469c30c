/* SPDX-License-Identifier: MIT */
#include "builder/extension_release.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/os_release.h"
#include "builder/tree_build.h"
#include "core/dps.h"
#include "core/path.h"
#include "initrd/compose/anchors.h"

#define PREFIX   "extension-release."
#define TEXT_MAX ((size_t)64 << 10)

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const struct {
	const char *key[2]; /* of a sysext, of a confext */
	const char *option; /* that sets it, for messages */
	const char *allowed;
} fields[EXTENSION_N_FIELDS] = {
	[EXTENSION_ID] = {{"ID", "ID"}, "--id", LETTERS DIGITS "._-"},
	[EXTENSION_VERSION_ID] = {{"VERSION_ID", "VERSION_ID"}, "--version-id",
		LETTERS DIGITS "._~^+-"},
	[EXTENSION_LEVEL] = {{"SYSEXT_LEVEL", "CONFEXT_LEVEL"}, "--level",
		LETTERS DIGITS "._~^+-"},
	[EXTENSION_SCOPE] = {{"SYSEXT_SCOPE", "CONFEXT_SCOPE"}, "--scope", LETTERS " "},
	[EXTENSION_ARCHITECTURE] = {{"ARCHITECTURE", "ARCHITECTURE"}, "--architecture",
		LETTERS DIGITS "_-"},
	[EXTENSION_EPOCH] = {{"CAIRN_EPOCH", "CAIRN_EPOCH"}, "--epoch", DIGITS},
};

static const char *key_of(enum purpose kind, int field)
{
	return fields[field].key[kind == PURPOSE_CONFEXT];
}

const char *extension_release_directory(enum purpose kind)
{
	return kind == PURPOSE_CONFEXT ? "etc/extension-release.d"
				       : "usr/lib/extension-release.d";
}

void extension_release_free(struct extension_release *r)
{
	for (int i = 0; i < EXTENSION_N_FIELDS; i++) {
		free(r->values[i]);
		r->values[i] = NULL;
	}
}

/* ---- values ----------------------------------------------------------------------- */

/* One or more of the three words, with single spaces between. */
static bool is_scope(const char *text)
{
	static const char *const words[] = {"system", "initrd", "portable"};
	for (;;) {
		size_t n = strcspn(text, " ");
		bool known = false;
		for (int i = 0; i < 3; i++)
			known = known ||
				(strlen(words[i]) == n && !memcmp(words[i], text, n));
		if (!known || !text[n])
			return known;
		text += n + 1;
	}
}

/* A number as it is read at run time, without leading zeros. */
static bool is_epoch(const char *text)
{
	return strlen(text) <= 10 && (text[0] != '0' || !text[1]) &&
	       strtoul(text, NULL, 10) <= ANCHORS_EPOCH_MAX;
}

static bool means_something(int field, const char *text)
{
	if (!*text || text[strspn(text, fields[field].allowed)])
		return false;
	if (field == EXTENSION_SCOPE)
		return is_scope(text);
	if (field == EXTENSION_ARCHITECTURE)
		return !strcmp(text, "_any") || dps_find(DPS_ROOT, text);
	return field != EXTENSION_EPOCH || is_epoch(text);
}

/* ---- a file that is there --------------------------------------------------------- */

static int read_field(struct span text, const char *name, const char *key, int field,
	struct extension_release *release)
{
	char **value = &release->values[field], quoted[TREE_QUOTE_SIZE];
	unsigned n = os_release_count(text, key);
	int r = os_release_get(text, key, value);
	if (r < 0 || n == 0)
		return r;
	if (n > 1)
		return error_format("%s: has %s= %u times", name, key, n);
	if (!*value || !means_something(field, *value))
		return error_format("%s: %s=%s means nothing", name, key,
			*value ? tree_quote(*value, quoted) : "");
	return 0;
}

static int agree(const char *name, enum purpose kind,
	const char *const wanted[EXTENSION_N_FIELDS],
	const struct extension_release *release)
{
	for (int i = 0; i < EXTENSION_N_FIELDS; i++) {
		const char *is = release->values[i];
		if (wanted[i] && (!is || strcmp(is, wanted[i])))
			return error_usage("%s: has %s%s%s, not the %s of %s", name,
				is ? key_of(kind, i) : "no ", is ? "=" : key_of(kind, i),
				is ? is : "", wanted[i], fields[i].option);
	}
	return 0;
}

static int read_release(const struct tree *tree, const struct tree_entry *e,
	enum purpose kind, const char *const wanted[EXTENSION_N_FIELDS],
	struct extension_release *release)
{
	BUFFER text = {0}, name = {0};
	char quoted[TREE_QUOTE_SIZE];
	int r = buffer_printf(&name, "%s: %s", tree->name, tree_quote(e->path, quoted));
	if (r == 0)
		r = tree_read(tree, e, TEXT_MAX, &text);
	if (r == 0 && text.size && memchr(text.data, 0, text.size))
		r = error_format("%s: is no text", buffer_text(&name));
	for (int i = 0; r == 0 && i < EXTENSION_N_FIELDS; i++)
		r = read_field(buffer_span(&text), buffer_text(&name), key_of(kind, i), i,
			release);
	if (r == 0 && !release->values[EXTENSION_ID])
		r = error_format("%s: has no ID=", buffer_text(&name));
	return r < 0 ? r : agree(buffer_text(&name), kind, wanted, release);
}

/* ---- a file that is not ----------------------------------------------------------- */

static int write_release(struct tree *tree, const char *path, enum purpose kind,
	const char *const wanted[EXTENSION_N_FIELDS], int64_t mtime,
	struct extension_release *release)
{
	BUFFER text = {0};
	int r = 0;
	if (!wanted[EXTENSION_ID])
		return error_usage("%s: has no %s; --id ID (or --id _any) has it written",
			tree->name, path);
	for (int i = 0; r == 0 && i < EXTENSION_N_FIELDS; i++) {
		if (!wanted[i])
			continue;
		if (!means_something(i, wanted[i]))
			return error_usage(
				"%s '%s' means nothing", fields[i].option, wanted[i]);
		const char *quote = strchr(wanted[i], ' ') ? "\"" : "";
		r = buffer_printf(
			&text, "%s=%s%s%s\n", key_of(kind, i), quote, wanted[i], quote);
		if (r == 0 && !(release->values[i] = strdup(wanted[i])))
			r = error_memory();
	}
	return r < 0 ? r : tree_add_file(tree, path, mtime, buffer_span(&text));
}

/* Another image's name: the file would be ignored, or the image refused for it. */
static int refuse_others(const struct tree *tree, const char *directory, const char *path)
{
	const struct tree_entry *d = tree_find(tree, directory);
	char quoted[TREE_QUOTE_SIZE];
	size_t end = d ? tree_end(tree, d) : 0;
	for (size_t i = d ? (size_t)(d - tree->entries) + 1 : 0; i < end; i++)
		if (strcmp(tree->entries[i].path, path))
			return error_format("%s: %s: this image needs %s, and no other",
				tree->name, tree_quote(tree->entries[i].path, quoted),
				path_base(path));
	return 0;
}

int extension_release_settle(struct tree *tree, enum purpose kind, const char *name,
	const char *const wanted[EXTENSION_N_FIELDS], int64_t mtime,
	struct extension_release *release)
{
	BUFFER path = {0};
	const char *directory = extension_release_directory(kind);
	int r = buffer_printf(&path, "%s/" PREFIX "%s", directory, name);
	if (r == 0)
		r = refuse_others(tree, directory, buffer_text(&path));
	if (r < 0)
		return r;
	const struct tree_entry *e = tree_find(tree, buffer_text(&path));
	if (!e)
		return write_release(
			tree, buffer_text(&path), kind, wanted, mtime, release);
	if (!S_ISREG(e->mode))
		return error_format(
			"%s: %s: is no regular file", tree->name, buffer_text(&path));
	return read_release(tree, e, kind, wanted, release);
}
