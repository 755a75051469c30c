/* SPDX-License-Identifier: MIT */
#include "initrd/compose/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/path.h"
#include "initrd/compose/inside.h"

int work_search(struct compose_work *w)
{
	int root = path_open_dir(w->o->root);
	int r = root < 0 ? root : search_extensions(root, w->o->class, &w->found);
	if (root >= 0)
		close(root);
	return r;
}

int work_vouch(struct compose_work *w)
{
	int r = buffer_printf(&w->body, "class %s\nmode %s\n", class_name(w->o->class),
		compose_mode_name(w->o->mode));
	for (size_t i = 0; r == 0 && i < w->found.n; i++) {
		struct ddi *d = &w->ddis[w->n_ddis++];
		r = ddi_open(d, &w->found.items[i], w->o->class);
		if (r == 0)
			r = ddi_vouch(d, &w->anchors);
		if (r == 0)
			r = buffer_printf(&w->body, "extension %s %s %s\n", d->name,
				d->root_hash, d->by.pin->fingerprint);
	}
	return r;
}

static int mount_one(struct compose_work *w, size_t i)
{
	struct ddi *d = &w->ddis[i];
	struct layer *l = &w->layers[1 + i];
	int r = ddi_mount(d);
	if (r == 0)
		r = ddi_check_release(d, &w->host, &w->anchors);
	if (r == 0)
		r = stage_add(&w->stage, i, d->mount);
	*l = (struct layer){.name = d->name, .tree = d->mount, .context = d};
	if (r == 0)
		r = layer_check_root(l, w->o->class);
	for (int h = 0; r == 0 && h < N_HIERARCHIES; h++) {
		const char *name = hierarchy_name((enum hierarchy)h);
		int fd = work_has(w, h)
				 ? inside_open(d->mount, name, O_RDONLY | O_DIRECTORY)
				 : -ENOENT;
		if (fd < 0 && fd != -ENOENT)
			r = error_set(STATUS_FAILED, -fd, "%s: /%s: cannot open: %s",
				d->file.name, name, strerror(-fd));
		w->has[h][i] = fd >= 0;
		w->wanted[h] |= fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	return r;
}

int work_mount(struct compose_work *w)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < w->n_ddis; i++)
		r = mount_one(w, i);
	return r;
}

/* ---- collisions ------------------------------------------------------------ */

/* The hooks of the survey know a layer only; there is one run at a time. */
static const struct compose_work *current;

static bool allows_override(const struct layer *upper)
{
	const char *const *name = current->o->allow_override;
	for (; name && *name; name++)
		if (!strcmp(*name, upper->name))
			return true;
	return anchors_allows_override(&current->anchors, upper->name);
}

static int check_entry(const struct layer *l, const char *path, const struct entry *e)
{
	const struct ddi *d = l->context;
	int r = layer_check_entry(l->name, path, e, current->anchors.setuid_allowed);
	return r < 0 ? r
		     : anchors_check_path(&current->anchors, &d->by, l->name, path,
			       S_ISDIR(e->st.st_mode));
}

int work_survey(struct compose_work *w)
{
	struct survey *s = &w->report->survey;
	int r = 0;
	w->layers[0] = (struct layer){.name = "the base", .tree = w->stage.base};
	for (size_t i = 0; i <= w->n_ddis; i++)
		snprintf(
			w->report->names[i], EXTENSION_NAME_MAX, "%s", w->layers[i].name);
	*s = (struct survey){.layers = w->layers,
		.n_layers = 1 + w->n_ddis,
		.allows_override = allows_override,
		.check = check_entry};
	current = w;
	for (int h = 0; r == 0 && h < N_HIERARCHIES; h++)
		if (w->wanted[h])
			r = survey_hierarchy(s, (enum hierarchy)h);
	current = NULL;
	s->layers = NULL;
	if (r < 0 || !s->n_refused)
		return r;
	const struct collision *c = s->collisions;
	while (c->allowed)
		c++;
	return error_set(STATUS_DIFFERS, EEXIST,
		"%zu names collide and are not identical, the first is %s of %s and %s",
		s->n_refused, c->path, w->report->names[c->upper],
		w->report->names[c->lower]);
}
