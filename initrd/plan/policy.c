/* SPDX-License-Identifier: MIT */
#include "initrd/plan/policy.h"

#include <stdio.h>
#include <string.h>

static const char *const parts[] = {"root", "usr", NULL};
static const char *const verities[] = {"panic", "restart", "eio", NULL};
static const char *const failures[] = {"poweroff", "reboot", "panic", NULL};
static const char *const overlays[] = {
	"none", "volatile", "etc", "etc-unauthenticated", NULL};
static const char *const cmdlines[] = {"strict", "open", NULL};
static const char *const rollbacks[] = {"any", "tpm", NULL};
static const char *const states[] = {"none", "volatile", "ext4", "xfs", "btrfs", NULL};
static const char *const answers[] = {"no", "yes", NULL};
static const char *const file_systems[] = {"erofs", "squashfs", "ext4", NULL};

const char *policy_verity_name(enum policy_verity v)
{
	return verities[v];
}

const char *policy_failure_name(enum policy_failure f)
{
	return failures[f];
}

const char *policy_overlay_name(enum policy_overlay o)
{
	return overlays[o];
}

bool policy_keeps_state(const struct policy *p)
{
	return p->state[0] && strcmp(p->state, "volatile") != 0;
}

bool policy_requires(const struct policy *p, enum purpose purpose)
{
	return p->require_signature >> purpose & 1;
}

void policy_defaults(struct policy *p)
{
	*p = (struct policy){.fs = "erofs", .wait_s = 30, .timeout_s = 120};
}

/* The index of VALUE in NAMES, or -1. */
static int choose(const char *const *names, const char *value)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], value))
			return i;
	return -1;
}

/* A number up to MAX, of at most five digits, without sign or leading zeros. */
static bool set_number(unsigned *field, const char *value, unsigned max)
{
	unsigned n = 0;
	for (size_t i = 0; value[i]; i++) {
		if (value[i] < '0' || value[i] > '9' || i > 4 ||
			(i == 1 && value[0] == '0'))
			return false;
		n = n * 10 + (unsigned)(value[i] - '0');
	}
	*field = n;
	return value[0] && n <= max;
}

static bool set_seconds(unsigned *field, const char *value)
{
	return set_number(field, value, 86400) && *field > 0;
}

/* Generations are not for the boot to check. */
#define SIGNABLE (1u << PURPOSE_ROOT | 1u << PURPOSE_SYSEXT | 1u << PURPOSE_CONFEXT)

/* "none", or names of purposes with commas between them, each once. */
static bool set_purposes(unsigned *field, const char *value)
{
	*field = 0;
	if (!strcmp(value, "none"))
		return true;
	for (;;) {
		size_t size = strcspn(value, ",");
		unsigned bit = 0;
		for (int i = 0; i < N_PURPOSES; i++) {
			const char *name = purpose_name((enum purpose)i);
			if (strlen(name) == size && !strncmp(name, value, size))
				bit = 1u << i;
		}
		if (!(bit & SIGNABLE) || *field & bit)
			return false;
		*field |= bit;
		if (!value[size])
			return true;
		value += size + 1;
	}
}

static bool is_root_hash(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* An absolute path, clean: no "." or "..", no doubled slash, not just "/". */
#define PATH_SIZE 256
static bool is_clean_path(const char *path)
{
	if (path[0] != '/' || strlen(path) >= PATH_SIZE)
		return false;
	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		size_t size = strcspn(p + 1, "/");
		if (size == 0 || (size == 1 && p[1] == '.') ||
			(size == 2 && p[1] == '.' && p[2] == '.'))
			return false;
	}
	return true;
}

bool policy_next_path(const char **list, char path[256])
{
	size_t size = strcspn(*list, ",");
	if (!size || size >= PATH_SIZE)
		return false;
	memcpy(path, *list, size);
	path[size] = 0;
	*list += size + ((*list)[size] == ',');
	return true;
}

