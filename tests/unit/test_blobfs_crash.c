/* SPDX-License-Identifier: MIT */
/*
 * Every change is old or new after a crash. A recorded device gives the writes and
 * flushes of random changes; states are made of every prefix of them, and of prefixes
 * whose last writes, back to the flush before, got there in part, out of order, or torn.
 * Each state is opened, checked as fsck does and compared with the model; some are
 * written on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define MEMORY_MAX ((size_t)3 << 20)

#include "blobfs/add.h"
#include "blobfs/check.h"
#include "blobfs/compact.h"
#include "blobfs/refs.h"
#include "tests/unit/memory_device.h"

#define MAX_BLOBS  256
#define N_STEPS    40 /* changes of one image */
#define N_SHUFFLES 14 /* states per change besides the prefixes */
#define SECTOR     512

/* What an image should hold. */
struct model {
	uint64_t generation;
	unsigned n_blobs;
	uint8_t digests[MAX_BLOBS][32];
	uint8_t refs[32];
	uint8_t target[32]; /* of the ref */
};

struct bench {
	struct memory m; /* where the changes are made */
	struct blobfs_device d;
	struct blobfs_store s;
	struct memory crashed;
	struct blobfs_device crashed_device;
	uint8_t *base; /* the image before the change */
	struct model old, new;
	uint32_t random;
	unsigned n_states;
	unsigned n_old;
	unsigned n_new;
	unsigned n_bad;
	unsigned n_continued;
};

static uint32_t pick(struct bench *b, uint32_t n)
{
	b->random = b->random * 1664525u + 1013904223u;
	return (b->random >> 8) % n;
}

static void setup(struct bench *b, uint32_t seed)
{
	memset(b, 0, sizeof *b);
	b->random = seed;
	memory_start(&b->m, &b->d);
	memory_start(&b->crashed, &b->crashed_device);
	b->base = malloc(MEMORY_MAX);
}

static void teardown(struct bench *b)
{
	blobfs_store_close(&b->s);
	memory_stop(&b->m, &b->d);
	memory_stop(&b->crashed, &b->crashed_device);
	free(b->base);
}

/* ---- changes ------------------------------------------------------------------------
 */

static unsigned model_find(const struct model *model, const uint8_t *digest)
{
	unsigned i = 0;
	while (i < model->n_blobs && memcmp(model->digests[i], digest, 32) != 0)
		i++;
	return i;
}

static void model_add(struct model *model, const uint8_t *digest)
{
	if (model_find(model, digest) == model->n_blobs)
		memcpy(model->digests[model->n_blobs++], digest, 32);
}

static void add_blob(struct bench *b)
{
	static const uint32_t limits[] = {10, 300, 5000, 9000, 40000};
	uint8_t digest[32], data[40000];
	size_t size = pick(b, limits[pick(b, 5)]);
	uint32_t x = pick(b, 1000);
	for (size_t i = 0; i < size; i++) {
		x = x * 1103515245u + 12345u;
		data[i] = (uint8_t)(x >> 16);
	}
	assert_int_equal(blobfs_add_span(&b->s, span_of(data, size), digest), 0);
	model_add(&b->new, digest);
}

static void remove_blob(struct bench *b)
{
	unsigned i = pick(b, b->new.n_blobs);
	/* The refs and what they lead to stay: without them a state is not clean. */
	if (memcmp(b->new.digests[i], b->new.refs, 32) == 0 ||
		memcmp(b->new.digests[i], b->new.target, 32) == 0)
		return;
	assert_int_equal(blobfs_store_remove(&b->s, b->new.digests[i]), 0);
	memcpy(b->new.digests[i], b->new.digests[--b->new.n_blobs], 32);
}

static void set_ref(struct bench *b)
{
	AUTO_BLOBFS_REFS refs = {0};
	char name[16];
	uint8_t target[32];
	snprintf(name, sizeof name, "r%u", pick(b, 1000));
	assert_int_equal(blobfs_add_span(&b->s, SPAN("target"), target), 0);
	memcpy(b->new.target, target, 32);
	model_add(&b->new, target);
	assert_int_equal(blobfs_refs_set(&refs, name, target), 0);
	assert_int_equal(blobfs_refs_store(&refs, &b->s), 0);
	model_add(&b->new, b->s.refs);
	memcpy(b->new.refs, b->s.refs, 32);
}

