/* SPDX-License-Identifier: MIT */
#include "verifier/examine/exhibit.h"

#include <string.h>

#include "core/progress.h"
#include "verifier/examine/events.h"
#include "verifier/examine/pass.h"

/* Larger files get larger blocks: their digests lie in memory. */
#define LARGE_FILE (UINT64_C(16) << 30)

/* How many places of changed blocks a report lists. */
#define RANGES_SHOWN 100

bool exhibit_is_open(const struct exhibit *x)
{
	return x->evidence.record && x->evidence.file.fd >= 0;
}

void exhibit_close(struct exhibit *x)
{
	memory_free(&x->leaves);
	memory_free(&x->copy);
	evidence_close(&x->evidence);
}

/* ---- before: hash, and make the block digests ----------------------------------------
 */

static uint32_t block_size_for(uint64_t size)
{
	return size > LARGE_FILE ? PASS_BLOCK_MAX : PASS_BLOCK_MIN;
}

static bool shall_copy(const struct exhibit *x, const struct examine_options *o)
{
	uint64_t size = x->part.size;
	if (o->no_hash_before || x->only_hashed)
		return false;
	return o->seal || (size <= o->seal_limit && size < memory_room() / 4);
}

static int make_memory(
	struct exhibit *x, const struct examine_options *o, struct pass *pass)
{
	uint64_t size =
		pass_blocks(x->evidence.file.size, pass->block_size) * PASS_DIGEST;
	if (x->only_hashed)
		return 0;
	int r = memory_make(&x->leaves, "cairn-digests", size);
	pass->leaves = &x->leaves;
	x->evidence.record->first.block_size = pass->block_size;
	if (r < 0 || !shall_copy(x, o))
		return r;
	pass->copy = &x->copy;
	pass->copy_offset = x->part.offset;
	return memory_make(&x->copy, "cairn-copy", x->part.size);
}

int exhibit_first_pass(struct exhibit *x, const struct examine_options *o,
	const struct exhibit_tick *tick)
{
	const struct evidence *v = &x->evidence;
	struct pass pass = {.file = &v->file,
		.digests = &v->record->first,
		.interop = o->interop || x->interop,
		.piece_size = o->piece_size,
		.block_size = block_size_for(v->file.size),
		.tick = tick->run,
		.context = tick->context};
	int r = make_memory(x, o, &pass);
	if (r < 0 || o->no_hash_before)
		return r;
	progress_begin("hashing", v->file.size);
	r = pass_run(&pass);
	progress_end();
	if (r == 0 && pass.leaves)
		r = memory_seal(&x->leaves);
	return r == 0 && pass.copy ? memory_seal(&x->copy) : r;
}

/* ---- after: hash again, and compare --------------------------------------------------
 */

static void report_changed_blocks(
	const struct evidence *v, struct ranges *changed, struct report *report)
{
	struct place place = evidence_place(v);
	uint32_t block_size = v->record->first.block_size;
	ranges_sort(changed);
	for (size_t n = 0; n < changed->n_items && n < RANGES_SHOWN; n++) {
		place.block = changed->items[n].first;
		place.n_blocks = changed->items[n].count;
		place.offset = place.block * block_size;
		place.size = place.n_blocks * block_size;
		report_fault(report, STATUS_CHANGED, "hash", &place,
			"is not what it was in the beginning");
	}
	place = evidence_place(v);
	if (changed->n_items > RANGES_SHOWN)
		report_fault(report, STATUS_CHANGED, "hash", &place,
			"%ju blocks are not what they were in the beginning; the first "
			"%d places are listed",
			(uintmax_t)changed->blocks, RANGES_SHOWN);
}

static void compare_digests(
	const struct evidence *v, struct ranges *changed, struct report *report)
{
	const struct examined_file *f = v->record;
	const struct place place = evidence_place(v);
	if (changed->blocks)
		report_changed_blocks(v, changed, report);
	else if (!f->first.done)
		report_uncovered(report, "hash", &place,
			"was not hashed before, as asked: only what was read is known to "
			"be as it was");
	else if (memcmp(f->first.sha256, f->last.sha256, 32) != 0)
		report_fault(report, STATUS_CHANGED, "hash", &place,
			"has another SHA-256 than in the beginning");
	else
		report_good(report, "hash", &place,
			"has the SHA-256 it had in the beginning");
}

void exhibit_last_pass(struct exhibit *x, const struct examine_options *o,
	const struct exhibit_tick *tick, struct report *report)
{
	struct evidence *v = &x->evidence;
	const struct place place = evidence_place(v);
	struct file_state state;
	struct file now = v->file;
	if (evidence_state(v, &state) == 0)
		now.size = state.size;
	struct pass pass = {.file = &now,
		.digests = &v->record->last,
		.interop = o->interop || x->interop,
		.piece_size = o->piece_size,
		.block_size = block_size_for(v->file.size),
		/* All of it is hashed, but of another size there are no block digests. */
		.leaves = now.size == v->file.size && x->leaves.data ? &x->leaves : NULL,
		.compare = true,
		.tick = tick->run,
		.context = tick->context};
	progress_begin("hashing again", now.size);
	int r = pass_run(&pass);
	progress_end();
	events_hashed(report->log, v->record, &v->record->last, "after");
	if (r < 0)
		report_error(report, "hash", &place, v->file.name);
	else
		compare_digests(v, &pass.changed, report);
	ranges_free(&pass.changed);
}
