/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/uki.h"
#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/confine.h"
#include "core/progress.h"
#include "verifier/inspect.h"

static const char *text_of(json_object *o, const char *key)
{
	json_object *value;
	if (!json_object_object_get_ex(o, key, &value) || !value)
		return "-";
	return json_object_get_string(value);
}

static uint64_t number_of(json_object *o, const char *key)
{
	json_object *value;
	return json_object_object_get_ex(o, key, &value) ? json_object_get_uint64(value)
							 : 0;
}

static json_object *child_of(json_object *o, const char *key)
{
	json_object *value;
	return json_object_object_get_ex(o, key, &value) ? value : NULL;
}

/* What comes from the image must not drive the terminal. */
static void print_safely(const char *text)
{
	char *safe = strdup(text);
	if (safe) {
		error_defuse(safe);
		fputs(safe, stdout);
	}
	free(safe);
}

/* The members of O that are plain values, one per line. */
static void print_members(json_object *o, const char *indent)
{
	json_object_object_foreach(o, key, value)
	{
		if (!value || json_object_is_type(value, json_type_object) ||
			json_object_is_type(value, json_type_array))
			continue;
		printf("%s%-22s ", indent, key);
		print_safely(json_object_get_string(value));
		putchar('\n');
	}
}

static void print_program(json_object *file)
{
	json_object *sections = child_of(file, "sections");
	json_object *release = child_of(file, "osRelease");
	print_members(file, "      ");
	if (release)
		print_members(release, "        ");
	for (size_t i = 0; sections && i < json_object_array_length(sections); i++) {
		json_object *s = json_object_array_get_idx(sections, i);
		printf("        section %12" PRIu64 " bytes at %10" PRIu64 "  ",
			number_of(s, "size"), number_of(s, "offset"));
		print_safely(text_of(s, "name"));
		putchar('\n');
	}
}

static void print_esp(json_object *esp)
{
	json_object *files = child_of(esp, "files");
	print_members(esp, "    ");
	for (size_t i = 0; files && i < json_object_array_length(files); i++) {
		json_object *file = json_object_array_get_idx(files, i);
		printf("    /");
		print_safely(text_of(file, "path"));
		printf(", %" PRIu64 " bytes\n", number_of(file, "size"));
		if (child_of(file, "sections") || child_of(file, "fault"))
			print_program(file);
	}
}

static void print_contents(json_object *p)
{
	static const char *const keys[] = {"fileSystem", "verity", "signature"};
	json_object *esp = child_of(p, "esp");
	printf("\npartition %" PRIu64 ", %s:\n", number_of(p, "number"),
		strcmp(text_of(p, "type"), "-") ? text_of(p, "type")
						: text_of(p, "typeUuid"));
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (child_of(p, keys[i]))
			print_members(child_of(p, keys[i]), "    ");
	if (esp)
		print_esp(esp);
}

static void print_table(json_object *partitions)
{
	printf("\n%-3s %-28s %12s %14s  %-36s  %s\n", "#", "type", "offset", "size",
		"uuid", "name");
	for (size_t i = 0; i < json_object_array_length(partitions); i++) {
		json_object *p = json_object_array_get_idx(partitions, i);
		printf("%-3" PRIu64 " %-28s %12" PRIu64 " %14" PRIu64 "  %s  %s\n",
			number_of(p, "number"), text_of(p, "type"),
			number_of(p, "offset"), number_of(p, "size"), text_of(p, "uuid"),
			text_of(p, "name"));
	}
}

static void print_document(json_object *document)
{
	json_object *sets = child_of(document, "sets");
	json_object *faults = child_of(document, "tableFaults");
	json_object *partitions = child_of(document, "partitions");
	print_members(document, "");
	for (size_t i = 0; i < json_object_array_length(faults); i++) {
		json_object *f = json_object_array_get_idx(faults, i);
		printf("FAULT in the %s: %s\n", text_of(f, "area"), text_of(f, "fault"));
	}
	for (size_t i = 0; i < json_object_array_length(sets); i++) {
		json_object *s = json_object_array_get_idx(sets, i);
		printf("%s root hash (%s) %s\n", text_of(s, "part"),
			text_of(s, "architecture"), text_of(s, "rootHash"));
	}
	print_table(partitions);
	for (size_t i = 0; i < json_object_array_length(partitions); i++)
		print_contents(json_object_array_get_idx(partitions, i));
}

static int inspect(const char *path, bool json)
{
	AUTO_FILE f = FILE_CLOSED;
	json_object *document = NULL;
	const struct inspect_options o = {.pcr11 = uki_pcr11};
	int r = file_open_image(&f, path, O_RDONLY);
	if (r == 0)
		r = confine();
	if (r == 0)
		r = inspect_image(&f, &o, &document);
	if (r == 0 && json)
		r = json_print(document);
	else if (r == 0)
		print_document(document);
	json_object_put(document);
	return r;
}

static int run(int argc, char **argv)
{
	bool json = false, quiet = false;
	const struct argument table[] = {
		{.name = "json", .flag = &json},
		{.name = "quiet", .flag = &quiet},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	if (first + 1 != argc)
		return error_usage("inspect: needs one IMAGE; see cairn help inspect");
	progress_silence(quiet);
	return inspect(argv[first], json);
}

const struct verb verb_inspect = {
	.name = "inspect",
	.run = run,
	.summary = "what is inside an image",
	.usage = "usage: cairn inspect [--json] IMAGE\n"
		 "\n"
		 "Shows what a disk image says it is: partitions, file systems, verity "
		 "parameters,\n"
		 "root hash, signature, and of each EFI program its sections, its "
		 "command line, its\n"
		 "os-release, the kernel's version and the value PCR 11 will have. "
		 "Nothing of it\n"
		 "is verified: that is cairn verify.\n"
		 "\n"
		 "  --json    as JSON (docs/verify-json.md)\n"
		 "  --quiet   accepted, as by every verb\n",
};
