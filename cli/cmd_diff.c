/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/diff.h"
#include "cli/verb.h"
#include "core/confine.h"
#include "core/progress.h"
#include "core/workers.h"
#include "verifier/locate.h"

struct options {
	bool json, quiet, no_times, no_trees, claims;
};

static const struct {
	unsigned bit;
	const char *name;
} differences[] = {{DIFFERS_TYPE, "type"}, {DIFFERS_CONTENT, "content"},
	{DIFFERS_MODE, "mode"}, {DIFFERS_OWNER, "owner"}, {DIFFERS_XATTR, "xattr"},
	{DIFFERS_TIME, "time"}};

#define N_DIFFERENCES (sizeof differences / sizeof differences[0])

static const char *const kinds[] = {[CHANGE_ADDED] = "added",
	[CHANGE_REMOVED] = "removed",
	[CHANGE_CHANGED] = "changed",
	[CHANGE_MOVED] = "moved"};

/* ---- output ------------------------------------------------------------------------ */

static int print_change(const struct change *c)
{
	BUFFER line = {0};
	const struct files_entry *e = c->b ? c->b : c->a;
	int r = buffer_printf(&line, "%-8s ", kinds[c->kind]);
	if (r == 0 && c->kind == CHANGE_MOVED) {
		r = locator_print_path(span_of(c->a->path, c->a->path_size), &line);
		if (r == 0)
			r = buffer_printf(&line, " -> ");
	}
	if (r == 0)
		r = locator_print_path(span_of(e->path, e->path_size), &line);
	const char *before = " (";
	for (size_t i = 0; r == 0 && i < N_DIFFERENCES; i++) {
		if (!(c->what & differences[i].bit))
			continue;
		r = buffer_printf(&line, "%s%s", before, differences[i].name);
		before = ", ";
	}
	if (r == 0)
		printf("%s%s\n", buffer_text(&line), c->what ? ")" : "");
	return r;
}

static int print_fact(const struct diff_fact *fact)
{
	BUFFER line = {0};
	int r = buffer_printf(&line, "%s: %s -> %s", fact->what, fact->a ? fact->a : "-",
		fact->b ? fact->b : "-");
	if (r < 0)
		return r;
	error_defuse((char *)line.data);
	printf("image    %s\n", buffer_text(&line));
	return 0;
}

/* What the result rests on. */
static const char *basis(bool by_trees, bool claims)
{
	if (claims)
		return "; compared claims only";
	return by_trees ? ", the others are the same by their hash trees" : "";
}

static int print_text(
	const struct comparison *c, const struct diff_facts *facts, const char *rests_on)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < facts->n_items; i++)
		r = print_fact(&facts->items[i]);
	for (size_t i = 0; r == 0 && i < c->n_changes; i++)
		r = print_change(&c->changes[i]);
	progress_note("%zu files differ, %zu do not; %zu were read (%" PRIu64 " bytes)%s",
		c->n_changes, c->n_same, c->n_read, c->n_bytes, rests_on);
	return r;
}

static json_object *change_json(const struct change *c)
{
	json_object *o = json_object_new_object();
	const struct files_entry *e = c->b ? c->b : c->a;
	json_add_text(o, "kind", kinds[c->kind]);
	json_add_bytes(o, "path", span_of(e->path, e->path_size));
	if (c->kind == CHANGE_MOVED)
		json_add_bytes(o, "from", span_of(c->a->path, c->a->path_size));
	if (c->kind == CHANGE_CHANGED) {
		json_object *list = json_object_new_array();
		for (size_t i = 0; i < N_DIFFERENCES; i++)
			if (c->what & differences[i].bit)
				json_append(list,
					json_object_new_string(differences[i].name));
		json_add(o, "what", list);
	}
	return o;
}

static int print_json(const struct comparison *c, const struct diff_facts *facts,
	const char *const names[2], bool by_trees, bool claims)
{
	json_object *document = json_object_new_object();
	json_object *files = json_object_new_array(), *image = json_object_new_array();
	json_add_bytes(document, "a", span_of(names[0], strlen(names[0])));
	json_add_bytes(document, "b", span_of(names[1], strlen(names[1])));
	json_add_bool(document, "same", c->n_changes + facts->n_items == 0);
	json_add_bool(document, "byHashTrees", by_trees);
	json_add_bool(document, "claimsOnly", claims);
	json_add_number(document, "filesRead", c->n_read);
	json_add_number(document, "bytesRead", c->n_bytes);
	for (size_t i = 0; i < c->n_changes; i++)
		json_append(files, change_json(&c->changes[i]));
	for (size_t i = 0; i < facts->n_items; i++) {
		json_object *o = json_object_new_object();
		const struct diff_fact *f = &facts->items[i];
		json_add_bytes(o, "what", span_of(f->what, strlen(f->what)));
		json_add_text(o, "a", f->a);
		json_add_text(o, "b", f->b);
		json_append(image, o);
	}
	json_add(document, "files", files);
	json_add(document, "image", image);
	int r = json_print(document);
	json_object_put(document);
	return r;
}

/* ---- all of it --------------------------------------------------------------------- */

