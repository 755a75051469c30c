/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_DER_H
#define CAIRN_CORE_DER_H

#include <stdbool.h>

#include "core/span.h"

/*
 * Walks DER (X.690), as strictly as the name says: one-byte tags, definite lengths in
 * their shortest form, nothing beyond the end. For formats of a few levels that are known
 * beforehand; it allocates nothing, recurses nowhere and records nothing (the caller
 * knows what the bytes were for). libc only: the static init uses it.
 */

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT_0 = 0xa0, /* [0], constructed; [1], ... follow */
	DER_CONTEXT_1 = 0xa1,
	DER_CONTEXT_3 = 0xa3,
};

/* The contents are spans of what was given, and live as long. */
struct der {
	unsigned tag;    /* the identifier byte */
	struct span raw; /* the whole element, header included */
	struct span contents;
};

/*
 * Cuts the next element off the start of IN. False if there is none or it is malformed;
 * IN is unchanged then.
 */
bool der_next(struct span *in, struct der *element);

/* The same, if its tag is TAG; CONTENTS (may be NULL) becomes its contents. */
bool der_take(struct span *in, unsigned tag, struct span *contents);

/* As der_take, for a SEQUENCE or SET that is all of IN: nothing follows it. */
bool der_only(struct span in, unsigned tag, struct span *contents);

/* Whether the next element's tag is TAG; false at the end. */
bool der_is(struct span in, unsigned tag);

/*
 * A positive INTEGER, as big-endian bytes without leading zeros. False for zero, for
 * negative numbers and for a form that is not the shortest.
 */
bool der_take_number(struct span *in, struct span *number);

/* Takes an INTEGER that is VALUE (0 to 127). */
bool der_take_version(struct span *in, uint8_t value);

/* An INTEGER of any sign in its shortest form: its contents, for comparison only. */
bool der_take_integer(struct span *in, struct span *contents);

/* An OBJECT IDENTIFIER whose numbers are all whole and in their shortest form. */
bool der_take_oid(struct span *in, struct span *oid);

/* A BIT STRING of whole bytes. */
bool der_take_bits(struct span *in, struct span *bytes);

bool der_equal(struct span a, struct span b);

#endif
