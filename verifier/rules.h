/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_RULES_H
#define CAIRN_VERIFIER_RULES_H

#include "core/buffer.h"
#include "core/certificate.h"

/*
 * What somebody demands of an image beyond that it is what it says: the rules of a
 * policy file (docs/policy.md). Lines KEY=VALUE, '#' begins a comment, a key may come
 * again; or one JSON object with the same keys, whose values are text, numbers, or arrays
 * of those. A key that is not known refuses the file: a rule that nobody checks is worse
 * than none.
 */
enum rule_key {
	RULE_MAX_SIZE,  /* of the image file, in bytes; K, M, G, T may follow */
	RULE_PARTITION, /* there is one: a DPS name, with or without architecture */
	RULE_OTHER_PARTITIONS, /* "refuse": none but those of RULE_PARTITION */
	RULE_FILE_SYSTEM,      /* of every root and usr partition: one of these names */
	RULE_PURPOSE,          /* every root hash is signed, and trusted, for this */
	RULE_MIN_KEY_BITS,     /* of the signers, as RSA; curves by their strength */
	RULE_PACKAGE,          /* NAME or NAME=VERSION is in the image's manifest */
	RULE_NO_PACKAGE,       /* NAME is not */
	RULE_SETUID, /* files that give privileges: these paths at most, or "none" */
	RULE_N,
};

struct rule {
	enum rule_key key;
	char *value;     /* owned; not empty, without control characters */
	uint64_t number; /* the value, where it is a number or a size */
};

/* A zeroed struct demands nothing. */
struct rules {
	struct rule *items; /* owned; in the file's order */
	size_t n_items;
};

#define RULES_MAX_SIZE ((size_t)1 << 20)

/* Reads PATH. STATUS_FORMAT names the line or the key that makes no sense. */
int rules_load(struct rules *r, const char *path);
int rules_parse(struct rules *r, struct span text, const char *name);
void rules_free(struct rules *r);
#define AUTO_RULES __attribute__((cleanup(rules_free))) struct rules

/* The key as the file spells it: "max-size". */
const char *rule_name(enum rule_key key);

/* The first rule with KEY, or NULL. */
const struct rule *rules_find(const struct rules *r, enum rule_key key);

#endif
