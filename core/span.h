/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_SPAN_H
#define CAIRN_CORE_SPAN_H

/*
 * Bytes with their length, integers out of them, and arithmetic that cannot wrap.
 * Header only and free of libc, so that freestanding parts can use it as well.
 */

#include <stddef.h>
#include <stdint.h>

struct span {
	const uint8_t *data;
	size_t size;
};

#define SPAN(array) ((struct span){(const uint8_t *)(array), sizeof(array)})

static inline struct span span_of(const void *data, size_t size)
{
	return (struct span){(const uint8_t *)data, size};
}

/* The part of S at [OFFSET, OFFSET + SIZE). Returns 0, or -1 if it is not inside S. */
static inline int span_part(
	struct span s, uint64_t offset, uint64_t size, struct span *part)
{
	if (offset > s.size || size > s.size - offset)
		return -1;
	part->data = s.data + offset;
	part->size = (size_t)size;
	return 0;
}

static inline uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static inline uint64_t get_le64(const uint8_t *p)
{
	return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_le64(uint8_t *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32(p + 4, (uint32_t)(v >> 32));
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* Each returns 0, or -1 if the result does not fit. */
static inline int u64_add(uint64_t a, uint64_t b, uint64_t *sum)
{
	return __builtin_add_overflow(a, b, sum) ? -1 : 0;
}

static inline int u64_mul(uint64_t a, uint64_t b, uint64_t *product)
{
	return __builtin_mul_overflow(a, b, product) ? -1 : 0;
}

/* V rounded up to a multiple of UNIT (a power of two). */
static inline int u64_align(uint64_t v, uint64_t unit, uint64_t *aligned)
{
	if (u64_add(v, unit - 1, aligned))
		return -1;
	*aligned &= ~(unit - 1);
	return 0;
}

static inline uint64_t u64_div_up(uint64_t v, uint64_t unit)
{
	return v / unit + (v % unit != 0);
}

static inline int is_power_of_two(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

#endif