static void change(struct bench *b, bool with_ref)
{
	b->old = b->new;
	if (with_ref)
		set_ref(b);
	for (unsigned n = 1 + pick(b, 4); n > 0; n--)
		if (b->new.n_blobs > 3 && pick(b, 4) == 0)
			remove_blob(b);
		else
			add_blob(b);
	assert_int_equal(blobfs_store_commit(&b->s), 0);
	b->new.generation = b->s.fs.generation;
	assert_true(b->new.n_blobs < MAX_BLOBS - 8);
}

/* ---- states -------------------------------------------------------------------------
 */

static void ignore_finding(void *context, enum status status, const char *sentence)
{
	(void)context;
	(void)status;
	(void)sentence;
}

/* Whether what S opened is exactly the model. */
static bool matches(struct blobfs_store *s, const struct model *model)
{
	struct blobfs_check c = {.jobs = 1, .found = ignore_finding};
	struct blobfs_blob blob;
	if (blobfs_check(&c, s) != 0 || c.n_findings || c.n_blobs != model->n_blobs ||
		memcmp(s->fs.refs, model->refs, 32) != 0)
		return false;
	for (unsigned i = 0; i < model->n_blobs; i++)
		if (blobfs_open_blob(&s->fs, model->digests[i], &blob) != 0)
			return false;
	return true;
}

static bool is_good(struct bench *b, bool go_on)
{
	struct blobfs_store s;
	uint8_t digest[32];
	b->crashed_device.size = MEMORY_MAX;
	if (blobfs_store_open(&s, &b->crashed_device) < 0)
		return b->old.generation == 0;
	bool is_new = s.fs.generation == b->new.generation;
	struct model model = is_new ? b->new : b->old;
	bool good = s.fs.generation == model.generation && matches(&s, &model);
	is_new ? b->n_new++ : b->n_old++;
	if (good && go_on) {
		b->n_continued++;
		good = blobfs_store_begin(&s) == 0 &&
		       blobfs_add_span(&s, SPAN("one more"), digest) == 0 &&
		       blobfs_store_commit(&s) == 0;
		model_add(&model, digest);
		good = good && matches(&s, &model);
	}
	blobfs_store_close(&s);
	return good;
}

/* Some sectors of a write. */
static void apply_torn(struct bench *b, const struct memory_op *op)
{
	for (size_t at = 0; at < op->size; at += SECTOR)
		if (pick(b, 2))
			memcpy(b->crashed.bytes + op->offset + at, op->data + at,
				op->size - at < SECTOR ? op->size - at : SECTOR);
}

/* The first N operations, all there that a flush followed (unless flushes do not count).
 */
static void make_state(struct bench *b, size_t n, bool shuffle, bool flushes_count)
{
	size_t safe = 0;
	for (size_t i = 0; i < n; i++)
		if (b->m.ops[i].size == 0 && flushes_count)
			safe = i;
	memcpy(b->crashed.bytes, b->base, MEMORY_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct memory_op *op = &b->m.ops[i];
		uint32_t fate = shuffle && i >= safe ? pick(b, 3) : 0;
		if (op->size == 0)
			continue;
		if (fate == 0)
			memcpy(b->crashed.bytes + op->offset, op->data, op->size);
		else if (fate == 1)
			apply_torn(b, op);
	}
}

static void try_states(struct bench *b, bool flushes_count)
{
	for (size_t n = 0; n <= b->m.n_ops + N_SHUFFLES; n++) {
		bool shuffle = n > b->m.n_ops;
		size_t length = shuffle ? 1 + pick(b, (uint32_t)b->m.n_ops) : n;
		make_state(b, length, shuffle, flushes_count);
		b->n_states++;
		if (!is_good(b, b->n_states % 4 == 0))
			b->n_bad++;
	}
}

