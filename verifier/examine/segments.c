/* SPDX-License-Identifier: MIT */
#include "verifier/examine/segments.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/path.h"

/* All that EWF can name. */
#define SEGMENTS_MAX 14971
#define SUFFIX_MAX   8

static bool is_all(const char *text, const char *of)
{
	return *text && text[strspn(text, of)] == 0;
}

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"

/* Whether SUFFIX is that of a first segment. */
static bool is_first(const char *suffix, enum segments_kind kind)
{
	size_t size = strlen(suffix);
	if (size < 2 || size >= SUFFIX_MAX)
		return false;
	/* EnCase's E, SMART's s, and what is renamed to lower case. */
	if (kind == SEGMENTS_EWF)
		return size == 3 && strchr("EeSs", suffix[0]) &&
		       !strcmp(suffix + 1, "01");
	if (is_all(suffix, "a"))
		return true;
	return is_all(suffix, DIGITS) && strtoul(suffix, NULL, 10) <= 1;
}

/* Counts a letter or digit up; true if it wraps around to the first again. */
static bool count_up(char *c)
{
	if (*c == '9' || *c == 'z' || *c == 'Z') {
		*c = *c == '9' ? '0' : *c == 'z' ? 'a' : 'A';
		return true;
	}
	(*c)++;
	return false;
}

/* 01 ... 99, AA ... ZZ behind the first letter, which then counts up too. */
static bool next_ewf(char *suffix)
{
	bool lower = strchr(LOWER, suffix[0]);
	if (!strcmp(suffix + 1, "99"))
		return strcpy(suffix + 1, lower ? "aa" : "AA");
	if (!count_up(&suffix[2]) || !count_up(&suffix[1]))
		return true;
	return !count_up(&suffix[0]);
}

/* The suffix that comes next; false behind the last. */
static bool next(char *suffix, enum segments_kind kind)
{
	if (kind == SEGMENTS_EWF)
		return next_ewf(suffix);
	for (size_t i = strlen(suffix); i-- > 0;)
		if (!count_up(&suffix[i]))
			return true;
	return false;
}

static int add(struct segments *s, const char *path)
{
	char **more = reallocarray(s->paths, s->n_paths + 1, sizeof *more);
	if (!more)
		return error_memory();
	s->paths = more;
	s->paths[s->n_paths] = strdup(path);
	if (!s->paths[s->n_paths])
		return error_memory();
	s->n_paths++;
	return 0;
}

/* Whether SUFFIX could be that of a segment behind MISSING. */
static bool comes_after(const char *suffix, const char *missing, enum segments_kind kind)
{
	if (strlen(suffix) != strlen(missing))
		return false;
	if (kind == SEGMENTS_EWF)
		return suffix[0] == missing[0] && is_all(missing + 1, DIGITS) &&
		       is_all(suffix + 1, DIGITS) && strcmp(suffix, missing) > 0;
	const char *of = is_all(missing, DIGITS) ? DIGITS : LOWER;
	return is_all(suffix, of) && strcmp(suffix, missing) > 0;
}

/* Refuses a file that comes after MISSING, which is not there. */
static int check_gap(const char *missing, const char *suffix, enum segments_kind kind)
{
	const char *base;
	int fd = path_open_parent(missing, &base), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t prefix = strlen(base) - strlen(suffix);
	if (fd < 0)
		return fd;
	if (!dir) {
		close(fd);
		return error_errno("%s: cannot list its directory", missing);
	}
	for (struct dirent *d; r == 0 && (d = readdir(dir));)
		if (strncmp(d->d_name, base, prefix) == 0 &&
			comes_after(d->d_name + prefix, suffix, kind))
			r = error_format("%s: this segment is missing, but there is %s",
				missing, d->d_name);
	closedir(dir);
	return r;
}

int segments_find(struct segments *s, const char *path, enum segments_kind kind)
{
	char name[4096], suffix[SUFFIX_MAX];
	struct stat st;
	*s = (struct segments){0};
	int r = add(s, path);
	const char *dot = strrchr(path_base(path), '.');
	if (r < 0 || !dot || !is_first(dot + 1, kind))
		return r;
	snprintf(suffix, sizeof suffix, "%s", dot + 1);
	while (r == 0 && s->n_paths < SEGMENTS_MAX && next(suffix, kind)) {
		int n = snprintf(
			name, sizeof name, "%.*s%s", (int)(dot + 1 - path), path, suffix);
		if (n < 0 || (size_t)n >= sizeof name)
			return error_format("%s: its name is too long", path);
		if (stat(name, &st) < 0)
			return check_gap(name, suffix, kind);
		r = add(s, name);
	}
	return r;
}

void segments_free(struct segments *s)
{
	for (size_t i = 0; i < s->n_paths; i++)
		free(s->paths[i]);
	free(s->paths);
	*s = (struct segments){0};
}