/* Files below /etc, with single commas between. */
static bool is_persist_list(const char *list)
{
	char path[PATH_SIZE];
	const char *rest = list;
	if (!*list || list[strlen(list) - 1] == ',')
		return false;
	while (policy_next_path(&rest, path))
		if (strncmp(path, "/etc/", 5) != 0 || !is_clean_path(path))
			return false;
	return !*rest;
}

static bool set_text(char *field, size_t size, const char *value, bool good)
{
	if (!good || strlen(value) >= size)
		return false;
	strcpy(field, value);
	return true;
}

/* As set_text, where "none" stands for nothing. */
static bool set_optional(
	char *field, size_t size, const char *value, bool (*good)(const char *))
{
	if (!strcmp(value, "none"))
		return set_text(field, size, "", true);
	return set_text(field, size, value, good(value));
}

static bool is_state(const char *value)
{
	return choose(states, value) >= 0;
}

/* A line of the file, with a NUL. */
#define LINE_SIZE 1024

/* Each key of the file, and of cairn.KEY= on the command line. */
enum key {
	KEY_VERSION,
	KEY_PART,
	KEY_ROOTHASH,
	KEY_FS,
	KEY_VERITY,
	KEY_ON_FAILURE,
	KEY_OVERLAY,
	KEY_CMDLINE,
	KEY_INIT,
	KEY_SUBDIR,
	KEY_STATE,
	KEY_PERSIST,
	KEY_EXTENSIONS,
	KEY_REQUIRE_SIGNATURE,
	KEY_ROLLBACK,
	KEY_EPOCH,
	KEY_WAIT,
	KEY_TIMEOUT,
	KEY_WORD,
	N_KEYS,
};

static const char *const keys[] = {"version", "part", "roothash", "fs", "verity",
	"on-failure", "overlay", "cmdline", "init", "subdir", "state", "persist",
	"extensions", "require-signature", "rollback", "epoch", "wait", "timeout", "word",
	NULL};

/* Sets one key; false if the value makes no sense. */
static bool set(struct policy *p, enum key key, const char *value)
{
	int i = 0;
	switch (key) {
	case KEY_VERSION:
		return !strcmp(value, "1");
	case KEY_PART:
		p->part = (enum policy_part)(i = choose(parts, value));
		break;
	case KEY_ROOTHASH:
		return set_text(
			p->root_hash, sizeof p->root_hash, value, is_root_hash(value));
	case KEY_FS:
		return set_text(
			p->fs, sizeof p->fs, value, choose(file_systems, value) >= 0);
	case KEY_VERITY:
		p->verity = (enum policy_verity)(i = choose(verities, value));
		break;
	case KEY_ON_FAILURE:
		p->on_failure = (enum policy_failure)(i = choose(failures, value));
		break;
	case KEY_OVERLAY:
		p->overlay = (enum policy_overlay)(i = choose(overlays, value));
		break;
	case KEY_CMDLINE:
		p->cmdline = (enum policy_cmdline)(i = choose(cmdlines, value));
		break;
	case KEY_INIT:
		return set_text(p->init, sizeof p->init, value, is_clean_path(value));
	case KEY_SUBDIR:
		return set_optional(p->subdir, sizeof p->subdir, value, is_clean_path);
	case KEY_STATE:
		return set_optional(p->state, sizeof p->state, value, is_state);
	case KEY_PERSIST:
		return set_optional(
			p->persist, sizeof p->persist, value, is_persist_list);
	case KEY_EXTENSIONS:
		p->extensions = (i = choose(answers, value)) == 1;
		break;
	case KEY_REQUIRE_SIGNATURE:
		return set_purposes(&p->require_signature, value);
	case KEY_ROLLBACK:
		p->rollback = (enum policy_rollback)(i = choose(rollbacks, value));
		break;
	case KEY_EPOCH:
		return set_number(&p->epoch, value, POLICY_EPOCH_MAX);
	case KEY_WAIT:
		return set_seconds(&p->wait_s, value);
	case KEY_TIMEOUT:
		return set_seconds(&p->timeout_s, value);
	case KEY_WORD:
		return words_add(&p->words, span_of(value, strlen(value))) == 0;
	case N_KEYS:
		return false;
	}
	return i >= 0;
}

