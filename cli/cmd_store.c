/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/store_collect.h"
#include "builder/store_tree.h"
#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/hex.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/output.h"
#include "core/progress.h"
#include "core/workers.h"

struct store_options {
	const char *ref;
	const char *output;
	unsigned jobs;
	bool json, quiet, tree, force, dry_run, unprivileged;
	const char *store;
	char **rest;
	int n_rest;
};

/* The store and MIN to MAX arguments after it. */
static int parse(int argc, char **argv, int min, int max, struct store_options *o)
{
	const struct argument table[] = {
		{.name = "ref", .letter = 'r', .text = &o->ref},
		{.name = "output", .letter = 'o', .text = &o->output},
		{.name = "tree", .flag = &o->tree},
		ARGUMENT_JOBS(&o->jobs),
		{.name = "force", .flag = &o->force},
		{.name = "dry-run", .flag = &o->dry_run},
		{.name = "unprivileged", .flag = &o->unprivileged},
		{.name = "json", .flag = &o->json},
		{.name = "quiet", .flag = &o->quiet},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	o->n_rest = argc - first - 1;
	if (o->n_rest < min || o->n_rest > max)
		return error_usage(
			"store %s: see cairn help store for the arguments", argv[0]);
	progress_silence(o->quiet);
	o->store = argv[first];
	o->rest = argv + first + 1;
	interrupt_catch();
	return 0;
}

/* A digest, or the name of a ref. */
static int find_digest(const struct objects *o, const char *text, uint8_t *digest)
{
	return objects_parse(text, digest) == 0 ? 0 : objects_ref_get(o, text, digest);
}

static void print_digest(const uint8_t *digest, const char *name)
{
	char text[OBJECTS_DIGEST_TEXT];
	printf("sha256:%s%s%s\n", hex_encode(digest, OBJECTS_DIGEST, text),
		name ? " " : "", name ? name : "");
}

/* ---- add --------------------------------------------------------------------------- */

static int add_tree(const struct objects *store, const struct store_options *o,
	const char *path, uint8_t *digest)
{
	AUTO_TREE tree = TREE_EMPTY;
	uint64_t n_added, n_known;
	int r = tree_load(&tree, path, NULL);
	if (r == 0)
		r = store_tree_add(store, &tree, o->jobs, digest, &n_added, &n_known);
	if (r == 0)
		progress_note("%s: %ju blobs added, %ju were there", path,
			(uintmax_t)n_added, (uintmax_t)n_known);
	return r;
}

static int add_file(const struct objects *store, const char *path, uint8_t *digest)
{
	AUTO_FILE f = FILE_CLOSED;
	AUTO_OBJECTS_STAGE stage = {.dirfd = -1};
	int r = file_open(&f, path);
	if (r == 0)
		r = objects_stage_open(&stage, store);
	if (r == 0)
		r = objects_stage_file(&stage, &f, digest);
	return r < 0 ? r : objects_stage_commit(&stage);
}

static int run_add(int argc, char **argv)
{
	struct store_options o = {0};
	AUTO_OBJECTS store = OBJECTS_CLOSED;
	uint8_t digest[OBJECTS_DIGEST];
	int r = parse(argc, argv, 1, INT32_MAX, &o);
	if (r == 0 && o.ref && o.n_rest != 1)
		r = error_usage(
			"store add: --ref names one blob or tree, not %d", o.n_rest);
	if (r == 0)
		r = objects_open(&store, o.store, OBJECTS_ADD);
	for (int i = 0; r == 0 && i < o.n_rest; i++) {
		struct stat st;
		bool is_tree =
			o.tree || (stat(o.rest[i], &st) == 0 && S_ISDIR(st.st_mode));
		r = is_tree ? add_tree(&store, &o, o.rest[i], digest)
			    : add_file(&store, o.rest[i], digest);
		if (r == 0 && o.ref)
			r = objects_ref_set(&store, o.ref, digest);
		if (r == 0)
			print_digest(digest, o.rest[i]);
	}
	return r;
}

/* ---- get, checkout, refs ----------------------------------------------------------- */

/* Checked as a whole before the first byte goes out. */
static int get_to_stdout(const struct objects *store, const uint8_t *digest)
{
	AUTO_FILE copy = FILE_CLOSED;
	uint8_t piece[65536];
	size_t n = 1;
	int r = file_in_memory(&copy, "copy", span_of("", 0));
	if (r == 0)
		r = objects_copy(store, digest, &copy);
	for (uint64_t at = 0; r == 0 && n; at += n) {
		r = file_read_some(&copy, piece, sizeof piece, at, &n);
		if (r == 0 && n && fwrite(piece, 1, n, stdout) != n)
			r = error_errno("cannot write to standard output");
	}
	return r;
}

static int run_get(int argc, char **argv)
{
	struct store_options o = {0};
	AUTO_OBJECTS store = OBJECTS_CLOSED;
	AUTO_OUTPUT out = OUTPUT_CLOSED;
	uint8_t digest[OBJECTS_DIGEST];
	int r = parse(argc, argv, 1, 1, &o);
	if (r == 0)
		r = objects_open(&store, o.store, OBJECTS_READ);
	if (r == 0)
		r = find_digest(&store, o.rest[0], digest);
	if (r < 0 || !o.output)
		return r < 0 ? r : get_to_stdout(&store, digest);
	r = output_open(&out, o.output, 0644, o.force);
	if (r == 0)
		r = objects_copy(&store, digest, &out.file);
	return r < 0 ? r : output_commit(&out);
}

static int run_checkout(int argc, char **argv)
{
	struct store_options o = {0};
	AUTO_OBJECTS store = OBJECTS_CLOSED;
	uint8_t digest[OBJECTS_DIGEST];
	int r = parse(argc, argv, 2, 2, &o);
	if (r == 0)
		r = objects_open(&store, o.store, OBJECTS_READ);
	if (r == 0)
		r = find_digest(&store, o.rest[0], digest);
	return r < 0 ? r
		     : store_checkout(&store, digest, o.rest[1],
			       o.unprivileged ? STORE_CHECKOUT_UNPRIVILEGED
					      : STORE_CHECKOUT_ALL);
}

static int run_delete(int argc, char **argv)
{
	struct store_options o = {0};
	AUTO_OBJECTS store = OBJECTS_CLOSED;
	int r = parse(argc, argv, 1, 1, &o);
	if (r == 0)
		r = objects_open(&store, o.store, OBJECTS_ADD);
	return r < 0 ? r : objects_ref_delete(&store, o.rest[0]);
}

/* ---- list -------------------------------------------------------------------------- */

struct listing {
	json_object *blobs, *refs; /* NULL: as text */
};

static int list_blob(void *context, const uint8_t *digest)
{
	struct listing *l = context;
	char text[OBJECTS_DIGEST_TEXT];
	hex_encode(digest, OBJECTS_DIGEST, text);
	if (l->blobs)
		json_append(l->blobs, json_object_new_string(text));
	else
		printf("sha256:%s\n", text);
	return interrupt_check();
}

static int list_ref(void *context, const char *name, const uint8_t *digest)
{
	struct listing *l = context;
	char text[OBJECTS_DIGEST_TEXT];
	hex_encode(digest, OBJECTS_DIGEST, text);
	if (l->refs)
		json_add_text(l->refs, name, text);
	else
		printf("sha256:%s ref %s\n", text, name);
	return 0;
}

static int run_list(int argc, char **argv)
{
	struct store_options o = {0};
	AUTO_OBJECTS store = OBJECTS_CLOSED;
	struct listing l = {0};
	int r = parse(argc, argv, 0, 0, &o);
	if (r == 0)
		r = objects_open(&store, o.store, OBJECTS_READ);
	if (r < 0)
		return r;
	json_object *all = o.json ? json_object_new_object() : NULL;
	if (all) {
		l = (struct listing){json_object_new_array(), json_object_new_object()};
		json_add(all, "blobs", l.blobs);
		json_add(all, "refs", l.refs);
	}
	r = objects_list(&store, list_blob, &l);
	if (r == 0)
		r = objects_refs(&store, list_ref, &l);
	if (r == 0 && all)
		r = json_print(all);
	json_object_put(all);
	return r;
}

/* ---- verify, gc -------------------------------------------------------------------- */

struct verification {
	const struct objects *store;
	struct buffer digests;
	struct buffer found; /* one byte a blob: enum status */
};

static int note_blob(void *context, const uint8_t *digest)
{
	struct verification *v = context;
	return buffer_append(&v->digests, digest, OBJECTS_DIGEST);
}

static int verify_blob(void *context, unsigned worker, uint64_t item)
{
	struct verification *v = context;
	(void)worker;
	int r = objects_verify(v->store, v->digests.data + item * OBJECTS_DIGEST, 1);
	/* One that cannot be read says nothing of the others. */
	if (r != 0)
		v->found.data[item] = r > 0 ? STATUS_CONTENT : STATUS_FAILED;
	progress_add(1);
	return interrupt_check();
}

static int report(const struct verification *v, size_t n)
{
	size_t n_bad = 0, n_unread = 0;
	for (size_t i = 0; i < n; i++) {
		if (!v->found.data[i])
			continue;
		char text[OBJECTS_DIGEST_TEXT];
		bool is_bad = v->found.data[i] == STATUS_CONTENT;
		printf("%s sha256:%s\n", is_bad ? "BAD" : "UNREADABLE",
			hex_encode(v->digests.data + i * OBJECTS_DIGEST, OBJECTS_DIGEST,
				text));
		n_bad += is_bad;
		n_unread += !is_bad;
	}
	printf("%zu blobs, %zu bad", n, n_bad);
	printf(n_unread ? ", %zu unreadable\n" : "\n", n_unread);
	if (n_bad)
		return error_set(STATUS_CONTENT, EBADMSG,
			"%s: %zu of %zu blobs are not what their names say",
			v->store->name, n_bad, n);
	return n_unread ? error_set(STATUS_FAILED, EIO,
				  "%s: %zu of %zu blobs cannot be read", v->store->name,
				  n_unread, n)
			: 0;
}

static int run_verify(int argc, char **argv)
{
	struct store_options o = {0};
	AUTO_OBJECTS store = OBJECTS_CLOSED;
	struct verification v = {.store = &store};
	int r = parse(argc, argv, 0, 0, &o);
	if (r == 0)
		r = objects_open(&store, o.store, OBJECTS_READ);
	if (r == 0)
		r = objects_list(&store, note_blob, &v);
	size_t n = v.digests.size / OBJECTS_DIGEST;
	if (r == 0)
		r = buffer_append_zeros(&v.found, n + 1);
	progress_begin("verifying", n);
	if (r == 0)
		r = workers_run(o.jobs, n, verify_blob, &v);
	progress_end();
	if (r == 0)
		r = report(&v, n);
	buffer_free(&v.digests);
	buffer_free(&v.found);
	return r;
}

static int run_gc(int argc, char **argv)
{
	struct store_options o = {0};
	AUTO_OBJECTS store = OBJECTS_CLOSED;
	uint64_t n_kept, n_removed;
	int r = parse(argc, argv, 0, 0, &o);
	if (r == 0)
		r = objects_open(&store, o.store, OBJECTS_COLLECT);
	if (r == 0)
		r = store_collect(&store, o.dry_run, &n_kept, &n_removed);
	if (r == 0)
		printf("%ju blobs kept, %ju %s\n", (uintmax_t)n_kept,
			(uintmax_t)n_removed, o.dry_run ? "would be removed" : "removed");
	return r;
}

static const struct verb verb_add = {.name = "add", .run = run_add};
static const struct verb verb_get = {.name = "get", .run = run_get};
static const struct verb verb_list = {.name = "list", .run = run_list};
static const struct verb verb_check = {.name = "verify", .run = run_verify};
static const struct verb verb_gc = {.name = "gc", .run = run_gc};
static const struct verb verb_checkout = {.name = "checkout", .run = run_checkout};
static const struct verb verb_delete = {.name = "delete-ref", .run = run_delete};

static const struct verb *const subverbs[] = {&verb_add, &verb_get, &verb_list,
	&verb_check, &verb_gc, &verb_checkout, &verb_delete, NULL};

static int run(int argc, char **argv)
{
	return verb_run_sub(subverbs, argc, argv);
}

const struct verb verb_store = {
	.name = "store",
	.run = run,
	.summary = "blobs and trees in a directory, named by their fs-verity digests",
	.usage =
		"usage: cairn store add [--ref NAME] [--tree] [--jobs N] STORE PATH...\n"
		"       cairn store get [-o FILE [--force]] STORE DIGEST|REF\n"
		"       cairn store checkout [--unprivileged] STORE DIGEST|REF "
		"DIRECTORY\n"
		"       cairn store list [--json] STORE\n"
		"       cairn store verify [--jobs N] STORE\n"
		"       cairn store gc [--dry-run] STORE\n"
		"       cairn store delete-ref STORE REF\n"
		"\n"
		"The layout is objects/ab/cdef..., as composefs has it; fs-verity is "
		"enabled\n"
		"where the file system can. add takes files, and directories or (--tree) "
		"tar\n"
		"archives as trees, whose digest is that of the image of their names. "
		"get and\n"
		"checkout hand out only what was checked. gc keeps what the refs reach.\n"
		"\n"
		"  --ref NAME      let NAME stand for what is added\n"
		"  --tree          PATH is a tar archive of a tree\n"
		"  -o FILE         write there instead of to standard output\n"
		"  --force         replace FILE\n"
		"  --unprivileged  without owners, devices, trusted.* and security.* "
		"attributes\n"
		"  --dry-run       only count\n"
		"  --jobs N        threads, one per processor if not given\n"
		"  --quiet         no progress\n",
};
