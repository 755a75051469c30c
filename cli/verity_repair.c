/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/verity_options.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/output.h"
#include "core/progress.h"
#include "core/verity_format.h"
#include "core/verity_in_place.h"

enum copy { COPY_HASH, COPY_DATA, N_COPIES };

/* DATA and HASH as they are, the parity, and the copies that are worked on. */
struct files {
	struct file data, hash, parity;
	struct output copies[N_COPIES];
	bool one; /* data and hash are the same file */
};

static void files_close(struct files *f)
{
	file_close(&f->data);
	file_close(&f->hash);
	file_close(&f->parity);
	for (int i = 0; i < N_COPIES; i++)
		output_close(&f->copies[i]);
}

static int check_options(const struct verity_options *o)
{
	if (o->undo && (o->fec_device || o->output || o->in_place || o->backup))
		return error_usage("verity repair: --undo goes with no other option");
	if (o->undo)
		return 0;
	if (!o->fec_device)
		return error_usage("verity repair: --fec-device is wanted");
	if ((o->output != NULL) == o->in_place)
		return error_usage(
			"verity repair: either --output or --in-place is wanted");
	if (o->output_hash && o->in_place)
		return error_usage("verity repair: --output-hash goes with --output");
	if (o->backup && !o->in_place)
		return error_usage("verity repair: --backup goes with --in-place");
	return 0;
}

/* Holes stay holes; what cannot be read becomes one, to be mended like other damage. */
static int copy_contents(const struct file *from, struct file *to)
{
	if (ftruncate(to->fd, (off_t)from->size) < 0)
		return error_errno("%s: cannot set its size", to->name);
	to->size = from->size;
	return file_copy_salvaged(from, to, from->size);
}

/* A copy that will be put in place of FROM, or at PATH. */
static int make_copy(const struct verity_options *o, const struct file *from,
	const char *path, struct output *copy)
{
	struct stat st;
	if (o->in_place && from->is_device)
		return error_usage("%s: is a device: --backup must say which file gets "
				   "what is overwritten",
			from->name);
	if (fstat(from->fd, &st) < 0)
		return error_errno("%s: cannot stat", from->name);
	int r = output_open(
		copy, path, o->in_place ? 0600 : 0666, o->in_place || o->force);
	if (r == 0 && o->in_place &&
		(fchown(copy->file.fd, st.st_uid, st.st_gid) < 0 ||
			fchmod(copy->file.fd, st.st_mode & 07777) < 0))
		r = error_errno("%s: cannot keep owner and mode", path);
	return r < 0 ? r : copy_contents(from, &copy->file);
}

static int make_copies(const struct verity_options *o, struct files *f)
{
	f->one = file_is_same(&f->data, &f->hash);
	if (f->one && o->output_hash)
		return error_usage(
			"verity repair: data and hash area are one file, so is the "
			"output");
	int r = make_copy(o, &f->data, o->in_place ? o->arguments[0] : o->output,
		&f->copies[COPY_DATA]);
	if (r < 0 || f->one)
		return r;
	const char *path = o->in_place ? o->arguments[1] : o->output_hash;
	if (path)
		return make_copy(o, &f->hash, path, &f->copies[COPY_HASH]);
	/* Nobody asked for it, but its repair is what the data's goes by. */
	r = file_scratch(&f->copies[COPY_HASH].file, o->output);
	if (r == 0)
		r = copy_contents(&f->hash, &f->copies[COPY_HASH].file);
	return r;
}

static int commit(const struct verity_options *o, struct files *f,
	const struct verity_repair *repair)
{
	if (repair->repaired_tree && !f->one && !f->copies[COPY_HASH].path)
		return error_usage("%s: is damaged too; say with --output-hash where the "
				   "repaired one goes",
			o->arguments[1]);
	/* In place, what was good already is not touched. */
	if (o->in_place && !repair->repaired_tree)
		output_close(&f->copies[COPY_HASH]);
	if (o->in_place && !repair->repaired_data && !(f->one && repair->repaired_tree))
		output_close(&f->copies[COPY_DATA]);
	int r = interrupt_check();
	return r < 0 ? r : output_commit_all(f->copies, N_COPIES);
}