/* The key that a word of the UKI's command line sets; N_KEYS if it is just a word. */
static enum key key_of_word(struct policy *p, const char *word, const char **value)
{
	if ((*value = word_value(word, "roothash")))
		return KEY_ROOTHASH;
	if ((*value = word_value(word, "usrhash"))) {
		p->part = PART_USR;
		return KEY_ROOTHASH;
	}
	if ((*value = word_value(word, "init")))
		return KEY_INIT;
	static const enum key of_cairn[] = {KEY_VERITY, KEY_ON_FAILURE, KEY_OVERLAY,
		KEY_CMDLINE, KEY_SUBDIR, KEY_STATE, KEY_PERSIST, KEY_EXTENSIONS,
		KEY_REQUIRE_SIGNATURE, KEY_ROLLBACK, KEY_WAIT, KEY_TIMEOUT};
	for (size_t i = 0; i < sizeof of_cairn / sizeof of_cairn[0]; i++) {
		char name[32];
		snprintf(name, sizeof name, "cairn.%s", keys[of_cairn[i]]);
		if ((*value = word_value(word, name)))
			return of_cairn[i];
	}
	return N_KEYS;
}

/*
 * Tabs and line feeds divide words as spaces do, but boot stubs rewrite them: what is
 * built in is what can be printed.
 */
static int check_printable(const char *line)
{
	for (const char *c = line; *c; c++)
		if (*c < ' ' || *c > '~')
			return error_usage("command line: byte %#04x at offset %zu",
				(unsigned char)*c, (size_t)(c - line));
	return 0;
}

int policy_from_cmdline(struct policy *p, const char *line)
{
	bool seen[N_KEYS] = {false};
	p->words = (struct words){0};
	int r = check_printable(line);
	if (r == 0)
		r = words_parse(&p->words, span_of(line, strlen(line)));
	for (size_t i = 0; r == 0 && i < p->words.n; i++) {
		const char *word = words_get(&p->words, i), *value;
		enum key key = key_of_word(p, word, &value);
		if (strlen("word=") + strlen(word) >= LINE_SIZE)
			return error_usage(
				"command line: the word %.32s... is too long", word);
		if (key == N_KEYS && word_starts(word, "cairn."))
			return error_usage("command line: nothing knows %s", word);
		if (key == N_KEYS && word_value(word, "rdinit"))
			return error_usage(
				"command line: %s would pass by the verified boot", word);
		if (key == N_KEYS)
			continue;
		if (seen[key])
			return error_usage("command line: %s comes twice", word);
		seen[key] = true;
		if (!set(p, key, value))
			return error_usage("command line: %s makes no sense", word);
	}
	if (r == 0 && !p->init[0])
		strcpy(p->init,
			p->part == PART_USR ? "/usr/lib/systemd/systemd" : "/sbin/init");
	return r;
}

/* What only makes sense together. */
static int check_state(const struct policy *p)
{
	if (p->overlay != OVERLAY_NONE && p->part != PART_ROOT)
		return error_format("boot policy: an overlay needs part=root");
	if (p->subdir[0] && p->part != PART_ROOT)
		return error_format("boot policy: subdir needs part=root");
	if (p->persist[0] && (p->overlay != OVERLAY_ETC || !policy_keeps_state(p)))
		return error_format(
			"boot policy: persist needs overlay=etc and a state that stays");
	if (p->overlay == OVERLAY_ETC_UNAUTHENTICATED && !policy_keeps_state(p))
		return error_format(
			"boot policy: overlay=etc-unauthenticated needs a state "
			"that stays");
	if (p->overlay == OVERLAY_VOLATILE && p->extensions)
		return error_format(
			"boot policy: extensions cannot go over overlay=volatile");
	return 0;
}

