/* SPDX-License-Identifier: MIT */
#include "core/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}

int buffer_reserve(struct buffer *b, size_t size)
{
	size_t need;
	if (__builtin_add_overflow(b->size, size, &need) ||
		__builtin_add_overflow(need, (size_t)1, &need))
		return error_memory();
	if (need <= b->capacity)
		return 0;
	size_t capacity = b->capacity ? b->capacity : 64;
	while (capacity < need)
		if (__builtin_mul_overflow(capacity, (size_t)2, &capacity))
			return error_memory();
	uint8_t *data = realloc(b->data, capacity);
	if (!data)
		return error_memory();
	b->data = data;
	b->capacity = capacity;
	b->data[b->size] = 0;
	return 0;
}

int buffer_append(struct buffer *b, const void *data, size_t size)
{
	int r = buffer_reserve(b, size);
	if (r < 0)
		return r;
	if (size)
		memcpy(b->data + b->size, data, size);
	b->size += size;
	b->data[b->size] = 0;
	return 0;
}

int buffer_append_zeros(struct buffer *b, size_t size)
{
	int r = buffer_reserve(b, size);
	if (r < 0)
		return r;
	memset(b->data + b->size, 0, size + 1);
	b->size += size;
	return 0;
}

int buffer_printf(struct buffer *b, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int size = vasprintf(&text, format, args);
	va_end(args);
	if (size < 0)
		return error_memory();
	int r = buffer_append(b, text, (size_t)size);
	free(text);
	return r;
}

const char *buffer_text(const struct buffer *b)
{
	return b->data ? (const char *)b->data : "";
}

char *buffer_steal_text(struct buffer *b)
{
	if (buffer_reserve(b, 0) < 0)
		return NULL;
	char *text = (char *)b->data;
	*b = (struct buffer){0};
	return text;
}
