/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "blobfs/convert.h"
#include "blobfs/image.h"
#include "blobfs/import.h"
#include "blobfs/tools/tool.h"
#include "core/hex.h"
#include "core/interrupt.h"
#include "core/output.h"
#include "core/progress.h"
#include "core/zeros.h"

const char tool_name[] = "mkfs.blobfs";
const char tool_usage[] =
	"usage: mkfs.blobfs [OPTION...] IMAGE [FILE...]\n\n"
	"Makes a blobfs image of the contents of the files. Without --size an image in\n"
	"a file grows as blobs are added.\n\n"
	"  --size SIZE      of the image, in bytes or with K, M, G, T\n"
	"  --from-dir TREE  all regular files below TREE as well\n"
	"  --from-store DIR all blobs and refs of a directory store as well\n"
	"  --uuid UUID      else it is made from the digests\n"
	"  --digests        print `sha256:DIGEST NAME` for each file\n"
	"  --jobs N         threads\n"
	"  --force          replace what is there\n"
	"  --quiet\n";

struct options {
	struct blobfs_format format;
	const char *from_dir;
	const char *from_store;
	bool digests;
	bool force;
	unsigned jobs;
	const char *path;
	char **files;
	int n_files;
};

static int parse_option(int c, struct options *o, char **argv)
{
	uint64_t n;
	int r = 0;
	switch (c) {
	case 's':
		return tool_size("--size", optarg, &o->format.size);
	case 'd':
		o->from_dir = optarg;
		return 0;
	case 'S':
		o->from_store = optarg;
		return 0;
	case 'u':
		return uuid_decode(optarg, o->format.uuid) < 0
			       ? error_usage("--uuid %s: is no UUID", optarg)
			       : 0;
	case 'D':
		o->digests = true;
		return 0;
	case 'j':
		r = tool_size("--jobs", optarg, &n);
		if (r == 0 && n > 1024)
			return error_usage("--jobs %s: too many", optarg);
		o->jobs = r == 0 ? (unsigned)n : 0;
		return r;
	case 'f':
		o->force = true;
		return 0;
	case 'q':
		progress_silence(true);
		return 0;
	default:
		return tool_unknown_option(argv, optind - 1);
	}
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"size", required_argument, NULL, 's'},
		{"from-dir", required_argument, NULL, 'd'},
		{"from-store", required_argument, NULL, 'S'},
		{"uuid", required_argument, NULL, 'u'},
		{"digests", no_argument, NULL, 'D'},
		{"jobs", required_argument, NULL, 'j'},
		{"force", no_argument, NULL, 'f'},
		{"quiet", no_argument, NULL, 'q'},
		{0},
	};
	int c, r = 0;
	opterr = 0;
	while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1)
		r = parse_option(c, o, argv);
	if (r == 0 && optind == argc)
		r = error_usage("which image? See mkfs.blobfs --help");
	if (r < 0)
		return r;
	o->path = argv[optind];
	o->files = argv + optind + 1;
	o->n_files = argc - optind - 1;
	return 0;
}

static int print_digest(void *context, const char *name,
	const uint8_t digest[BLOBFS_DIGEST_SIZE], uint64_t size)
{
	char text[BLOBFS_DIGEST_TEXT];
	const struct options *o = context;
	(void)size;
	if (o->digests)
		printf("%s %s\n", blobfs_digest_text(digest, text), name);
	return 0;
}

static int fill_from_store(const struct options *o, struct blobfs_store *s)
{
	AUTO_OBJECTS objects = OBJECTS_CLOSED;
	int r = objects_open(&objects, o->from_store, OBJECTS_READ);
	return r < 0 ? r : blobfs_from_objects(s, &objects, o->jobs);
}

static int fill(const struct options *o, struct blobfs_store *s)
{
	struct blobfs_import import;
	struct blobfs_add_result result = {(void *)o, print_digest};
	int r = blobfs_import_start(&import, s, o->jobs, &result);
	for (int i = 0; i < o->n_files && r == 0; i++)
		r = blobfs_import_file(&import, o->files[i]);
	if (r == 0 && o->from_dir)
		r = blobfs_import_dir(&import, o->from_dir);
	if (r == 0)
		r = blobfs_import_finish(&import);
	blobfs_import_stop(&import);
	if (r == 0 && o->from_store)
		r = fill_from_store(o, s);
	size_t n_blobs = s->pending.n_entries;
	if (r == 0)
		r = blobfs_store_commit(s);
	if (r == 0)
		progress_note("%s: %zu blobs, %ju of %ju bytes used", s->device->name,
			n_blobs, (uintmax_t)s->fs.used_end, (uintmax_t)s->fs.device_size);
	return r;
}

/* A new file appears, flushed, when it is whole: before that no order matters. */
static int flush_later(void *context)
{
	(void)context;
	return 0;
}

#define EARLY ((uint64_t)8 << 20)

/* Has the disk begin with what is there of the file, while the rest is being hashed. */
static int write_early(void *context, uint64_t offset, const void *data, size_t size)
{
	const struct file *f = context;
	int r = file_write(f, data, size, offset);
	uint64_t end = (offset + size) & ~(EARLY - 1), start = offset & ~(EARLY - 1);
	if (r == 0 && end > start)
		file_flush_early(f, start, end - start);
	return r;
}

static int make_on(const struct options *o, const struct file *f)
{
	struct blobfs_device device;
	struct blobfs_store store = {0};
	struct blobfs_format format = o->format;
	int r = blobfs_device_on_file(&device, f);
	if (r == 0 && f->is_device) {
		if (format.size > f->size)
			r = error_usage(
				"%s: has only %ju bytes", o->path, (uintmax_t)f->size);
		format.size = format.size ? format.size : f->size;
	} else if (r == 0) {
		device.write = write_early;
		device.flush = flush_later;
	}
	if (r == 0)
		r = blobfs_store_format(&store, &device, &format);
	if (r == 0)
		r = fill(o, &store);
	blobfs_store_close(&store);
	blobfs_device_close(&device);
	return r;
}

/* Something that is not only zeros is not overwritten unasked. */
static int refuse_used(const struct file *f)
{
	uint8_t start[65536];
	size_t n;
	int r = file_read_some(f, start, sizeof start, 0, &n);
	if (r == 0 && !is_zeros(span_of(start, n)))
		r = error_set(STATUS_FAILED, EEXIST,
			"%s: is not empty; --force overwrites it", f->name);
	return r;
}

static int make_on_device(const struct options *o)
{
	AUTO_FILE f = FILE_CLOSED;
	int r = file_open_image(&f, o->path, O_RDWR | O_EXCL);
	if (r == 0)
		r = file_lock(&f, LOCK_EX, BLOBFS_LOCK_MS);
	if (r == 0)
		r = blobfs_lock_writer(&f, BLOBFS_LOCK_MS);
	if (r == 0 && !o->force)
		r = refuse_used(&f);
	return r < 0 ? r : make_on(o, &f);
}

static bool is_device(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

int tool_run(int argc, char **argv)
{
	struct options o = {0};
	int r = parse(argc, argv, &o);
	if (r < 0)
		return r;
	/* An output that has a name meanwhile must not stay. */
	interrupt_catch();
	if (is_device(o.path))
		return make_on_device(&o);
	AUTO_OUTPUT out = OUTPUT_CLOSED;
	r = output_open(&out, o.path, 0666, o.force);
	if (r == 0)
		r = make_on(&o, &out.file);
	return r < 0 ? r : output_commit(&out);
}
