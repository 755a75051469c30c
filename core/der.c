/* SPDX-License-Identifier: MIT */
#include "core/der.h"

#include <string.h>

/* More would not be a certificate or a signature. */
#define LENGTH_BYTES_MAX 3

/*
 * The length at the start of IN (behind the tag), and how many bytes it takes up. X.690,
 * 8.1.3 and 10.1: below 128 one byte; else 0x80 + count, and that many without leading
 * zeros.
 */
static bool read_length(struct span in, size_t *length, size_t *used)
{
	if (in.size == 0)
		return false;
	*length = in.data[0];
	*used = 1;
	if (in.data[0] < 0x80)
		return true;
	size_t count = in.data[0] & 0x7f;
	if (count == 0 || count > LENGTH_BYTES_MAX || count >= in.size)
		return false;
	*length = 0;
	for (size_t i = 1; i <= count; i++)
		*length = *length << 8 | in.data[i];
	*used = 1 + count;
	return *length >= 0x80 && in.data[1] != 0;
}

bool der_next(struct span *in, struct der *element)
{
	size_t length, used;
	/* Low five bits all set: a tag of several bytes. */
	if (in->size < 2 || (in->data[0] & 0x1f) == 0x1f ||
		!read_length(span_of(in->data + 1, in->size - 1), &length, &used))
		return false;
	size_t header = 1 + used;
	if (length > in->size - header)
		return false;
	element->tag = in->data[0];
	element->raw = span_of(in->data, header + length);
	element->contents = span_of(in->data + header, length);
	*in = span_of(in->data + header + length, in->size - header - length);
	return true;
}

bool der_is(struct span in, unsigned tag)
{
	return in.size > 0 && in.data[0] == tag;
}

bool der_take(struct span *in, unsigned tag, struct span *contents)
{
	struct der element;
	if (!der_is(*in, tag) || !der_next(in, &element))
		return false;
	if (contents)
		*contents = element.contents;
	return true;
}

bool der_only(struct span in, unsigned tag, struct span *contents)
{
	return der_take(&in, tag, contents) && in.size == 0;
}

bool der_take_integer(struct span *in, struct span *contents)
{
	struct span rest = *in, c;
	if (!der_take(&rest, DER_INTEGER, &c) || c.size == 0)
		return false;
	/* X.690, 8.3.2: the first nine bits are neither all zero nor all one. */
	if (c.size > 1 && ((c.data[0] == 0 && c.data[1] < 0x80) ||
				  (c.data[0] == 0xff && c.data[1] >= 0x80)))
		return false;
	*in = rest;
	*contents = c;
	return true;
}

bool der_take_number(struct span *in, struct span *number)
{
	struct span rest = *in, c;
	if (!der_take_integer(&rest, &c) || c.data[0] >= 0x80)
		return false;
	if (c.data[0] == 0)
		c = span_of(c.data + 1, c.size - 1);
	if (c.size == 0)
		return false;
	*in = rest;
	*number = c;
	return true;
}

bool der_take_version(struct span *in, uint8_t value)
{
	struct span rest = *in, c;
	if (!der_take_integer(&rest, &c) || c.size != 1 || c.data[0] != value)
		return false;
	*in = rest;
	return true;
}

bool der_take_oid(struct span *in, struct span *oid)
{
	struct span rest = *in, c;
	bool starts = true; /* the next byte is the first one of a number */
	if (!der_take(&rest, DER_OID, &c) || c.size == 0)
		return false;
	/* X.690, 8.19.2: seven bits a byte, the high bit says that more follow. */
	for (size_t i = 0; i < c.size; i++) {
		if (starts && c.data[i] == 0x80)
			return false;
		starts = c.data[i] < 0x80;
	}
	if (!starts)
		return false;
	*in = rest;
	*oid = c;
	return true;
}

bool der_take_bits(struct span *in, struct span *bytes)
{
	struct span rest = *in, c;
	if (!der_take(&rest, DER_BIT_STRING, &c) || c.size < 1 || c.data[0] != 0)
		return false;
	*in = rest;
	*bytes = span_of(c.data + 1, c.size - 1);
	return true;
}

bool der_equal(struct span a, struct span b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
