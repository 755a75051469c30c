/* SPDX-License-Identifier: MIT */
/*
 * Runs on the architecture it was compiled for (under qemu-user) and needs core/sha256*.c
 * only. Standard input: pairs of messages, already padded: a 32-bit little-endian number
 * of 64-byte blocks, the blocks of one, the blocks of the other. Prints the digests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/sha256.h"
#include "core/span.h"

/* The one that is reached only by a bad CAIRN_SHA256. */
int error_usage(const char *format, ...)
{
	fprintf(stderr, "%s\n", format);
	return -1;
}

static void print_digest(const uint32_t state[8])
{
	for (int i = 0; i < 8; i++)
		printf("%08x", (unsigned)state[i]);
	putchar('\n');
}

int main(void)
{
	const struct sha256_engine *e;
	if (sha256_engine(&e) < 0 || !e || e->lanes != 2) {
		puts("no engine");
		return 1;
	}
	fprintf(stderr, "%s\n", e->name);
	uint8_t header[4];
	for (size_t turn = 0; fread(header, 1, 4, stdin) == 4; turn++) {
		uint32_t states[2][8];
		const uint8_t *data[2];
		uint8_t *buffers[2];
		size_t size = 64 * (size_t)get_le32(header);
		for (size_t i = 0; i < 2; i++) {
			/* Every alignment has its turn. */
			size_t shift = (turn + 5 * i) % 16;
			buffers[i] = malloc(size + 16);
			if (!buffers[i] ||
				fread(buffers[i] + shift, 1, size, stdin) != size)
				return 1;
			data[i] = buffers[i] + shift;
			memcpy(states[i], sha256_start, sizeof states[i]);
		}
		e->compress(states, data, size / 64);
		for (size_t i = 0; i < 2; i++) {
			print_digest(states[i]);
			free(buffers[i]);
		}
	}
	return 0;
}