static int report(const struct verity_options *o, const struct verity_repair *repair)
{
	if (!o->json) {
		printf("repaired data blocks: \t%ju\n", (uintmax_t)repair->repaired_data);
		printf("repaired tree blocks: \t%ju\n", (uintmax_t)repair->repaired_tree);
		return 0;
	}
	json_object *j = json_object_new_object();
	json_add_number(j, "repairedDataBlocks", repair->repaired_data);
	json_add_number(j, "repairedTreeBlocks", repair->repaired_tree);
	int r = json_print(j);
	json_object_put(j);
	return r;
}

/* In copies, which then take the place of the originals or go where they are wanted. */
static int repair_copies(
	const struct verity_options *o, struct files *f, struct verity_repair *repair)
{
	struct fec fec = *repair->fec;
	int r = make_copies(o, f);
	if (r < 0)
		return r;
	repair->data = &f->copies[COPY_DATA].file;
	repair->hash = f->one ? &f->copies[COPY_DATA].file : &f->copies[COPY_HASH].file;
	for (size_t i = 0; i < fec.n_parts; i++)
		fec.parts[i].file =
			fec.parts[i].file == &f->data ? repair->data : repair->hash;
	repair->fec = &fec;
	r = verity_repair(repair);
	return r < 0 ? r : commit(o, f, repair);
}

static int repair_in_place(const struct verity_options *o, struct verity_repair *repair)
{
	struct verity_targets targets;
	int r = verity_targets_open(&targets, o->arguments[0], o->arguments[1]);
	if (r == 0)
		r = verity_repair_in_place(repair, &targets, o->backup);
	verity_targets_close(&targets);
	if (r == 0 && (repair->repaired_data || repair->repaired_tree))
		progress_note("what was overwritten is in %s", o->backup);
	return r;
}

static int repair_files(
	const struct verity_options *o, struct files *f, uint64_t tree_offset)
{
	uint8_t root[HASH_MAX_SIZE];
	struct fec fec;
	/* The parity's extent follows from the originals: copies may be of other kinds.
	 */
	int r = verity_options_root(o, root);
	if (r == 0)
		r = verity_fec_of(&o->params, o->fec_roots, &f->data, &f->hash,
			tree_offset, &f->parity, o->fec_offset, &fec);
	if (r < 0)
		return r;
	struct verity_repair repair = {
		.name = o->arguments[0],
		.params = &o->params,
		.data = &f->data,
		.hash = &f->hash,
		.tree_offset = tree_offset,
		.root = root,
		.fec = &fec,
		.parity = &f->parity,
		.fec_offset = o->fec_offset,
		.jobs = o->jobs,
	};
	r = o->backup ? repair_in_place(o, &repair) : repair_copies(o, f, &repair);
	return r < 0 ? r : report(o, &repair);
}

static int run_undo(const struct verity_options *o)
{
	struct verity_targets targets;
	uint64_t n = 0;
	int r = verity_targets_open(&targets, o->arguments[0], o->arguments[1]);
	if (r == 0)
		r = verity_undo(&targets, o->undo, &n);
	verity_targets_close(&targets);
	if (r < 0)
		return r;
	if (!o->json) {
		printf("blocks put back: \t%ju\n", (uintmax_t)n);
		return 0;
	}
	json_object *j = json_object_new_object();
	json_add_number(j, "blocksPutBack", n);
	r = json_print(j);
	json_object_put(j);
	return r;
}

static int run(int argc, char **argv)
{
	struct verity_options o;
	struct files f = {FILE_CLOSED, FILE_CLOSED, FILE_CLOSED,
		{OUTPUT_CLOSED, OUTPUT_CLOSED}, false};
	uint64_t tree_offset;
	int r = verity_options_parse(&o, argc, argv, 2, 3);
	if (r == 0)
		r = check_options(&o);
	if (r < 0)
		return r;
	if (o.undo)
		return run_undo(&o);
	interrupt_catch();
	r = file_open_image(&f.data, o.arguments[0], O_RDONLY);
	if (r == 0)
		r = verity_options_hash(&o, &f.data, &f.hash, &tree_offset);
	if (r == 0)
		r = file_open_image(&f.parity, o.fec_device, O_RDONLY);
	if (r == 0)
		r = repair_files(&o, &f, tree_offset);
	files_close(&f);
	return r;
}

const struct verb verity_verb_repair = {.name = "repair", .run = run};
