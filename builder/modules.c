/* SPDX-License-Identifier: MIT */
#include "builder/modules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/path.h"

#define INDEX_MAX (64 << 20)

/* A module may need others that need others; longer chains than this are a loop. */
#define DEPTH_MAX 16
#define STEPS_MAX 1000 /* for one module; without it, depth alone allows 2^32 */

void modules_free(struct modules *m)
{
	for (size_t i = 0; i < m->n_files; i++)
		free(m->files[i]);
	free(m->files);
	free(m->directory);
	buffer_free(&m->dep);
	buffer_free(&m->builtin);
	buffer_free(&m->alias);
	buffer_free(&m->softdep);
	buffer_free(&m->lines);
	*m = (struct modules){0};
}

static int read_index(struct modules *m, const char *name, bool needed, struct buffer *b)
{
	BUFFER path = {0};
	int r = buffer_printf(&path, "%s/%s", m->directory, name);
	if (r < 0)
		return r;
	const struct tree_entry *e = tree_resolve(m->tree, buffer_text(&path));
	if (!e && !needed)
		return 0;
	if (!e)
		return error_format("%s: no %s (depmod writes it)", m->tree->name,
			buffer_text(&path));
	return tree_read(m->tree, e, INDEX_MAX, b);
}

int modules_open(struct modules *m, const struct tree *tree, const char *release)
{
	BUFFER directory = {0};
	*m = (struct modules){.tree = tree};
	int r = buffer_printf(&directory, "usr/lib/modules/%s", release);
	if (r == 0 && !(m->directory = buffer_steal_text(&directory)))
		r = -ENOMEM;
	if (r == 0)
		r = read_index(m, "modules.dep", true, &m->dep);
	if (r == 0)
		r = read_index(m, "modules.builtin", false, &m->builtin);
	if (r == 0)
		r = read_index(m, "modules.alias", false, &m->alias);
	return r < 0 ? r : read_index(m, "modules.softdep", false, &m->softdep);
}

/* ---- lines of the index ----------------------------------------------------------- */

/* Cuts the next line off TEXT. Returns false at the end. */
static bool next_line(struct span *text, struct span *line)
{
	if (!text->size)
		return false;
	const uint8_t *end = memchr(text->data, '\n', text->size);
	size_t size = end ? (size_t)(end - text->data) : text->size;
	*line = span_of(text->data, size);
	*text = span_of(
		text->data + size + (end != NULL), text->size - size - (end != NULL));
	return true;
}

/* Cuts the next word, divided by spaces, off LINE. Returns false at the end. */
static bool next_word(struct span *line, struct span *word)
{
	size_t skip = 0, size = 0;
	while (skip < line->size && line->data[skip] == ' ')
		skip++;
	while (skip + size < line->size && line->data[skip + size] != ' ')
		size++;
	*word = span_of(line->data + skip, size);
	*line = span_of(line->data + skip + size, line->size - skip - size);
	return size > 0;
}

static bool is_text(struct span word, const char *text)
{
	return word.size == strlen(text) && memcmp(word.data, text, word.size) == 0;
}

/* True if PATH is the file of module NAME, where '-' and '_' are the same letter. */
static bool is_module(struct span path, const char *name)
{
	size_t start = path.size, size = strlen(name);
	while (start && path.data[start - 1] != '/')
		start--;
	if (path.size - start < size + 3 ||
		memcmp(path.data + start + size, ".ko", 3) != 0)
		return false;
	for (size_t i = 0; i < size; i++) {
		char a = (char)path.data[start + i], b = name[i];
		if ((a == '-' ? '_' : a) != (b == '-' ? '_' : b))
			return false;
	}
	return true;
}

/* The line of modules.dep for NAME: PATH, and NEEDS, the paths behind the colon. */
static bool find_dep(
	const struct modules *m, const char *name, struct span *path, struct span *needs)
{
	struct span text = buffer_span(&m->dep), line;
	while (next_line(&text, &line)) {
		const uint8_t *colon = memchr(line.data, ':', line.size);
		if (!colon)
			continue;
		*path = span_of(line.data, (size_t)(colon - line.data));
		*needs = span_of(colon + 1, line.size - path->size - 1);
		if (is_module(*path, name))
			return true;
	}
	return false;
}

static bool is_builtin(const struct modules *m, const char *name)
{
	struct span text = buffer_span(&m->builtin), line;
	while (next_line(&text, &line))
		if (is_module(line, name))
			return true;
	return false;
}

/* ---- collecting ------------------------------------------------------------------- */

/* Adds PATH to the files, once, and its last component to LINE. */
static int add_file(struct modules *m, struct span path, struct buffer *line)
{
	BUFFER text = {0};
	int r = buffer_append(&text, path.data, path.size);
	if (r == 0)
		r = buffer_printf(line, " %s", path_base(buffer_text(&text)));
	for (size_t i = 0; r == 0 && i < m->n_files; i++)
		if (!strcmp(m->files[i], buffer_text(&text)))
			return 0;
	if (r < 0)
		return r;
	char **files = realloc(m->files, (m->n_files + 1) * sizeof *files);
	if (!files)
		return error_memory();
	m->files = files;
	m->files[m->n_files] = buffer_steal_text(&text);
	return m->files[m->n_files] ? (m->n_files++, 0) : -ENOMEM;
}