static void run_image(struct bench *b, bool flushes_count)
{
	struct blobfs_format f = {.size = pick(b, 2) ? MEMORY_MAX : 0, .uuid = {1}};
	for (unsigned step = 0; step < N_STEPS; step++) {
		memcpy(b->base, b->m.bytes, MEMORY_MAX);
		b->m.recording = true;
		if (step == 0)
			assert_int_equal(blobfs_store_format(&b->s, &b->d, &f), 0);
		else
			assert_int_equal(blobfs_store_begin(&b->s), 0);
		change(b, step % 5 == 1);
		b->m.recording = false;
		if (b->m.n_ops > 0)
			try_states(b, flushes_count);
		memory_forget(&b->m);
	}
}

static void every_crash_leaves_old_or_new(void **state)
{
	(void)state;
	unsigned n_images = getenv("CAIRN_LONG") ? 40 : 2, n_states = 0, n_continued = 0;
	for (unsigned i = 0; i < n_images; i++) {
		struct bench b;
		setup(&b, 77 + i);
		run_image(&b, true);
		assert_int_equal(b.n_bad, 0);
		assert_true(b.n_old > 100 && b.n_new > 50);
		n_states += b.n_states;
		n_continued += b.n_continued;
		teardown(&b);
	}
	printf("# %u crash states, %u of them written on\n", n_states, n_continued);
}

/* The same without flushes must go wrong, or the test above would see nothing. */
static void missing_flushes_would_be_noticed(void **state)
{
	(void)state;
	struct bench b;
	setup(&b, 5);
	run_image(&b, false);
	assert_true(b.n_bad > 10);
	printf("# %u of %u states are bad if flushes do nothing\n", b.n_bad, b.n_states);
	teardown(&b);
}

/* A write that fails ends the change; the image is as it was, also for going on. */
static void every_failed_write_leaves_the_old_state(void **state)
{
	(void)state;
	struct bench b;
	struct blobfs_format f = {.size = MEMORY_MAX, .uuid = {1}};
	uint8_t digest[32];
	setup(&b, 6);
	assert_int_equal(blobfs_store_format(&b.s, &b.d, &f), 0);
	change(&b, false);
	unsigned n_failed = 0;
	for (unsigned good = 0;; good++) {
		assert_int_equal(blobfs_store_begin(&b.s), 0);
		b.m.writes_left = good;
		int r = blobfs_add_span(&b.s, SPAN("something else"), digest);
		if (r == 0)
			r = blobfs_store_commit(&b.s);
		b.m.writes_left = UINT64_MAX;
		if (r == 0)
			break;
		n_failed++;
		blobfs_store_close(&b.s);
		assert_int_equal(blobfs_store_open(&b.s, &b.d), 0);
		assert_true(matches(&b.s, &b.new));
	}
	assert_int_equal(n_failed, 4);
	model_add(&b.new, digest);
	assert_true(matches(&b.s, &b.new));
	teardown(&b);
}

/* A reader that opened long ago still reads all of its state. */
static void old_readers_read_on(void **state)
{
	(void)state;
	struct bench b;
	struct blobfs_store reader;
	struct blobfs_format f = {.size = MEMORY_MAX, .uuid = {1}};
	setup(&b, 8);
	assert_int_equal(blobfs_store_format(&b.s, &b.d, &f), 0);
	change(&b, false);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(blobfs_store_begin(&b.s), 0);
		change(&b, false);
	}
	struct model model = b.new;
	assert_int_equal(blobfs_store_open(&reader, &b.d), 0);
	b.m.has_readers = true;
	for (unsigned i = 0; i < 25; i++) {
		assert_int_equal(blobfs_store_begin(&b.s), 0);
		change(&b, false);
		assert_true(matches(&reader, &model));
	}
	/* And the control: once nobody says that there are readers, places are reused. */
	b.m.has_readers = false;
	bool still = true;
	for (unsigned i = 0; i < 25 && still; i++) {
		assert_int_equal(blobfs_store_begin(&b.s), 0);
		change(&b, false);
		still = matches(&reader, &model);
	}
	assert_false(still);
	blobfs_store_close(&reader);
	teardown(&b);
}

