/* SPDX-License-Identifier: MIT */
#include "verifier/rules_check.h"

#include <string.h>
#include <sys/stat.h>

#include "verifier/files.h"
#include "verifier/packages.h"
#include "verifier/probe.h"

/* What the rules look at. */
struct subject {
	const struct disk *disk;
	const struct payload *payloads; /* one for each of the disk's sets */
	const struct verify_options *o;
	struct report *report;
	struct packages packages;
	bool have_packages;
};

static void broken(const struct subject *s, const struct rule *rule,
	const struct place *place, const char *found)
{
	report_fault(s->report, STATUS_DIFFERS, "policy", place, "%s=%s: %s",
		rule_name(rule->key), rule->value, found);
}

static const struct place image = {.area = "image"};

static void check_size(const struct subject *s, const struct rule *rule)
{
	char found[48];
	snprintf(found, sizeof found, "it has %ju bytes", (uintmax_t)s->disk->file->size);
	if (s->disk->file->size > rule->number)
		broken(s, rule, &image, found);
}

static void check_partition(const struct subject *s, const struct rule *rule)
{
	for (size_t i = 0; i < s->disk->gpt.n_partitions; i++) {
		const struct dps_type *t = disk_type(&s->disk->gpt.partitions[i]);
		if (t && dps_is_named(t, rule->value))
			return;
	}
	broken(s, rule, &image, "there is no such partition");
}

static bool is_wanted(const struct rules *rules, const struct dps_type *type)
{
	for (size_t i = 0; type && i < rules->n_items; i++)
		if (rules->items[i].key == RULE_PARTITION &&
			dps_is_named(type, rules->items[i].value))
			return true;
	return false;
}

static void check_others(const struct subject *s, const struct rule *rule)
{
	for (size_t i = 0; i < s->disk->gpt.n_partitions; i++) {
		const struct gpt_partition *p = &s->disk->gpt.partitions[i];
		char name[40];
		struct place place = {.area = disk_name(s->disk, p, name),
			.partition = p->number,
			.offset = p->offset,
			.size = p->size};
		if (!is_wanted(s->o->rules, disk_type(p)))
			broken(s, rule, &place, "is a partition no rule names");
	}
}

/* Whether NAME is one of the words of LIST, divided by spaces. */
static bool is_listed(const char *list, const char *name)
{
	size_t size = strlen(name);
	while (*list) {
		size_t word = strcspn(list, " ");
		if (word == size && !memcmp(list, name, size))
			return true;
		list += word + strspn(list + word, " ");
	}
	return false;
}

static void check_file_system(const struct subject *s, const struct rule *rule)
{
	for (size_t i = 0; i < s->disk->n_sets; i++) {
		const struct place *place = &s->payloads[i].data;
		struct probe probe;
		char found[32];
		if (!place->size)
			continue;
		if (probe_file_system(s->disk->file, place->offset, place->size, &probe) <
			0) {
			report_error(s->report, "policy", place, s->disk->file->name);
			continue;
		}
		snprintf(found, sizeof found, "is %s", probe_name(probe.kind));
		if (!is_listed(rule->value, probe_name(probe.kind)))
			broken(s, rule, place, found);
	}
}

static void check_purpose(const struct subject *s, const struct rule *rule)
{
	for (size_t i = 0; i < s->disk->n_sets; i++)
		if (strcmp(purpose_name(s->o->purpose), rule->value))
			broken(s, rule, &s->payloads[i].data,
				"was verified for another purpose");
		else if (!s->payloads[i].signer)
			broken(s, rule, &s->payloads[i].data,
				"is not signed by anybody trusted for it");
}

static void check_key(const struct subject *s, const struct rule *rule)
{
	for (size_t i = 0; i < s->disk->n_sets; i++) {
		const struct certificate *signer = s->payloads[i].signer;
		char found[64];
		if (signer)
			snprintf(found, sizeof found,
				"the signer's key is worth %u bits of RSA",
				certificate_rsa_bits(signer));
		if (!signer)
			broken(s, rule, &s->payloads[i].data,
				"is not signed by anybody who is trusted");
		else if (certificate_rsa_bits(signer) < rule->number)
			broken(s, rule, &s->payloads[i].data, found);
	}
}

/* ---- files ------------------------------------------------------------------------- */

