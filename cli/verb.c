/* SPDX-License-Identifier: MIT */
#include "cli/verb.h"

#include <stdio.h>
#include <string.h>

#include "core/buffer.h"

static const struct verb *find_in(const struct verb *const *table, const char *name)
{
	for (; *table; table++)
		if (!strcmp((*table)->name, name))
			return *table;
	return NULL;
}

const struct verb *verb_find(const char *name)
{
	return find_in(verbs, name);
}

int verb_run_sub(const struct verb *const *table, int argc, char **argv)
{
	const struct verb *v = argc > 1 ? find_in(table, argv[1]) : NULL;
	if (v)
		return v->run(argc - 1, argv + 1);
	BUFFER names = {0};
	for (const struct verb *const *t = table; *t; t++)
		buffer_printf(&names, "%s%s", t == table ? "" : ", ", (*t)->name);
	return error_usage("%s: %s%s; there is: %s", argv[0],
		argc > 1 ? "no verb " : "needs a verb", argc > 1 ? argv[1] : "",
		buffer_text(&names));
}