/* Larger than what has a packed tree. */
static void add_large(struct bench *b, size_t size, uint8_t digest[32])
{
	uint8_t *data = calloc(1, size);
	assert_int_equal(blobfs_add_span(&b->s, span_of(data, size), digest), 0);
	free(data);
}

/* An image with holes, all of whose blobs have refs. */
static void make_holes(struct bench *b)
{
	struct blobfs_format f = {.uuid = {1}};
	struct blobfs_gc gc = {0};
	AUTO_BLOBFS_REFS refs = {0};
	uint8_t digest[32], data[40000];
	char name[16];
	assert_int_equal(blobfs_store_format(&b->s, &b->d, &f), 0);
	add_large(b, 900000, digest);
	for (uint32_t i = 0; i < 24; i++) {
		size_t size = i % 3 ? pick(b, 5000) + 1 : pick(b, 40000) + 1;
		memset(data, (int)i, size);
		assert_int_equal(blobfs_add_span(&b->s, span_of(data, size), digest), 0);
		snprintf(name, sizeof name, "r%u", i);
		if (i % 2)
			continue;
		model_add(&b->new, digest);
		assert_int_equal(blobfs_refs_set(&refs, name, digest), 0);
	}
	add_large(b, 600000, digest);
	model_add(&b->new, digest);
	assert_int_equal(blobfs_refs_set(&refs, "large", digest), 0);
	assert_int_equal(blobfs_refs_store(&refs, &b->s), 0);
	model_add(&b->new, b->s.refs);
	memcpy(b->new.refs, b->s.refs, 32);
	assert_int_equal(blobfs_store_commit(&b->s), 0);
	assert_int_equal(blobfs_gc(&gc, &b->s), 0);
	assert_int_equal(gc.n_removed, 13);
}

/* Whether a crash left all blobs, whichever of the compaction's states it left. */
static bool is_whole(struct bench *b, uint64_t size)
{
	struct blobfs_store s;
	b->crashed_device.size = size;
	if (blobfs_store_open(&s, &b->crashed_device) < 0)
		return false;
	bool good = matches(&s, &b->new);
	blobfs_store_close(&s);
	return good;
}

/* At no moment anything is missing, and neither superblock counts on what is cut off. */
static void compaction_loses_nothing(void **state)
{
	(void)state;
	struct bench b;
	struct blobfs_gc gc = {0};
	setup(&b, 9);
	make_holes(&b);
	memcpy(b.base, b.m.bytes, MEMORY_MAX);
	uint64_t before = b.s.fs.used_end;
	b.m.recording = true;
	assert_int_equal(blobfs_compact(&gc, &b.s), 0);
	b.m.recording = false;
	assert_int_equal(gc.n_kept, b.new.n_blobs);
	assert_true(b.s.fs.used_end < before);
	assert_int_equal(b.d.size, b.s.fs.used_end);
	for (size_t n = 0; n < b.m.n_ops + 150; n++) {
		bool shuffle = n >= b.m.n_ops;
		make_state(&b, shuffle ? 1 + pick(&b, (uint32_t)b.m.n_ops) : n, shuffle,
			true);
		assert_true(is_whole(&b, MEMORY_MAX));
	}
	printf("# %zu crash states of a compaction\n", b.m.n_ops + 150);
	for (unsigned i = 0; i < 2; i++) {
		memcpy(b.crashed.bytes, b.m.bytes, MEMORY_MAX);
		memset(b.crashed.bytes + i * BLOBFS_SUPER_B, 0, BLOBFS_BLOCK);
		assert_true(is_whole(&b, b.d.size));
	}
	b.m.has_readers = true;
	assert_int_equal(blobfs_compact(&gc, &b.s), -EBUSY);
	teardown(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_crash_leaves_old_or_new),
		cmocka_unit_test(missing_flushes_would_be_noticed),
		cmocka_unit_test(every_failed_write_leaves_the_old_state),
		cmocka_unit_test(old_readers_read_on),
		cmocka_unit_test(compaction_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
