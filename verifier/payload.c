/* SPDX-License-Identifier: MIT */
#include "verifier/payload.h"

#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "core/progress.h"
#include "verifier/age.h"
#include "verifier/damage.h"
#include "verifier/parity.h"
#include "verifier/probe.h"

/* A signature partition this large is read whole; signature_parse refuses less. */
#define MAX_SIGNATURE (1u << 20)

static struct place place_of(const struct gpt_partition *p, const char *name)
{
	if (!p)
		return (struct place){.area = name};
	return (struct place){.area = name,
		.partition = p->number,
		.offset = p->offset,
		.size = p->size};
}

/* PLACE from OFFSET (of the image) on, SIZE bytes. */
static struct place part_of(const struct place *place, uint64_t offset, uint64_t size)
{
	return (struct place){.area = place->area,
		.partition = place->partition,
		.offset = offset,
		.size = size};
}

void payload_init(struct payload *p, const struct disk *disk, const struct disk_set *set)
{
	*p = (struct payload){.disk = disk, .set = set, .tree_file = disk->file};
	p->data = place_of(set->data, set->data_name);
	p->verity = place_of(set->verity, set->verity_name);
	p->signature = place_of(set->signature, set->signature_name);
	if (!set->data || !set->verity)
		return;
	/* UAPI.2: the data partition's UUID is the root hash's first half, the tree's its
	 * last. */
	hex_encode(set->data->uuid, 16, p->claimed);
	hex_encode(set->verity->uuid, 16, p->claimed + 32);
}

void payload_find_appended(struct payload *p)
{
	struct probe probe;
	uint8_t magic[8];
	uint64_t at;
	if (!p->set->data || p->set->verity ||
		probe_file_system(p->disk->file, p->data.offset, p->data.size, &probe) <
			0 ||
		probe.kind == PROBE_UNKNOWN || u64_align(probe.size, 4096, &at) ||
		at > p->data.size || p->data.size - at < VERITY_SUPERBLOCK_SIZE ||
		file_read(p->disk->file, magic, sizeof magic, p->data.offset + at) < 0 ||
		memcmp(magic, "verity\0\0", sizeof magic))
		return;
	p->verity = part_of(&p->data, p->data.offset + at, p->data.size - at);
	p->data.size = at;
}

/* ---- structure --------------------------------------------------------------------- */

/* Bytes that nothing vouches for must at least be zero. */
static void check_zero(const struct file *f, const struct place *place, const char *what,
	struct report *report)
{
	uint64_t at;
	int r = place->size == 0 ? 1
				 : disk_find_nonzero(f, place->offset, place->size, &at);
	if (r < 0)
		report_error(report, "padding", place, f->name);
	else if (r == 0)
		report_fault(report, STATUS_FORMAT, "padding", place,
			"%s: byte at offset %ju is not zero, and no hash covers it", what,
			(uintmax_t)at);
}

/* All bytes of the superblock that do not follow from its numbers must be as we write
 * them. */
static bool is_canonical(
	const struct verity_params *params, const uint8_t *sb, size_t *at)
{
	uint8_t wanted[VERITY_SUPERBLOCK_SIZE];
	verity_superblock_write(params, wanted);
	for (*at = 0; *at < sizeof wanted; *at += 1)
		if (sb[*at] != wanted[*at])
			return false;
	return true;
}

/* Cairn's init, and most others, take nothing else. */
static bool is_bootable(const struct verity_params *params)
{
	return params->version == 1 && params->alg == HASH_SHA256 &&
	       params->data_block_size == 4096 && params->hash_block_size == 4096;
}

/* What a firmware can boot is a fault if its root cannot; of others it is told. */
static void tell_unbootable(
	const struct payload *p, const struct place *place, struct report *report)
{
	const struct verity_params *params = &p->params;
	char text[160];
	bool boots = false;
	for (size_t i = 0; i < p->disk->gpt.n_partitions; i++) {
		const struct dps_type *t = disk_type(&p->disk->gpt.partitions[i]);
		boots = boots || (t && t->role == DPS_ESP);
	}
	snprintf(text, sizeof text,
		"verity superblock: version %u, %s, blocks of %u and %u bytes; the boot "
		"takes only version 1, sha256, 4096 and 4096",
		params->version, hash_name(params->alg), params->data_block_size,
		params->hash_block_size);
	if (boots)
		report_fault(report, STATUS_FORMAT, "superblock", place, "%s", text);
	else
		report_note(report, "superblock", place, "%s", text);
}

