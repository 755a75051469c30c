/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/digests.h"
#include "core/hex.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/progress.h"

#define LIST_LIMIT ((size_t)1 << 30) /* bytes of a list of names */

struct digest_options {
	struct fsverity_params params;
	bool recursive;
	bool compact;
	bool zero;
	bool json;
	bool quiet;
	const char *files0_from;
	const char *check;
	uint64_t size; /* of what comes from standard input */
	bool size_given;
	unsigned jobs;
	char **paths;
	int n_paths;
};

static int take_salt(void *into, const char *text)
{
	struct fsverity_params *p = into;
	size_t length = strlen(text);
	if (length > 2 * FSVERITY_SALT_MAX)
		return error_format("a salt of %zu bytes; fs-verity has at most %d",
			length / 2, FSVERITY_SALT_MAX);
	if (length % 2 || hex_decode(text, p->salt, length / 2))
		return error_usage("--salt: '%s' is not bytes in hex", text);
	p->salt_size = length / 2;
	return 0;
}

static int take_algorithm(void *into, const char *name)
{
	return hash_by_name(name, into);
}

static int take_size(void *into, const char *text)
{
	struct digest_options *o = into;
	o->size_given = true;
	return argument_number("--size", text, 0, INT64_MAX, &o->size);
}

static int parse(struct digest_options *o, int argc, char **argv)
{
	*o = (struct digest_options){.params = FSVERITY_DEFAULTS};
	const struct argument table[] = {
		{.name = "hash-alg", .take = take_algorithm, .into = &o->params.alg},
		{.name = "block-size",
			.number = &o->params.block_size,
			.max = UINT32_MAX},
		{.name = "salt", .take = take_salt, .into = &o->params},
		{.name = "compact", .flag = &o->compact},
		{.name = "recursive", .letter = 'r', .flag = &o->recursive},
		{.name = "files0-from", .text = &o->files0_from},
		{.name = "check", .letter = 'c', .text = &o->check},
		{.name = "zero", .letter = 'z', .flag = &o->zero},
		{.name = "size", .take = take_size, .into = o},
		ARGUMENT_JOBS(&o->jobs),
		{.name = "json", .flag = &o->json},
		{.name = "quiet", .flag = &o->quiet},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	progress_silence(o->quiet);
	o->paths = argv + first;
	o->n_paths = argc - first;
	int sources = (o->n_paths > 0) + (o->files0_from != NULL) + (o->check != NULL);
	if (sources != 1)
		return error_usage("digest: %s; see cairn help digest",
			sources ? "files, --files0-from and --check exclude each other"
				: "which files?");
	return fsverity_check_params(&o->params);
}

static int slurp(const char *path, struct buffer *text)
{
	return strcmp(path, "-") ? file_slurp(path, LIST_LIMIT, text)
				 : file_slurp_fd(STDIN_FILENO, path, LIST_LIMIT, text);
}

/* Names that end with NUL each, as find -print0 writes them. */
static int add_from_list(const struct digest_options *o, struct digest_list *list)
{
	BUFFER names = {0};
	int r = slurp(o->files0_from, &names);
	for (size_t at = 0; r == 0 && at < names.size;) {
		const char *name = (const char *)names.data + at;
		at += strlen(name) + 1;
		r = o->recursive ? digest_list_walk(list, name)
				 : digest_list_add(list, name);
	}
	return r;
}

static int add_files(const struct digest_options *o, struct digest_list *list)
{
	int r = o->files0_from ? add_from_list(o, list) : 0;
	for (int i = 0; r == 0 && i < o->n_paths; i++)
		r = o->recursive ? digest_list_walk(list, o->paths[i])
				 : digest_list_add(list, o->paths[i]);
	return r;
}

static json_object *file_json(const struct digest_options *o, const struct digest_file *d)
{
	json_object *j = json_object_new_object();
	json_add_bytes(j, "path", span_of(d->path, strlen(d->path)));
	if (d->result < 0)
		json_add_text(j, "error", d->error ? d->error->text : "out of memory");
	else
		json_add_hex(
			j, hash_name(o->params.alg), d->digest, hash_size(o->params.alg));
	return j;
}

/* One line for each file; what could not be read is said on stderr. Returns the status.
 */
static int print_list(const struct digest_options *o, const struct digest_list *list)
{
	enum status status = STATUS_GOOD;
	char hex[2 * HASH_MAX_SIZE + 1];
	json_object *all = o->json ? json_object_new_array() : NULL;
	for (size_t i = 0; i < list->n_files; i++) {
		const struct digest_file *d = &list->files[i];
		if (d->result < 0) {
			fprintf(stderr, "cairn: %s\n",
				d->error ? d->error->text : d->path);
			status = status_worse(
				status, d->error ? d->error->status : STATUS_FAILED);
		}
		if (all)
			json_append(all, file_json(o, d));
		if (all || d->result < 0)
			continue;
		hex_encode(d->digest, hash_size(o->params.alg), hex);
		if (o->compact)
			printf("%s%c", hex, o->zero ? 0 : '\n');
		else
			printf("%s:%s %s%c", hash_name(o->params.alg), hex, d->path,
				o->zero ? 0 : '\n');
	}
	int r = all ? json_print(all) : 0;
	json_object_put(all);
	return r < 0 ? r : (int)status;
}

/* What --check read of a line. */
struct wanted {
	uint8_t digest[HASH_MAX_SIZE];
};

/* "ALGORITHM:HEX NAME"; the algorithm must be the one of the options. */
static int parse_line(const struct digest_options *o, char *line, size_t number,
	struct digest_list *list, struct wanted *wanted)
{
	const char *name = hash_name(o->params.alg);
	size_t prefix = strlen(name), hex = 2 * hash_size(o->params.alg);
	size_t length = strlen(line);
	if (length < prefix + 1 + hex + 2 || memcmp(line, name, prefix) ||
		line[prefix] != ':' || line[prefix + 1 + hex] != ' ')
		return error_format(
			"%s: line %zu is not '%s:' with %zu hex digits and a name",
			o->check, number, name, hex);
	line[prefix + 1 + hex] = 0;
	if (hex_decode(line + prefix + 1, wanted->digest, hex / 2))
		return error_format(
			"%s: line %zu has a digest that is not hex", o->check, number);
	return digest_list_add(list, line + prefix + 1 + hex + 1);
}

static int read_check_list(
	const struct digest_options *o, struct digest_list *list, struct wanted **wanted)
{
	BUFFER text = {0};
	int r = slurp(o->check, &text);
	if (r == 0 && text.size == 0)
		return error_format("%s: is empty", o->check);
	size_t capacity = 0, number = 0;
	for (size_t at = 0; r == 0 && at < text.size;) {
		char *line = (char *)text.data + at;
		char *end = memchr(line, o->zero ? 0 : '\n', text.size - at);
		if (end)
			*end = 0;
		at = end ? (size_t)(end + 1 - (char *)text.data) : text.size;
		if (number == capacity) {
			capacity = capacity ? 2 * capacity : 64;
			struct wanted *more =
				reallocarray(*wanted, capacity, sizeof *more);
			if (!more)
				return error_memory();
			*wanted = more;
		}
		r = parse_line(o, line, number + 1, list, &(*wanted)[number]);
		number++;
	}
	return r;
}

static int compare_list(const struct digest_options *o, const struct digest_list *list,
	const struct wanted *wanted)
{
	enum status status = STATUS_GOOD;
	size_t differ = 0, unread = 0;
	char end = o->zero ? 0 : '\n';
	for (size_t i = 0; i < list->n_files; i++) {
		const struct digest_file *d = &list->files[i];
		if (d->result < 0) {
			fprintf(stderr, "cairn: %s\n",
				d->error ? d->error->text : d->path);
			printf("%s: FAILED open or read%c", d->path, end);
			status = status_worse(status, STATUS_UNCHECKED);
			unread++;
		} else if (memcmp(d->digest, wanted[i].digest,
				   hash_size(o->params.alg))) {
			printf("%s: FAILED%c", d->path, end);
			status = status_worse(status, STATUS_CONTENT);
			differ++;
		} else if (!o->quiet)
			printf("%s: OK%c", d->path, end);
	}
	if (status == STATUS_GOOD)
		return 0;
	return error_set(status, 0,
		"%s: of %zu files %zu differ and %zu could not be read", o->check,
		list->n_files, differ, unread);
}

static int run_check(const struct digest_options *o)
{
	AUTO_DIGEST_LIST list = {0};
	struct wanted *wanted = NULL;
	int r = read_check_list(o, &list, &wanted);
	if (r == 0)
		r = digest_list_run(&list, &o->params, o->jobs);
	if (r == 0)
		r = compare_list(o, &list, wanted);
	free(wanted);
	return r;
}

/* Standard input of a size that is known beforehand, since the digest begins with it. */
static int run_stdin(const struct digest_options *o)
{
	AUTO_FILE f = FILE_CLOSED;
	struct merkle_data data = {&f, 0, o->size};
	AUTO_DIGEST_LIST list = {0};
	int r = digest_list_add(&list, "-");
	if (r == 0)
		r = file_from_fd(&f, dup(STDIN_FILENO), "standard input");
	/* Of a file, not of a pipe, it is known that it goes on. */
	if (r == 0 && f.size > o->size)
		r = error_format(
			"%s: goes on after its %ju bytes", f.name, (uintmax_t)o->size);
	if (r == 0)
		r = fsverity_digest_file(
			&o->params, &data, o->jobs, list.files[0].digest);
	return r < 0 ? r : print_list(o, &list);
}

static int run(int argc, char **argv)
{
	struct digest_options o;
	int r = parse(&o, argc, argv);
	if (r < 0)
		return r;
	interrupt_catch();
	if (o.check)
		return run_check(&o);
	if (o.size_given) {
		if (o.n_paths != 1 || strcmp(o.paths[0], "-"))
			return error_usage("digest: --size is for '-' alone");
		return run_stdin(&o);
	}
	AUTO_DIGEST_LIST list = {0};
	r = add_files(&o, &list);
	if (r == 0)
		r = digest_list_run(&list, &o.params, o.jobs);
	return r < 0 ? r : print_list(&o, &list);
}

const struct verb verb_digest = {
	.name = "digest",
	.run = run,
	.summary = "fs-verity digests of files",
	.usage =
		"usage: cairn digest [OPTION...] FILE...\n"
		"       cairn digest [OPTION...] --files0-from=LIST\n"
		"       cairn digest [OPTION...] --check=LIST\n"
		"       cairn digest [OPTION...] --size=BYTES -\n"
		"\n"
		"Prints ALGORITHM:DIGEST FILE as fsverity digest does, in the order "
		"given.\n"
		"\n"
		"      --hash-alg=sha256   or sha512\n"
		"      --block-size=4096   512 to 65536\n"
		"      --salt=HEX          at most 32 bytes\n"
		"  -r, --recursive         all regular files below directories, sorted "
		"by name\n"
		"      --files0-from=LIST  names that end with NUL; - is standard input\n"
		"  -c, --check=LIST        compares files with lines that were printed "
		"before;\n"
		"                          status 3 if one differs, 7 if one cannot be "
		"read\n"
		"  -z, --zero              lines end with NUL instead of a newline\n"
		"      --compact           only the digests\n"
		"      --size=BYTES        of standard input, which may be a pipe\n"
		"      --jobs=N            threads; else one per processor\n"
		"      --json              the result as JSON\n"
		"      --quiet             no progress, and nothing of files that "
		"--check finds good\n",
};