static int add_softdeps(
	struct modules *m, const char *name, struct buffer *line, int depth);

/* The module's name as the index spells it: "kernel/md/dm-mod.ko.xz" is dm_mod. */
static void name_of(struct span path, char *name, size_t capacity)
{
	size_t start = path.size, size = 0;
	while (start && path.data[start - 1] != '/')
		start--;
	for (; start < path.size && path.data[start] != '.' && size < capacity - 1;
		start++)
		name[size++] = path.data[start] == '-' ? '_' : (char)path.data[start];
	name[size] = 0;
}

/*
 * modules.dep lists the deepest need last: they are added from the end, each behind what
 * it wants to come first.
 */
static int add_needs(struct modules *m, struct span needs, struct buffer *line, int depth)
{
	while (needs.size) {
		size_t start = needs.size;
		char name[128];
		while (start && needs.data[start - 1] != ' ')
			start--;
		struct span word = span_of(needs.data + start, needs.size - start);
		name_of(word, name, sizeof name);
		int r = word.size ? add_softdeps(m, name, line, depth) : 0;
		if (r == 0 && word.size)
			r = add_file(m, word, line);
		if (r < 0)
			return r;
		needs.size = start ? start - 1 : 0;
	}
	return 0;
}

static int add_module(
	struct modules *m, const char *name, struct buffer *line, int depth);

/*
 * "softdep NAME pre: A B post: C": A and B come first. A name that is no module is an
 * alias, mostly of algorithms ("crc32c"); of those the generic one is taken, since the
 * others depend on the processor.
 */
static int add_softdeps(
	struct modules *m, const char *name, struct buffer *line, int depth)
{
	struct span text = buffer_span(&m->softdep), entry, word;
	while (next_line(&text, &entry)) {
		if (!next_word(&entry, &word) || !is_text(word, "softdep") ||
			!next_word(&entry, &word) || !is_text(word, name))
			continue;
		bool pre = false;
		while (next_word(&entry, &word)) {
			char need[128];
			if (word.data[word.size - 1] == ':') {
				pre = is_text(word, "pre:");
				continue;
			}
			if (!pre || word.size >= sizeof need - 8)
				continue;
			memcpy(need, word.data, word.size);
			need[word.size] = 0;
			int r = add_module(m, need, line, depth + 1);
			if (r == 1)
				r = add_module(
					m, strcat(need, "_generic"), line, depth + 1);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int add_module(struct modules *m, const char *name, struct buffer *line, int depth)
{
	struct span path, needs;
	char spelled[128];
	m->steps = depth ? m->steps + 1 : 0;
	if (depth > DEPTH_MAX || m->steps > STEPS_MAX)
		return error_format(
			"%s: the modules' dependencies are a loop", m->directory);
	if (is_builtin(m, name))
		return 0;
	if (!find_dep(m, name, &path, &needs))
		return 1;
	name_of(path, spelled, sizeof spelled);
	int r = add_softdeps(m, spelled, line, depth);
	if (r == 0)
		r = add_needs(m, needs, line, depth);
	return r < 0 ? r : add_file(m, path, line);
}

int modules_add_always(struct modules *m, const char *name)
{
	BUFFER line = {0};
	int r = add_module(m, name, &line, 0);
	if (r == 0 && line.size)
		r = buffer_printf(&m->lines, "always%s\n", buffer_text(&line));
	return r;
}

int modules_add_for(struct modules *m, const char *name, const char *alias)
{
	BUFFER files = {0};
	int r = add_module(m, name, &files, 0);
	if (r || !files.size)
		return r;
	return buffer_printf(
		&m->lines, "alias %s\ndevice%s\n", alias, buffer_text(&files));
}

int modules_add_driver(struct modules *m, const char *name)
{
	BUFFER files = {0};
	char module[128];
	int r = add_module(m, name, &files, 0);
	if (r || !files.size)
		return r;
	name_of(span_of(name, strlen(name)), module, sizeof module);
	bool found = false;
	struct span text = buffer_span(&m->alias), line, word, pattern;
	while (r == 0 && next_line(&text, &line)) {
		if (!next_word(&line, &word) || !is_text(word, "alias") ||
			!next_word(&line, &pattern) || !next_word(&line, &word) ||
			!is_text(word, module) ||
			!memchr(pattern.data, ':', pattern.size))
			continue;
		found = true;
		r = buffer_printf(&m->lines, "alias %.*s\n", (int)pattern.size,
			(const char *)pattern.data);
	}
	/* One that names no device cannot wait for its own; it may fail, as a driver may.
	 */
	if (r == 0 && !found)
		r = buffer_printf(&m->lines, "alias *\n");
	return r < 0 ? r : buffer_printf(&m->lines, "device%s\n", buffer_text(&files));
}