static bool check_superblock(struct payload *p, struct report *report)
{
	const struct file *f = p->tree_file;
	struct place place =
		part_of(&p->verity, p->verity.offset, VERITY_SUPERBLOCK_SIZE);
	uint8_t sb[VERITY_SUPERBLOCK_SIZE];
	if (file_read(f, sb, sizeof sb, place.offset) < 0 ||
		verity_superblock_parse(SPAN(sb), f->name, place.offset, &p->params) <
			0) {
		report_error(report, "superblock", &place, p->tree_file->name);
		return false;
	}
	size_t at;
	if (!is_canonical(&p->params, sb, &at))
		report_fault(report, STATUS_FORMAT, "superblock", &place,
			"verity superblock: reserved byte %zu is not zero", at);
	else if (!is_bootable(&p->params))
		tell_unbootable(p, &place, report);
	else
		report_good(report, "superblock", &place,
			"verity superblock: sha256, %ju blocks of 4096 bytes, salt of "
			"%zu bytes",
			(uintmax_t)p->params.data_blocks, p->params.salt_size);
	report_uncovered(report, "superblock",
		&(struct place){.area = p->verity.area,
			.partition = p->verity.partition,
			.offset = place.offset + 16,
			.size = 16},
		"the UUID of the verity superblock is only a label: no hash depends on "
		"it");
	return true;
}

/* The two areas against their partitions. check_superblock has seen that nothing
 * overflows. */
static bool check_fit(struct payload *p, struct report *report)
{
	struct place place =
		part_of(&p->verity, p->verity.offset, VERITY_SUPERBLOCK_SIZE);
	uint64_t data_size;
	if (u64_mul(p->params.data_blocks, p->params.data_block_size, &data_size) ||
		data_size > p->data.size) {
		report_fault(report, STATUS_FORMAT, "superblock", &place,
			"verity superblock: %ju blocks of %u bytes, but the %s has %ju "
			"bytes",
			(uintmax_t)p->params.data_blocks, p->params.data_block_size,
			p->data.area, (uintmax_t)p->data.size);
		return false;
	}
	if (verity_tree_offset(&p->params, p->verity.offset, &p->tree_offset) < 0 ||
		verity_tree_size(&p->params, &p->tree_size) < 0) {
		report_error(report, "superblock", &place, p->disk->file->name);
		return false;
	}
	uint64_t head = p->tree_offset - p->verity.offset;
	if (head > p->verity.size || p->tree_size > p->verity.size - head) {
		report_fault(report, STATUS_FORMAT, "superblock", &place,
			"the hash tree of %ju bytes does not fit into the partition of "
			"%ju",
			(uintmax_t)p->tree_size, (uintmax_t)p->verity.size);
		return false;
	}
	return true;
}

static void check_padding(const struct payload *p, struct report *report)
{
	uint64_t data_end =
		p->data.offset + p->params.data_blocks * p->params.data_block_size;
	uint64_t sb_end = p->verity.offset + VERITY_SUPERBLOCK_SIZE;
	uint64_t tree_end = p->tree_offset + p->tree_size;
	struct place place =
		part_of(&p->data, data_end, p->data.offset + p->data.size - data_end);
	check_zero(p->disk->file, &place, "rest behind the data", report);
	place = part_of(&p->verity, sb_end, p->tree_offset - sb_end);
	check_zero(p->tree_file, &place, "padding behind the verity superblock", report);
	place = part_of(
		&p->verity, tree_end, p->verity.offset + p->verity.size - tree_end);
	if (!parity_check(p, &place, report))
		check_zero(p->tree_file, &place, "rest behind the hash tree", report);
}

static void check_flags(const struct place *place, const struct gpt_partition *partition,
	struct report *report)
{
	if (partition && !(partition->attributes & GPT_READ_ONLY))
		report_note(report, "partition", place,
			"partition %u lacks the read-only attribute", partition->number);
}

void payload_check_structure(struct payload *p, struct report *report)
{
	if (!p->data.size || !p->verity.size) {
		const char *what =
			p->set->data     ? "no hash tree covers this partition"
			: p->set->verity ? "there is no partition this tree is for"
					 : "there is no partition this signature is for";
		const struct place *place = p->set->data     ? &p->data
					    : p->set->verity ? &p->verity
							     : &p->signature;
		report_fault(report, STATUS_FORMAT, "partition", place, "%s", what);
		return;
	}
	check_flags(&p->data, p->set->data, report);
	check_flags(&p->verity, p->set->verity, report);
	check_flags(&p->signature, p->set->signature, report);
	p->has_tree = check_superblock(p, report) && check_fit(p, report);
	if (p->has_tree)
		check_padding(p, report);
}

/* ---- signature --------------------------------------------------------------------- */

/* Parses the partition. Returns false, with the matter reported, if there is nothing. */
static bool read_signature(struct payload *p, const struct verify_options *o,
	struct signature *s, struct report *report)
{
	const struct file *f = p->disk->file;
	enum status unsigned_status = o->pins ? STATUS_TRUST : STATUS_UNCHECKED;
	BUFFER content = {0};
	if (p->signature.size > MAX_SIGNATURE) {
		report_fault(report, STATUS_FORMAT, "signature", &p->signature,
			"%ju bytes are too many for a signature",
			(uintmax_t)p->signature.size);
		return false;
	}
	int r = buffer_append_zeros(&content, (size_t)p->signature.size);
	if (r == 0)
		r = file_read(f, content.data, content.size, p->signature.offset);
	if (r == 0)
		r = signature_parse(s, buffer_span(&content), f->name);
	if (r < 0)
		report_error(report, "signature", &p->signature, p->disk->file->name);
	else if (r == 1 && o->no_signature)
		report_note(report, "signature", &p->signature, "not signed");
	else if (r == 1)
		report_fault(report, unsigned_status, "signature", &p->signature,
			"not signed");
	return r == 0;
}

