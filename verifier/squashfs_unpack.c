/* SPDX-License-Identifier: MIT */
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "verifier/squashfs.h"

/* Numbers of the superblock. */
enum { GZIP = 1, LZMA, LZO, XZ, LZ4, ZSTD };

#define XZ_MEMORY ((uint64_t)64 << 20) /* a dictionary of a block, and what xz needs */

static int unpack_zlib(struct span data, uint8_t *out, size_t size, size_t *n)
{
	uLongf got = size;
	if (uncompress(out, &got, data.data, (uLong)data.size) != Z_OK)
		return -1;
	*n = got;
	return 0;
}

static int unpack_xz(struct span data, uint8_t *out, size_t size, size_t *n)
{
	uint64_t memory = XZ_MEMORY;
	size_t in = 0;
	*n = 0;
	lzma_ret r = lzma_stream_buffer_decode(
		&memory, 0, NULL, data.data, &in, data.size, out, n, size);
	return r == LZMA_OK ? 0 : -1;
}

static int unpack_lz4(struct span data, uint8_t *out, size_t size, size_t *n)
{
	int got = LZ4_decompress_safe(
		(const char *)data.data, (char *)out, (int)data.size, (int)size);
	if (got < 0)
		return -1;
	*n = (size_t)got;
	return 0;
}

static int unpack_zstd(struct span data, uint8_t *out, size_t size, size_t *n)
{
	*n = ZSTD_decompress(out, size, data.data, data.size);
	return ZSTD_isError(*n) ? -1 : 0;
}

int squashfs_unpack(
	unsigned compressor, struct span data, uint8_t *out, size_t size, size_t *n)
{
	switch (compressor) {
	case GZIP:
		return unpack_zlib(data, out, size, n);
	case XZ:
		return unpack_xz(data, out, size, n);
	case LZ4:
		return unpack_lz4(data, out, size, n);
	case ZSTD:
		return unpack_zstd(data, out, size, n);
	default:
		return 1;
	}
}
