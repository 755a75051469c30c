/* SPDX-License-Identifier: MIT */
#include "verifier/boot_program.h"

#include <stdio.h>
#include <string.h>

#include "core/authenticode.h"
#include "initrd/compose/anchors.h"
#include "initrd/plan/words.h"
#include "verifier/age.h"
#include "verifier/boot_policy.h"
#include "verifier/probe.h"

/* Any single changed byte shows in this sum, though an attacker can mend it. */
static void check_sum(struct boot *b, const struct place *place, const struct program *p)
{
	const uint8_t *field = p->bytes.data + p->pe.checksum_offset;
	uint32_t stored = get_le32(field);
	uint32_t computed = pe_checksum(buffer_span(&p->bytes), p->pe.checksum_offset);
	if (stored && stored != computed)
		report_fault(b->report, STATUS_FORMAT, "program", place,
			"PE checksum is %08x, its content has %08x", stored, computed);
}

static void check_signature(
	struct boot *b, const struct place *place, const struct program *p)
{
	const struct certificate *by = NULL;
	if (!b->o->pins) {
		if (b->o->no_signature)
			report_note(b->report, "program", place,
				"signature: not checked, as asked");
		else
			report_fault(b->report, STATUS_UNCHECKED, "program", place,
				"signature: not checked (no certificate given)");
		return;
	}
	int r = authenticode_verify(&p->pe, b->o->pins, b->o->purpose, &by);
	if (r < 0)
		report_error(b->report, "program", place, p->pe.name);
	else if (r == 1)
		report_fault(b->report, STATUS_TRUST, "program", place, "not signed");
	else {
		report_good(b->report, "program", place,
			"signed by %s (sha256 fingerprint %s)", by->name,
			by->fingerprint);
		age_check_revoked(b->o, by, NULL, "program", place, b->report);
	}
}

static bool says(struct span value, const char *text)
{
	return value.size == strlen(text) && !memcmp(value.data, text, value.size);
}

/* The set with that ROLE whose root hash is VALUE, or NULL. */
static const struct payload *find_payload(
	const struct boot *b, enum dps_role role, struct span value)
{
	for (size_t i = 0; i < b->n_payloads; i++) {
		const struct payload *p = &b->payloads[i];
		const char *trusted = p->given          ? p->given
				      : *p->signed_hash ? p->signed_hash
							: p->claimed;
		if (p->set->role == role && *trusted && says(value, trusted))
			return p;
	}
	return NULL;
}

/* Without a disk: against the root hash that was given, or told. */
static void check_named(
	struct boot *b, const struct place *place, const char *name, struct span value)
{
	int size = value.size < 200 ? (int)value.size : 200;
	const char *text = (const char *)value.data;
	if (!b->o->root_hash)
		report_note(b->report, "cmdline", place,
			"boots %s=%.*s; no root hash was given to compare", name, size,
			text);
	else if (says(value, b->o->root_hash))
		report_good(b->report, "cmdline", place,
			"%s= is the root hash that was given", name);
	else
		report_fault(b->report, STATUS_CONTENT, "cmdline", place,
			"%s=%.*s is not the root hash that was given", name, size, text);
}

/* NAME=VALUE of a UKI's command line must be the root hash of a set with that ROLE. */
static void check_root_hash(struct boot *b, const struct place *place, const char *name,
	struct span value, enum dps_role role)
{
	const struct payload *p = find_payload(b, role, value);
	memset(b->named, 0, sizeof b->named);
	if (value.size < sizeof b->named)
		memcpy(b->named, value.data, value.size);
	if (b->alone || (b->o->image && b->o->root_hash))
		check_named(b, place, name, value);
	if (b->alone)
		return;
	if (p)
		report_good(b->report, "cmdline", place, "%s= is the root hash of the %s",
			name, p->data.area);
	else
		report_fault(b->report, STATUS_CONTENT, "cmdline", place,
			"%s=%.*s is the root hash of no partition of this image", name,
			value.size < 200 ? (int)value.size : 200,
			(const char *)value.data);
}

