/* SPDX-License-Identifier: MIT */
#include "core/verity_in_place.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/verity_format.h"

#define LOCK_MS 10000

struct in_place {
	const struct verity_repair *repair;
	struct undo undo;
};

static const struct file *hash_of(const struct verity_targets *t)
{
	return t->hash.fd >= 0 ? &t->hash : &t->data;
}

static int open_target(struct file *f, const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return error_errno("%s: cannot open", path);
	/* O_EXCL on a block device fails while it, or a partition of it, is in use. */
	int r = file_open_image(f, path, O_RDWR | (S_ISBLK(st.st_mode) ? O_EXCL : 0));
	if (r == -EBUSY)
		return error_set(STATUS_TIMEOUT, EBUSY,
			"%s: is in use: mounted, or part of something that is", path);
	return r < 0 ? r : file_lock(f, LOCK_EX, LOCK_MS);
}

int verity_targets_open(
	struct verity_targets *t, const char *data_path, const char *hash_path)
{
	struct stat a, b;
	*t = VERITY_TARGETS_CLOSED;
	if (stat(data_path, &a) < 0 || stat(hash_path, &b) < 0)
		return error_errno("%s, %s: cannot open", data_path, hash_path);
	bool one = S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode)
			   ? a.st_rdev == b.st_rdev
			   : a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	int r = open_target(&t->data, data_path);
	if (r == 0 && !one)
		r = open_target(&t->hash, hash_path);
	if (r < 0)
		verity_targets_close(t);
	return r;
}

void verity_targets_close(struct verity_targets *t)
{
	file_close(&t->data);
	file_close(&t->hash);
}

/* Called before any of these covered blocks is written. */
static int save(void *context, const uint64_t *blocks, size_t n)
{
	struct in_place *p = context;
	const struct verity_repair *v = p->repair;
	size_t size = v->fec->block_size;
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		bool is_data = blocks[i] < v->params->data_blocks;
		uint64_t number =
			is_data ? blocks[i] : blocks[i] - v->params->data_blocks;
		const struct file *f = is_data ? v->data : v->hash;
		r = undo_save(&p->undo, f == v->data ? 0 : 1, f,
			(is_data ? 0 : v->tree_offset) + number * size, size);
	}
	return r < 0 ? r : undo_flush(&p->undo);
}

/* The failure that led here is the one to report, unless this fails too. */
static int go_back(struct in_place *p, const struct file *const targets[UNDO_TARGETS])
{
	struct error_record why;
	uint64_t n;
	error_take(&why);
	int r = undo_apply(&p->undo.output.file, targets, &n);
	if (r < 0)
		return error_set(STATUS_FAILED, EIO,
			"%s: could neither be repaired nor put back as it was (%s); "
			"what it was is in %s",
			targets[0]->name, error_text(), p->undo.output.path);
	error_put(&why);
	return undo_discard(&p->undo);
}

static int flush(const struct file *const targets[UNDO_TARGETS])
{
	for (unsigned i = 0; i < UNDO_TARGETS; i++)
		if (targets[i] && fsync(targets[i]->fd) < 0)
			return error_errno("%s: cannot flush", targets[i]->name);
	return 0;
}

static int repair_or_go_back(struct in_place *p, struct verity_repair *repair,
	const struct file *const targets[UNDO_TARGETS])
{
	int r = verity_repair(repair);
	if (r == 0)
		r = flush(targets);
	if (r == 0)
		return p->undo.n_blocks ? 0 : undo_discard(&p->undo);
	int back = go_back(p, targets);
	return back < 0 ? back : r;
}

int verity_repair_in_place(
	struct verity_repair *repair, const struct verity_targets *t, const char *backup)
{
	const struct file *hash = hash_of(t);
	const struct file *targets[UNDO_TARGETS] = {
		&t->data, hash == &t->data ? NULL : hash};
	struct fec fec = *repair->fec;
	struct in_place p = {.repair = repair};
	for (size_t i = 0; i < fec.n_parts; i++)
		fec.parts[i].file = fec.parts[i].file == repair->data ? &t->data : hash;
	repair->data = &t->data;
	repair->hash = hash;
	repair->fec = &fec;
	repair->before_write = save;
	repair->context = &p;
	int r = undo_create(&p.undo, backup, targets);
	if (r == 0)
		r = repair_or_go_back(&p, repair, targets);
	repair->fec = NULL;
	undo_close(&p.undo);
	return r;
}

int verity_undo(const struct verity_targets *t, const char *backup, uint64_t *n)
{
	const struct file *targets[UNDO_TARGETS] = {
		&t->data, t->hash.fd >= 0 ? &t->hash : NULL};
	AUTO_FILE from = FILE_CLOSED;
	int r = file_open(&from, backup);
	return r < 0 ? r : undo_apply(&from, targets, n);
}
