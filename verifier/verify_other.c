/* SPDX-License-Identifier: MIT */
#include "verifier/verify_other.h"

#include <string.h>

#include "blobfs/check.h"
#include "verifier/age.h"
#include "verifier/payload.h"
#include "verifier/probe.h"
#include "verifier/verify_program.h"

static bool starts_with(const struct file *f, const char *magic, size_t size)
{
	uint8_t head[16];
	return f->size >= sizeof head && file_read(f, head, sizeof head, 0) == 0 &&
	       !memcmp(head, magic, size);
}

static bool is_blobfs(const struct file *f)
{
	return starts_with(f, BLOBFS_MAGIC, BLOBFS_MAGIC_SIZE);
}

static bool is_file_system(const struct file *f)
{
	struct probe probe;
	return probe_file_system(f, 0, f->size, &probe) == 0 &&
	       probe.kind != PROBE_UNKNOWN;
}

/* What was asked for, and is only looked for elsewhere, is told; good it is not. */
static void tell_unchecked(
	const struct place *place, const char *option, struct report *report)
{
	report_fault(report, STATUS_UNCHECKED, "options", place,
		"%s was not checked: it is not for what this is", option);
}

void verify_tell_unasked(
	const struct verify_options *o, const struct place *place, struct report *report)
{
	if (o->root_hash)
		tell_unchecked(place, "--root-hash", report);
	if (o->has_floor)
		tell_unchecked(place, "--epoch-floor", report);
	if (o->rules)
		tell_unchecked(place, "--policy", report);
}

/* ---- data with a hash tree ----------------------------------------------------------
 */

/* A whole file, as if it were a partition. */
struct bare {
	struct disk disk;
	struct disk_set set;
	struct gpt_partition data, verity;
};

static void lay_out(struct bare *b, const struct file *f, const struct verify_options *o)
{
	*b = (struct bare){.disk.file = f,
		.set = {.role = DPS_ROOT, .architecture = "any"},
		.data = {.size = f->size, .attributes = GPT_READ_ONLY}};
	b->set.data = &b->data;
	snprintf(b->set.data_name, sizeof b->set.data_name, "data");
	snprintf(b->set.verity_name, sizeof b->set.verity_name, "hash area");
	const struct file *tree = o->hash_file ? o->hash_file : f;
	if (!o->hash_file && !o->has_hash_offset)
		return;
	uint64_t at = o->hash_offset < tree->size ? o->hash_offset : tree->size;
	b->verity = (struct gpt_partition){
		.offset = at, .size = tree->size - at, .attributes = GPT_READ_ONLY};
	b->set.verity = &b->verity;
	if (!o->hash_file)
		b->data.size = at;
}

/* Who gives the root hash trusts it; there is nothing else to trust here. */
static void check_trust(
	const struct payload *p, const struct verify_options *o, struct report *report)
{
	if (o->root_hash)
		report_note(report, "signature", &p->data,
			"no signature: the root hash that was given vouches for it");
	else if (o->pins)
		report_fault(report, STATUS_TRUST, "signature", &p->data,
			"there is no signature");
}

/* A file system is expected, but any data can have a hash tree. */
static void check_file_system(const struct payload *p, struct report *report)
{
	if (is_file_system(p->disk->file))
		payload_check_file_system(p, report);
	else
		report_note(report, "file-system", &p->data,
			"is neither erofs nor squashfs nor ext4");
}

static int verify_data(
	const struct file *f, const struct verify_options *o, struct report *report)
{
	struct bare b;
	struct payload p;
	lay_out(&b, f, o);
	payload_init(&p, &b.disk, &b.set);
	/* Partitions have UUIDs that claim a root hash. This is none. */
	*p.claimed = 0;
	p.given = o->root_hash;
	if (o->hash_file)
		p.tree_file = o->hash_file;
	payload_find_appended(&p);
	payload_check_structure(&p, report);
	check_trust(&p, o, report);
	payload_check_tree(&p, o, report);
	check_file_system(&p, report);
	if (o->has_floor)
		age_check_payload(&p, o, report);
	return 0;
}

/* ---- blobfs -------------------------------------------------------------------------
 */

struct checking {
	struct report *report;
	struct place place;
};

static void take_finding(void *context, enum status status, const char *sentence)
{
	struct checking *c = context;
	report_fault(c->report, status, "blobfs", &c->place, "%s", sentence);
}

static int verify_blobfs(
	const struct file *f, const struct verify_options *o, struct report *report)
{
	struct checking c = {report, {.area = "blobfs", .size = f->size}};
	struct blobfs_check check = {
		.jobs = o->jobs, .all = true, .context = &c, .found = take_finding};
	struct blobfs_store store = {0};
	struct blobfs_device device;
	int r = blobfs_device_on_file(&device, f);
	if (r < 0)
		return r;
	r = blobfs_store_open(&store, &device);
	if (r == 0)
		r = blobfs_check(&check, &store);
	if (r < 0)
		report_error(report, "blobfs", &c.place, f->name);
	else if (!check.n_findings)
		report_good(report, "blobfs", &c.place,
			"%ju blobs with %ju bytes are what their digests say",
			(uintmax_t)check.n_blobs, (uintmax_t)check.n_bytes);
	report_uncovered(report, "blobfs", &c.place,
		"the index and the refs: they can hide a blob, not change one");
	/* Who wants a signature or a root hash must not take a blobfs image for it. */
	if (o->pins)
		report_fault(report, STATUS_TRUST, "signature", &c.place,
			"there is no signature");
	verify_tell_unasked(o, &c.place, report);
	blobfs_store_close(&store);
	blobfs_device_close(&device);
	return 0;
}

/* ---- which --------------------------------------------------------------------------
 */

bool verify_is_other(const struct file *f, const struct verify_options *o)
{
	struct gpt gpt = {0};
	if (o->hash_file || o->has_hash_offset || is_blobfs(f) || verify_is_program(f))
		return true;
	if (!is_file_system(f))
		return false;
	/* A file system can leave room for a partition table, but has none. */
	bool is_disk = gpt_read_file(f, 0, &gpt) == 0;
	gpt_free(&gpt);
	return !is_disk;
}

int verify_other(
	const struct file *f, const struct verify_options *o, struct report *report)
{
	const struct place place = {.area = "image", .size = f->size};
	bool is_data = o->hash_file || o->has_hash_offset;
	if (!is_data && is_blobfs(f))
		return verify_blobfs(f, o, report);
	if (o->rules)
		tell_unchecked(&place, "--policy", report);
	return !is_data && verify_is_program(f) ? verify_program(f, o, report)
						: verify_data(f, o, report);
}