/* Every word NAME=... is checked, and there may be one. Returns how many there are. */
static size_t check_words(struct boot *b, const struct place *place,
	const struct words *words, const char *name, enum dps_role role)
{
	size_t n = 0;
	for (size_t i = 0; i < words->n; i++) {
		const char *value = word_value(words_get(words, i), name);
		if (!value)
			continue;
		check_root_hash(b, place, name, span_of(value, strlen(value)), role);
		n++;
	}
	if (n > 1)
		report_fault(b->report, STATUS_FORMAT, "cmdline", place,
			"%s= stands %zu times in the command line", name, n);
	return n;
}

static void check_cmdline(
	struct boot *b, const struct place *place, const struct program *p)
{
	struct words words = {0};
	if (words_parse(&words, p->cmdline) < 0) {
		report_error(b->report, "cmdline", place, p->pe.name);
		return;
	}
	size_t n = check_words(b, place, &words, "roothash", DPS_ROOT);
	n += check_words(b, place, &words, "usrhash", DPS_USR);
	if (n == 0)
		report_fault(b->report, STATUS_FORMAT, "cmdline", place,
			"neither roothash= nor usrhash= is in the command line");
}

/* The policy decides what the init does, so it must name what is on this disk. */
static void compare_policy(
	struct boot *b, const struct place *place, const struct policy *policy)
{
	struct probe probe;
	struct span hash = span_of(policy->root_hash, strlen(policy->root_hash));
	const struct payload *p =
		find_payload(b, policy->part == PART_ROOT ? DPS_ROOT : DPS_USR, hash);
	if (b->alone && strcmp(policy->root_hash, b->named))
		report_fault(b->report, STATUS_CONTENT, "initrd", place,
			"the initrd's boot policy wants root hash %s, the command line "
			"another",
			policy->root_hash);
	else if (b->alone)
		report_good(b->report, "initrd", place,
			"the initrd's boot policy names the root hash of the command "
			"line");
	else if (!p)
		report_fault(b->report, STATUS_CONTENT, "initrd", place,
			"the initrd's boot policy wants root hash %s, which no partition "
			"has",
			policy->root_hash);
	else if (probe_file_system(b->disk->file, p->data.offset, p->data.size, &probe) <
		 0)
		report_error(b->report, "initrd", place, b->disk->file->name);
	else if (strcmp(probe_name(probe.kind), policy->fs))
		report_fault(b->report, STATUS_CONTENT, "initrd", place,
			"the initrd's boot policy wants %s on the %s, which holds %s",
			policy->fs, p->data.area, probe_name(probe.kind));
	else
		report_good(b->report, "initrd", place,
			"the initrd's boot policy names the root hash and file system of "
			"the %s",
			p->data.area);
}

/* The epoch that a UKI says it has, and the one that its init compares. */
static void check_epoch(struct boot *b, const struct place *place,
	const struct program *p, const struct policy *policy)
{
	struct span text;
	unsigned epoch = 0;
	int r = pe_find(&p->pe, ".osrel", &text);
	if (r == 0)
		r = anchors_epoch(text, p->pe.name, &epoch);
	if (r < 0)
		report_error(b->report, "rollback", place, p->pe.name);
	else if (epoch != policy->epoch)
		report_fault(b->report, STATUS_CONTENT, "rollback", place,
			"its os-release has the epoch %u, but the initrd's boot policy "
			"%u",
			epoch, policy->epoch);
	else
		age_check_epoch(b->o, epoch, place, b->report);
}

static void check_policy(
	struct boot *b, const struct place *place, const struct program *p)
{
	struct policy policy;
	struct span initrd;
	int r = pe_find(&p->pe, ".initrd", &initrd);
	if (r == 0)
		r = boot_policy_read(&policy, initrd, p->pe.name);
	if (r < 0)
		report_error(b->report, "initrd", place, p->pe.name);
	else if (r == 1)
		report_note(b->report, "initrd", place,
			"no boot policy of Cairn's in the first archive of its initrd: "
			"what decides is not checked");
	else {
		compare_policy(b, place, &policy);
		check_epoch(b, place, p, &policy);
	}
}

void boot_program_check(
	struct boot *b, const struct place *place, const struct program *p)
{
	check_sum(b, place, p);
	check_signature(b, place, p);
	if (!p->is_uki)
		return;
	b->n_ukis++;
	check_cmdline(b, place, p);
	check_policy(b, place, p);
}
