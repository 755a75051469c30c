/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_BUFFER_H
#define CAIRN_CORE_BUFFER_H

#include "core/error.h"
#include "core/span.h"

/*
 * Bytes that grow. A zeroed struct is an empty buffer; buffer_free may be called twice.
 * `data` is always followed by a NUL that does not count, so that text can be used as
 * a string. It is NULL until something was added.
 */
struct buffer {
	uint8_t *data;
	size_t size;
	size_t capacity;
};

void buffer_free(struct buffer *b);
#define BUFFER __attribute__((cleanup(buffer_free))) struct buffer

/* Make room for SIZE more bytes; contents are unchanged. */
int buffer_reserve(struct buffer *b, size_t size);
int buffer_append(struct buffer *b, const void *data, size_t size);
int buffer_append_zeros(struct buffer *b, size_t size);
int buffer_printf(struct buffer *b, const char *format, ...) ERROR_PRINTF(2, 3);

static inline struct span buffer_span(const struct buffer *b)
{
	return span_of(b->data, b->size);
}

/* The contents as a string, never NULL. Valid until the buffer changes. */
const char *buffer_text(const struct buffer *b);

/* Gives the string away; the caller frees it. NULL (recorded) if memory ran out. */
char *buffer_steal_text(struct buffer *b);

#endif
