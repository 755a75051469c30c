/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_WORK_H
#define CAIRN_COMPOSE_WORK_H

#include <sys/resource.h>

#include "initrd/compose/compose.h"
#include "initrd/compose/ddi.h"
#include "initrd/compose/space.h"
#include "initrd/compose/stage.h"

/* One run. Large: not on the stack. */
struct compose_work {
	const struct compose_options *o;
	struct compose_report *report;
	struct file lock;
	struct rlimit files; /* as it was when we came */
	struct standing now[N_HIERARCHIES];
	struct search found;
	struct ddi ddis[EXTENSIONS_MAX];
	size_t n_ddis;
	struct anchors anchors;
	struct release host;
	struct space space;
	struct stage stage;
	struct buffer body; /* of the new manifest */
	bool has[N_HIERARCHIES][EXTENSIONS_MAX];
	bool wanted[N_HIERARCHIES]; /* those that get an overlay */
	int trees[N_HIERARCHIES];
	struct layer layers[1 + EXTENSIONS_MAX];
};

/* Whether hierarchy H belongs to the class of this run. */
static inline bool work_has(const struct compose_work *w, int h)
{
	return hierarchy_is_of((enum hierarchy)h, w->o->class);
}

/* Opens what the search directories hold. */
int work_search(struct compose_work *w);

/* Reads all images and has the anchors vouch for them; makes the new list's body. */
int work_vouch(struct compose_work *w);

/* Mounts all of them in the stage, and checks what each may have and whether it fits. */
int work_mount(struct compose_work *w);

/* Looks at every name in them; collisions that nobody allowed are STATUS_DIFFERS. */
int work_survey(struct compose_work *w);

#endif
