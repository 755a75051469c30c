/* SPDX-License-Identifier: MIT */
/*
 * What is laid beside an image: a policy, as lines or as JSON, and a manifest with its
 * list of packages. A policy that is taken has a rule, and none without a value.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/packages.h"
#include "verifier/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct span in)
{
	AUTO_RULES rules = {0};
	if (rules_parse(&rules, in, "policy") < 0) {
		if (strchr(error_text(), '\n') || !*error_text())
			abort();
		return;
	}
	if (rules.n_items == 0)
		abort();
	for (size_t i = 0; i < rules.n_items; i++) {
		const struct rule *rule = &rules.items[i];
		if (rule->key >= RULE_N || !rule->value[0] ||
			!rules_find(&rules, rule->key))
			abort();
	}
}

static void load(struct span in)
{
	AUTO_FILE f = FILE_CLOSED;
	AUTO_PACKAGES packages = {0};
	if (file_in_memory(&f, "manifest", in) < 0)
		abort();
	if (packages_load(&packages, &f) == 0 && packages_has(&packages, "", NULL) &&
		!packages.root_hash)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse(span_of(data, size));
	load(span_of(data, size));
	return 0;
}