int policy_check(const struct policy *p)
{
	if (!is_root_hash(p->root_hash))
		return error_format("boot policy: no root hash");
	if (choose(file_systems, p->fs) < 0)
		return error_format("boot policy: no file system type");
	if (!is_clean_path(p->init))
		return error_format("boot policy: no init");
	if (!p->wait_s || !p->timeout_s || p->wait_s >= p->timeout_s)
		return error_format("boot policy: wait must be shorter than timeout");
	return check_state(p);
}

static int write_purposes(unsigned purposes, struct buffer *text)
{
	int r = buffer_printf(text, "require-signature=%s", purposes ? "" : "none");
	const char *comma = "";
	for (int i = 0; r == 0 && i < N_PURPOSES; i++) {
		if (!(purposes >> i & 1))
			continue;
		r = buffer_printf(text, "%s%s", comma, purpose_name((enum purpose)i));
		comma = ",";
	}
	return r < 0 ? r : buffer_append(text, "\n", 1);
}

static const char *or_none(const char *text)
{
	return text[0] ? text : "none";
}

int policy_write(const struct policy *p, struct buffer *text)
{
	int r = buffer_printf(text,
		"version=1\npart=%s\nroothash=%s\nfs=%s\nverity=%s\non-failure=%s\n"
		"overlay=%s\ncmdline=%s\ninit=%s\nsubdir=%s\nstate=%s\npersist=%s\n"
		"extensions=%s\n",
		parts[p->part], p->root_hash, p->fs, verities[p->verity],
		failures[p->on_failure], overlays[p->overlay], cmdlines[p->cmdline],
		p->init, or_none(p->subdir), or_none(p->state), or_none(p->persist),
		answers[p->extensions]);
	if (r == 0)
		r = write_purposes(p->require_signature, text);
	if (r == 0)
		r = buffer_printf(text, "rollback=%s\nepoch=%u\nwait=%u\ntimeout=%u\n",
			rollbacks[p->rollback], p->epoch, p->wait_s, p->timeout_s);
	for (size_t i = 0; r == 0 && i < p->words.n; i++)
		r = buffer_printf(text, "word=%s\n", words_get(&p->words, i));
	return r;
}

static int parse_line(struct policy *p, struct span line, unsigned number, bool *seen)
{
	char text[LINE_SIZE];
	if (line.size >= sizeof text || memchr(line.data, 0, line.size))
		return error_format(
			"boot policy: line %u is too long or has a NUL", number);
	memcpy(text, line.data, line.size);
	text[line.size] = 0;
	char *value = strchr(text, '=');
	if (!value)
		return error_format("boot policy: line %u is not KEY=VALUE", number);
	*value++ = 0;
	int key = choose(keys, text);
	if (key < 0 || (seen[key] && key != KEY_WORD))
		return error_format("boot policy: line %u: %s key %.32s", number,
			key < 0 ? "unknown" : "doubled", text);
	seen[key] = true;
	if (!set(p, (enum key)key, value))
		return error_format("boot policy: line %u: bad %s", number, text);
	return 0;
}

int policy_parse(struct policy *p, struct span text)
{
	*p = (struct policy){0};
	bool seen[N_KEYS] = {false};
	unsigned number = 0;
	if (text.size > POLICY_MAX_SIZE)
		return error_format("boot policy: larger than %d bytes", POLICY_MAX_SIZE);
	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		if (!end)
			return error_format("boot policy: the last line is not complete");
		size_t size = (size_t)(end - text.data);
		int r = parse_line(p, span_of(text.data, size), ++number, seen);
		if (r < 0)
			return r;
		text = span_of(end + 1, text.size - size - 1);
	}
	for (int key = 0; key < KEY_WORD; key++)
		if (!seen[key])
			return error_format("boot policy: no line %s=", keys[key]);
	return policy_check(p);
}
