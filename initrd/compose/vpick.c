/* SPDX-License-Identifier: MIT */
#include "initrd/compose/vpick.h"

#include <string.h>

#include "core/dps.h"
#include "initrd/compose/version.h"

/* "LEFT" or "LEFT-DONE", both decimal. */
static bool parse_tries(const char *text, bool *exhausted)
{
	size_t left = strspn(text, "0123456789");
	if (!left)
		return false;
	*exhausted = strspn(text, "0") == left;
	if (!text[left])
		return true;
	if (text[left] != '-')
		return false;
	const char *done = text + left + 1;
	return *done && !done[strspn(done, "0123456789")];
}

bool pick_parse(struct pick *p, const char *entry, const char *name, const char *suffix)
{
	size_t prefix = strlen(name), size = strlen(entry), tail = strlen(suffix);
	*p = (struct pick){.version = ""};
	if (size <= prefix + 1 + tail || strncmp(entry, name, prefix) != 0 ||
		entry[prefix] != '_' || strcmp(entry + size - tail, suffix) != 0)
		return false;
	size_t length = size - tail - prefix - 1;
	if (length >= sizeof p->version)
		return false;
	memcpy(p->version, entry + prefix + 1, length);
	p->version[length] = 0;
	char *plus = strrchr(p->version, '+');
	if (plus && parse_tries(plus + 1, &p->is_exhausted))
		*plus = 0;
	char *architecture = strrchr(p->version, '_');
	if (architecture && dps_find(DPS_ROOT, architecture + 1)) {
		if (strcmp(architecture + 1, dps_native()) != 0)
			return false;
		p->is_native = true;
		*architecture = 0;
	}
	return *p->version != 0;
}

int pick_compare(const struct pick *a, const struct pick *b)
{
	if (a->is_exhausted != b->is_exhausted)
		return a->is_exhausted ? -1 : 1;
	int r = version_compare(a->version, b->version);
	return r ? r : a->is_native - b->is_native;
}