/* What gives whoever runs it more than he has: setuid, setgid, file capabilities. */
static const char *privilege(const struct files_entry *e)
{
	if (!S_ISREG(e->mode))
		return NULL;
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (!strcmp(e->xattrs[i].name, "security.capability"))
			return "has capabilities";
	return e->mode & S_ISUID ? "is setuid" : e->mode & S_ISGID ? "is setgid" : NULL;
}

static void check_files(
	const struct subject *s, const struct rule *rule, const struct payload *p)
{
	AUTO_FILES files = {0};
	if (files_load(&files, s->disk->file, p->data.offset, p->data.size) < 0) {
		report_error(s->report, "policy", &p->data, s->disk->file->name);
		return;
	}
	for (size_t i = 0; i < files.n_items; i++) {
		const struct files_entry *e = &files.items[i];
		const char *what = privilege(e);
		BUFFER found = {0};
		if (!what || is_listed(rule->value, e->path))
			continue;
		bool named = buffer_printf(&found, "%s %s", e->path, what) == 0;
		broken(s, rule, &p->data, named ? buffer_text(&found) : what);
	}
}

static void check_setuid(const struct subject *s, const struct rule *rule)
{
	for (size_t i = 0; i < s->disk->n_sets; i++)
		if (s->payloads[i].data.size)
			check_files(s, rule, &s->payloads[i]);
}

/* ---- packages ---------------------------------------------------------------------- */

/* The manifest must be of this image. */
static bool open_packages(struct subject *s)
{
	if (!s->o->manifest) {
		report_fault(s->report, STATUS_UNCHECKED, "policy", &image,
			"rules about packages were not checked: there is no manifest");
		return false;
	}
	if (packages_load(&s->packages, s->o->manifest) < 0) {
		report_error(s->report, "policy", &image, s->disk->file->name);
		return false;
	}
	for (size_t i = 0; i < s->disk->n_sets; i++)
		if (!strcmp(s->payloads[i].claimed, s->packages.root_hash))
			return true;
	report_fault(s->report, STATUS_UNCHECKED, "policy", &image,
		"rules about packages were not checked: %s is the manifest of another "
		"image",
		s->o->manifest->name);
	return false;
}

static void check_package(const struct subject *s, const struct rule *rule)
{
	char name[256];
	size_t size = strcspn(rule->value, "=");
	const char *version = rule->value[size] ? rule->value + size + 1 : NULL;
	snprintf(name, sizeof name, "%.*s", (int)size, rule->value);
	bool there = s->have_packages && packages_has(&s->packages, name, version);
	if (!s->have_packages)
		return; /* told once, for all */
	if (rule->key == RULE_PACKAGE && !there)
		broken(s, rule, &image,
			version ? "it is not there in this version" : "it is not there");
	else if (rule->key == RULE_NO_PACKAGE && there)
		broken(s, rule, &image, "it is there");
}

/* ---- all of them ------------------------------------------------------------------- */

typedef void rule_function(const struct subject *s, const struct rule *rule);

static rule_function *const functions[RULE_N] = {
	[RULE_MAX_SIZE] = check_size,
	[RULE_PARTITION] = check_partition,
	[RULE_OTHER_PARTITIONS] = check_others,
	[RULE_FILE_SYSTEM] = check_file_system,
	[RULE_PURPOSE] = check_purpose,
	[RULE_MIN_KEY_BITS] = check_key,
	[RULE_PACKAGE] = check_package,
	[RULE_NO_PACKAGE] = check_package,
	[RULE_SETUID] = check_setuid,
};

void rules_check(const struct disk *disk, const struct payload *payloads,
	const struct verify_options *o, struct report *report)
{
	struct subject s = {.disk = disk, .payloads = payloads, .o = o, .report = report};
	size_t n = o->rules->n_items, faults = report->n_faults;
	if (rules_find(o->rules, RULE_PACKAGE) || rules_find(o->rules, RULE_NO_PACKAGE))
		s.have_packages = open_packages(&s);
	for (size_t i = 0; i < n; i++)
		functions[o->rules->items[i].key](&s, &o->rules->items[i]);
	packages_free(&s.packages);
	if (report->n_faults == faults)
		report_good(report, "policy", &image, "all %zu rules hold", n);
}
