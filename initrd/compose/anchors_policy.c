/* SPDX-License-Identifier: MIT */
#include "initrd/compose/anchors_policy.h"

#include <errno.h>
#include <string.h>

#include "initrd/compose/lines.h"

#define NAME_MAX_SIZE 255

/* An absolute path without "." or "..", doubled slashes and a slash at the end. */
static bool is_clean_path(struct span path)
{
	if (path.size < 2 || path.data[0] != '/' || memchr(path.data, 0, path.size))
		return false;
	for (size_t i = 0; i < path.size;) {
		size_t start = ++i;
		while (i < path.size && path.data[i] != '/')
			i++;
		struct span part = span_of(path.data + start, i - start);
		if (part.size == 0 || lines_equal(part, ".") || lines_equal(part, ".."))
			return false;
	}
	return true;
}

static bool is_name(struct span name)
{
	return name.size > 0 && name.size <= NAME_MAX_SIZE &&
	       !memchr(name.data, '/', name.size) && !memchr(name.data, 0, name.size);
}

static bool parse_prefix(struct span value, struct span *signer, struct span *path)
{
	if (!lines_word(&value, signer) || !lines_hex(*signer, 32))
		return false;
	*path = value;
	return is_clean_path(value);
}

static bool parse_setuid(struct span value, bool *allowed)
{
	*allowed = lines_equal(value, "allow");
	return *allowed || lines_equal(value, "refuse");
}

int anchors_policy_parse(struct anchors *a)
{
	struct span text = buffer_span(&a->policy), line, value, path;
	unsigned number = 0, n_floors = 0, n_setuids = 0;
	while (lines_next(&text, &line, &number)) {
		bool good = false;
		if (lines_value(line, "epoch-floor", &value))
			good = n_floors++ == 0 &&
			       lines_number(value, ANCHORS_EPOCH_MAX, &a->epoch_floor);
		else if (lines_value(line, "setuid", &value))
			good = n_setuids++ == 0 &&
			       parse_setuid(value, &a->setuid_allowed);
		else if (lines_value(line, "allow-override", &value))
			good = is_name(value);
		else if (lines_value(line, "prefix", &value))
			good = parse_prefix(value, &value, &path);
		if (!good)
			return error_format(
				"%s: line %u makes no sense", ANCHORS_POLICY, number);
	}
	return 0;
}

int anchors_check_epoch(const struct anchors *a, const char *name, unsigned epoch)
{
	if (epoch >= a->epoch_floor)
		return 0;
	return error_set(STATUS_TRUST, EKEYREJECTED,
		"%s: its epoch %u is below the floor %u", name, epoch, a->epoch_floor);
}

bool anchors_allows_override(const struct anchors *a, const char *name)
{
	struct span text = buffer_span(&a->policy), line, value;
	for (unsigned number = 0; lines_next(&text, &line, &number);)
		if (lines_value(line, "allow-override", &value) &&
			lines_equal(value, name))
			return true;
	return false;
}

/* Whether PATH is DIRECTORY or below it. */
static bool is_below(struct span path, struct span directory)
{
	return path.size >= directory.size &&
	       memcmp(path.data, directory.data, directory.size) == 0 &&
	       (path.size == directory.size || path.data[directory.size] == '/');
}

/* Where a signer whose only place is PREFIX may put PATH. */
static bool permits(struct span prefix, struct span path, bool is_directory)
{
	return is_below(path, prefix) || (is_directory && is_below(prefix, path));
}

/* Every extension has to say what it is. */
static bool is_release(struct span path, bool is_directory)
{
	static const char *const places[] = {
		"/usr/lib/extension-release.d", "/etc/extension-release.d"};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		if (permits(span_of(places[i], strlen(places[i])), path, is_directory))
			return true;
	return false;
}

int anchors_check_path(const struct anchors *a, const struct signer_id *by,
	const char *name, const char *path, bool is_directory)
{
	struct span text = buffer_span(&a->policy), line, value, signer, prefix;
	struct span wanted = span_of(path, strlen(path));
	bool limited = false;
	for (unsigned number = 0; lines_next(&text, &line, &number);) {
		if (!lines_value(line, "prefix", &value) ||
			!parse_prefix(value, &signer, &prefix) ||
			!lines_equal(signer, by->pin->fingerprint))
			continue;
		limited = true;
		if (permits(prefix, wanted, is_directory))
			return 0;
	}
	if (!limited || is_release(wanted, is_directory))
		return 0;
	return error_set(STATUS_TRUST, EKEYREJECTED,
		"%s: its signer, %s, may not bring %s", name, by->pin->name, path);
}

/* What stands between quotes, if S is in quotes. */
static struct span unquote(struct span s)
{
	if (s.size >= 2 && (s.data[0] == '"' || s.data[0] == '\'') &&
		s.data[s.size - 1] == s.data[0])
		return span_of(s.data + 1, s.size - 2);
	return s;
}

int anchors_epoch(struct span text, const char *name, unsigned *epoch)
{
	struct span line, value;
	bool seen = false;
	*epoch = 0;
	for (unsigned number = 0; lines_next(&text, &line, &number);) {
		if (!lines_value(line, "CAIRN_EPOCH", &value))
			continue;
		if (seen || !lines_number(unquote(value), ANCHORS_EPOCH_MAX, epoch))
			return error_format("%s: line %u: CAIRN_EPOCH is no number up to "
					    "%d, or comes twice",
				name, number, ANCHORS_EPOCH_MAX);
		seen = true;
	}
	return 0;
}
