/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>

#include "blobfs/check.h"
#include "blobfs/image.h"
#include "blobfs/tools/tool.h"
#include "core/json.h"
#include "core/progress.h"

const char tool_name[] = "fsck.blobfs";
const char tool_usage[] =
	"usage: fsck.blobfs [OPTION...] IMAGE\n\n"
	"Checks all of an image: superblock, index, trees, and every byte of every "
	"blob.\n"
	"Nothing is ever written: `cairn blob add --verify IMAGE FILE` heals a damaged "
	"blob.\n\n"
	"  -n, -a, -p, -y   accepted as other fsck programs have them; no effect\n"
	"  --all            name every bad block, not only the first of a blob\n"
	"  --no-data        do not read the blobs' bytes\n"
	"  --jobs N         threads\n"
	"  --json           what was found, as JSON\n"
	"  --quiet\n\n"
	"Status: 0 good, 3 a blob or page is not what its hash says, 5 malformed,\n"
	"7 a superblock cannot be read and may be the newer one.\n";

struct options {
	struct blobfs_check check;
	json_object *findings; /* NULL: as text */
	bool json;
};

static int parse_jobs(struct options *o)
{
	uint64_t n;
	int r = tool_size("--jobs", optarg, &n);
	if (r == 0 && n > 1024)
		return error_usage("--jobs %s: too many", optarg);
	o->check.jobs = r == 0 ? (unsigned)n : 0;
	return r;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'A'},
		{"no-data", no_argument, NULL, 'D'},
		{"jobs", required_argument, NULL, 'j'},
		{"json", no_argument, NULL, 'J'},
		{"quiet", no_argument, NULL, 'q'},
		{0},
	};
	int c, r = 0;
	opterr = 0;
	while (r == 0 && (c = getopt_long(argc, argv, "napy", options, NULL)) != -1) {
		if (c == 'A')
			o->check.all = true;
		else if (c == 'D')
			o->check.skip_data = true;
		else if (c == 'j')
			r = parse_jobs(o);
		else if (c == 'J')
			o->json = true;
		else if (c == 'q')
			progress_silence(true);
		else if (c == '?')
			r = tool_unknown_option(argv, optind - 1);
	}
	if (r == 0 && optind != argc - 1)
		r = error_usage("one image is needed; see fsck.blobfs --help");
	return r;
}

static void found(void *context, enum status status, const char *sentence)
{
	struct options *o = context;
	if (!o->json) {
		puts(sentence);
		return;
	}
	json_object *finding = json_object_new_object();
	json_add_number(finding, "status", status);
	json_add_text(finding, "finding", sentence);
	json_append(o->findings, finding);
}

static int print_json(struct options *o, const struct blobfs_store *s)
{
	json_object *report = json_object_new_object();
	json_add_text(report, "image", s->device->name);
	json_add_number(report, "generation", s->fs.generation);
	json_add_number(report, "blobs", o->check.n_blobs);
	json_add_number(report, "bytes", o->check.n_bytes);
	json_add_bool(report, "data_checked", !o->check.skip_data);
	json_add_number(report, "free_blocks", o->check.n_free);
	json_add_number(report, "lost_blocks", o->check.n_lost);
	json_add_number(report, "status", o->check.worst);
	json_add(report, "findings", o->findings);
	int r = json_print(report);
	json_object_put(report);
	return r;
}

static void print_summary(const struct blobfs_check *c, const struct blobfs_store *s)
{
	if (c->bad_super)
		progress_note(
			"superblock %c is torn, from a change that was interrupted; "
			"the next change repairs it",
			c->bad_super);
	progress_note("%s: generation %ju, %ju blobs with %ju bytes, %ju blocks free, "
		      "%ju for gc to find, %s",
		s->device->name, (uintmax_t)s->fs.generation, (uintmax_t)c->n_blobs,
		(uintmax_t)c->n_bytes, (uintmax_t)c->n_free, (uintmax_t)c->n_lost,
		c->n_findings ? "NOT GOOD" : "good");
}

int tool_run(int argc, char **argv)
{
	struct options o = {.check = {.found = found}};
	AUTO_BLOBFS_IMAGE image = {0};
	o.check.context = &o;
	int r = parse(argc, argv, &o);
	if (r == 0)
		r = blobfs_image_open(&image, argv[optind], false);
	if (r < 0)
		return r;
	if (o.json && !(o.findings = json_object_new_array()))
		return error_memory();
	progress_begin("checking", image.store.fs.used_end);
	r = blobfs_check(&o.check, &image.store);
	progress_end();
	if (r == 0 && o.json)
		r = print_json(&o, &image.store);
	else if (r == 0)
		print_summary(&o.check, &image.store);
	else
		json_object_put(o.findings);
	return r < 0 ? r : (int)o.check.worst;
}