static void check_signer(struct payload *p, const struct verify_options *o,
	const struct signature *s, struct report *report)
{
	const struct certificate *by = NULL;
	if (signature_verify(s, p->disk->file->name, o->pins, o->purpose, &by) < 0) {
		report_error(report, "signature", &p->signature, p->disk->file->name);
		return;
	}
	memcpy(p->signed_hash, s->root_hash, sizeof p->signed_hash);
	p->signer = by;
	report_good(report, "signature", &p->signature,
		"signed by %s (sha256 fingerprint %s)", by->name, by->fingerprint);
	age_check_revoked(o, by, s->root_hash, "signature", &p->signature, report);
	if (!certificate_is_current(by, time(NULL)))
		report_note(report, "signature", &p->signature,
			"the signer's certificate is outside its validity dates");
}

static void no_signature(
	const struct payload *p, const struct verify_options *o, struct report *report)
{
	if (o->no_signature)
		report_note(report, "signature", &p->data, "signature: there is none");
	else
		report_fault(report, o->pins ? STATUS_TRUST : STATUS_UNCHECKED,
			"signature", &p->data, "there is no signature partition");
}

void payload_check_signature(
	struct payload *p, const struct verify_options *o, struct report *report)
{
	AUTO_SIGNATURE s = {0};
	if (!p->data.size || !p->verity.size)
		return;
	if (!p->set->signature) {
		no_signature(p, o, report);
		return;
	}
	if (!read_signature(p, o, &s, report))
		return;
	if (strcmp(s.root_hash, p->claimed))
		report_fault(report, STATUS_CONTENT, "signature", &p->signature,
			"is for root hash %s, but the partitions' UUIDs say %s",
			s.root_hash, p->claimed);
	if (o->pins)
		check_signer(p, o, &s, report);
	else if (o->no_signature)
		report_note(report, "signature", &p->signature,
			"signature: not checked, as asked");
	else
		report_fault(report, STATUS_UNCHECKED, "signature", &p->signature,
			"signature: not checked (no certificate given)");
}

/* ---- tree -------------------------------------------------------------------------- */

void payload_check_tree(
	const struct payload *p, const struct verify_options *o, struct report *report)
{
	const char *text = p->given          ? p->given
			   : *p->signed_hash ? p->signed_hash
					     : p->claimed;
	uint8_t root[HASH_MAX_SIZE];
	if (!p->has_tree)
		return;
	if (!*text) {
		report_fault(report, STATUS_UNCHECKED, "tree", &p->verity,
			"nothing says what the root hash is: --root-hash is needed");
		return;
	}
	if (hex_decode(text, root, hash_size(p->params.alg)) < 0) {
		report_fault(report, STATUS_FORMAT, "tree", &p->verity,
			"root hash %s is not one of %s", text, hash_name(p->params.alg));
		return;
	}
	/* That of a signature was looked for with its signer. */
	if (text != p->signed_hash)
		age_check_revoked(o, NULL, text, "tree", &p->data, report);
	if (text == p->claimed)
		report_note(report, "tree", &p->data,
			"the root hash is the image's own claim: this can show that it "
			"is whole, "
			"not whose it is");
	const struct file *f = p->disk->file;
	AUTO_MERKLE_DAMAGE damage = {0};
	progress_begin(p->data.area, p->params.data_blocks * p->params.data_block_size);
	int r = verity_check(&p->params, f, p->data.offset, p->tree_file, p->tree_offset,
		root, o->jobs, &damage);
	progress_end();
	if (r < 0)
		report_error(report, "tree", &p->data, p->disk->file->name);
	else if (r > 0)
		damage_report(p, &damage, report);
	else
		report_good(report, "tree", &p->data,
			"%ju blocks and their tree are what root hash %s says",
			(uintmax_t)p->params.data_blocks, text);
}

/* ---- file system ------------------------------------------------------------------- */

void payload_check_file_system(const struct payload *p, struct report *report)
{
	struct probe probe;
	if (!p->set->data)
		return;
	uint64_t size = p->has_tree ? p->params.data_blocks * p->params.data_block_size
				    : p->data.size;
	if (probe_file_system(p->disk->file, p->data.offset, size, &probe) < 0)
		report_error(report, "file-system", &p->data, p->disk->file->name);
	else if (probe.kind == PROBE_UNKNOWN)
		report_fault(report, STATUS_FORMAT, "file-system", &p->data,
			"is neither erofs nor squashfs nor ext4");
	else if (!probe.read_only)
		report_fault(report, STATUS_FORMAT, "file-system", &p->data,
			"%s could be mounted writable: %s", probe_name(probe.kind),
			probe.has_journal ? "it has a journal"
					  : "the read-only feature is not set");
	else
		report_good(report, "file-system", &p->data,
			"%s, read-only by its format", probe_name(probe.kind));
}
