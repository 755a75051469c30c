/* SPDX-License-Identifier: MIT */
#include "initrd/plan/cmdline.h"

#include <errno.h>
#include <string.h>

/*
 * Words that may be added to any command line: they choose where and how much is said
 * (and no_timer_check lets a kernel start on an emulator that has little time for it).
 * docs/boot.md lists them. Not here, though they look alike: earlycon= (writes to any
 * address), printk.devkmsg=, systemd.show_status= with a value systemd would act upon.
 */
static const char *const harmless_names[] = {"console", "loglevel", "panic", "BOOT_IMAGE",
	"printk.time", "systemd.log_level", "systemd.log_target", "systemd.log_color",
	"systemd.log_location", "systemd.log_time", "systemd.log_tid",
	"systemd.log_ratelimit_kmsg", "systemd.show_status", NULL};
static const char *const harmless_words[] = {
	"quiet", "debug", "ignore_loglevel", "ro", "no_timer_check", NULL};

bool cmdline_harmless(const char *word)
{
	for (size_t i = 0; harmless_words[i]; i++)
		if (!strcmp(word, harmless_words[i]))
			return true;
	for (size_t i = 0; harmless_names[i]; i++) {
		const char *value = word_value(word, harmless_names[i]);
		if (value && *value)
			return true;
	}
	return false;
}

/* Messages quote at most this much of a word. */
#define SHOWN "%.80s"

static int check_hash(const struct policy *p, const struct words *w)
{
	const char *name = p->part == PART_USR ? "usrhash" : "roothash";
	size_t found = 0;
	for (size_t i = 0; i < w->n; i++) {
		const char *word = words_get(w, i), *hash = word_value(word, "roothash");
		const char *wanted = hash ? "roothash" : "usrhash";
		if (!hash && !(hash = word_value(word, "usrhash")))
			continue;
		if (++found > 1)
			return error_set(STATUS_TRUST, EPERM,
				"command line: more than one roothash= or usrhash=");
		if (strcmp(wanted, name) != 0 || strcmp(hash, p->root_hash) != 0)
			return error_set(STATUS_TRUST, EPERM,
				"command line: " SHOWN " is not this image's", word);
	}
	if (!found)
		return error_set(STATUS_TRUST, EPERM, "command line: no %s=", name);
	return 0;
}

/* A word that is there N_MORE times more often than the policy has it. */
static int check_extra(const struct policy *p, const char *word)
{
	if (word_starts(word, "cairn."))
		return error_set(STATUS_TRUST, EPERM,
			"command line: " SHOWN " is not in this image's policy", word);
	if (word_value(word, "init") || word_value(word, "rdinit"))
		return error_set(STATUS_TRUST, EPERM,
			"command line: " SHOWN " is not built in", word);
	if (p->cmdline == CMDLINE_OPEN || cmdline_harmless(word))
		return 0;
	return error_set(STATUS_TRUST, EPERM,
		"command line: " SHOWN " was added and is not known to be harmless",
		word);
}

int cmdline_check(const struct policy *p, struct span line)
{
	struct words w = {0};
	int r = words_parse(&w, line);
	if (r == 0)
		r = check_hash(p, &w);
	for (size_t i = 0; r == 0 && i < w.n; i++) {
		const char *word = words_get(&w, i);
		if (words_count(&w, word) > words_count(&p->words, word))
			r = check_extra(p, word);
	}
	for (size_t i = 0; r == 0 && i < p->words.n; i++) {
		const char *word = words_get(&p->words, i);
		if (words_count(&w, word) < words_count(&p->words, word))
			r = error_set(STATUS_TRUST, EPERM,
				"command line: " SHOWN " is missing", word);
	}
	return r;
}