/* Whether the hash trees allow to leave most files unread; 1 if they do. */
static int use_trees(const struct options *o, const struct diff_side *a,
	const struct diff_side *b, struct unchanged *u)
{
	if (o->no_trees || !a->has_verity || !b->has_verity)
		return 0;
	int r = unchanged_find(u, &a->verity, &b->verity, o->claims);
	return r < 0 ? r : r == 0;
}

static int compare_sides(
	const struct options *o, struct diff_side *a, struct diff_side *b)
{
	AUTO_UNCHANGED u = {0};
	AUTO_COMPARISON c = {.a = &a->files, .b = &b->files, .no_times = o->no_times};
	struct diff_facts facts = {0};
	const char *const names[2] = {a->path, b->path};
	int by_trees = use_trees(o, a, b, &u), r = by_trees < 0 ? by_trees : 0;
	bool claims = o->claims && (by_trees > 0 || a->is_blobs);
	if (by_trees > 0) {
		c.known = unchanged_compare;
		c.context = &u;
	}
	if (r == 0)
		r = compare(&c);
	c.n_read += a->blobs.n_bytes ? a->blobs.n_digests : 0;
	c.n_read += b->blobs.n_bytes ? b->blobs.n_digests : 0;
	c.n_bytes += a->blobs.n_bytes + b->blobs.n_bytes;
	if (r == 0)
		r = diff_facts_find(&facts, a, b);
	if (r == 0 && o->json)
		r = print_json(&c, &facts, names, by_trees > 0, claims);
	else if (r == 0 && !o->quiet)
		r = print_text(&c, &facts, basis(by_trees > 0, claims));
	if (r == 0 && c.n_changes + facts.n_items)
		r = STATUS_DIFFERS;
	diff_facts_free(&facts);
	return r;
}

static int load_side(void *context, unsigned worker, uint64_t number)
{
	struct diff_side *sides = context;
	(void)worker;
	return diff_side_load(&sides[number]);
}

/* Images are read side by side; of blobs each shows how far it is. */
static int diff(const struct options *o, char **argv)
{
	struct diff_side sides[2] = {{.tree = TREE_EMPTY, .file = FILE_CLOSED},
		{.tree = TREE_EMPTY, .file = FILE_CLOSED}};
	int r = diff_side_open(&sides[0], argv[0], o->claims);
	if (r == 0)
		r = diff_side_open(&sides[1], argv[1], o->claims);
	if (r == 0 && sides[0].is_blobs != sides[1].is_blobs)
		r = error_usage("diff: %s: blobs can be compared with blobs only",
			argv[sides[0].is_blobs ? 0 : 1]);
	if (r == 0)
		r = confine();
	if (r == 0)
		r = workers_run(sides[0].is_blobs ? 1 : 0, 2, load_side, sides);
	if (r == 0)
		r = compare_sides(o, &sides[0], &sides[1]);
	diff_side_close(&sides[0]);
	diff_side_close(&sides[1]);
	return r;
}

enum { OPT_JSON = 256, OPT_QUIET, OPT_NO_TIMES, OPT_READ_ALL, OPT_CLAIMS };

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, OPT_JSON},
		{"quiet", no_argument, NULL, OPT_QUIET},
		{"no-times", no_argument, NULL, OPT_NO_TIMES},
		{"read-all", no_argument, NULL, OPT_READ_ALL},
		{"claims", no_argument, NULL, OPT_CLAIMS}, {NULL, 0, NULL, 0}};
	struct options o = {0};
	optind = 1;
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
		if (option == '?' || option == ':')
			return argument_unknown(option, argv);
		o.json = o.json || option == OPT_JSON;
		o.quiet = o.quiet || option == OPT_QUIET;
		o.no_times = o.no_times || option == OPT_NO_TIMES;
		o.no_trees = o.no_trees || option == OPT_READ_ALL;
		o.claims = o.claims || option == OPT_CLAIMS;
	}
	progress_silence(o.quiet);
	if (o.claims && o.no_trees)
		return error_usage("diff: --read-all contradicts --claims");
	if (optind + 2 != argc)
		return error_usage("diff: needs A and B; see cairn help diff");
	return diff(&o, argv + optind);
}

const struct verb verb_diff = {
	.name = "diff",
	.run = run,
	.summary = "what changed between two images or trees, by file",
	.usage =
		"usage: cairn diff [OPTION...] A B\n"
		"\n"
		"Compares two disk images, file systems (erofs, squashfs, ext2 to ext4), "
		"directories\n"
		"or archives, in any combination, or two stores or images of blobs: "
		"files added, removed, changed "
		"(content, "
		"type,\n"
		"mode, owner, attributes, time) and moved; of two images also "
		"partitions, "
		"EFI\n"
		"programs with their sections, and packages. Nothing is mounted. Where "
		"both "
		"images\n"
		"have hash trees of one salt, these are checked and compared, and only "
		"files "
		"that\n"
		"differing blocks belong to are read.\n"
		"\n"
		"  --no-times   do not compare times of modification\n"
		"  --read-all   read all files, whatever hash trees there are\n"
		"  --claims     take what hash trees and names of blobs say without "
		"checking it\n"
		"  --json       as JSON (docs/verify-json.md)\n"
		"  --quiet      only the exit status\n"
		"\n"
		"Exit status: 0 no difference, 8 there is one; 3 a hash tree is not what "
		"its "
		"root\n"
		"says; 5 malformed; 1, 2 as usual.\n",
};
