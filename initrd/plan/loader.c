/* SPDX-License-Identifier: MIT */
#include "initrd/plan/loader.h"

#include "core/hex.h"

#define ATTRIBUTES_SIZE 4
#define TEXT_LENGTH     (UUID_TEXT_SIZE - 1)

bool loader_partition(struct span variable, uint8_t uuid[16])
{
	char text[UUID_TEXT_SIZE] = "";
	size_t size = ATTRIBUTES_SIZE + 2 * TEXT_LENGTH;
	if (variable.size != size && variable.size != size + 2)
		return false;
	const uint8_t *letters = variable.data + ATTRIBUTES_SIZE;
	for (size_t i = 0; i < (variable.size - ATTRIBUTES_SIZE) / 2; i++) {
		uint8_t low = letters[2 * i], high = letters[2 * i + 1];
		if (high || low > '~' || (low == 0) != (i == TEXT_LENGTH))
			return false;
		text[i] = (char)low;
	}
	return uuid_decode(text, uuid) == 0;
}
