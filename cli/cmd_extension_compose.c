/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd_extension.h"
#include "cli/extension_options.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/process.h"
#include "core/progress.h"

/* ---- what there is, or was made ------------------------------------------------- */

static int print_extension(void *context, char *words[3])
{
	(void)context;
	printf("  %s %s signed by %s\n", words[0], words[1], words[2]);
	return 0;
}

static int add_extension(void *context, char *words[3])
{
	json_object *one = json_object_new_object();
	json_add_text(one, "name", words[0]);
	json_add_text(one, "rootHash", words[1]);
	json_add_text(one, "signer", words[2]);
	json_append(context, one);
	return 0;
}

/* TEXT is a manifest, or empty: nothing is composed. ONE: NULL for text. */
static int show_manifest(struct span text, enum extension_class class, json_object *one)
{
	struct manifest m;
	if (!text.size && !one)
		printf("%s: none\n", class_name(class));
	if (one)
		json_add_bool(one, "composed", text.size > 0);
	if (!text.size)
		return 0;
	int r = manifest_parse(&m, text, class_name(class));
	if (r < 0)
		return r;
	if (!one) {
		printf("%s: %s, number %u, of", class_name(class),
			compose_mode_name(m.mode), m.sequence);
		for (int h = 0; h < N_HIERARCHIES; h++)
			if (m.has[h])
				printf(" /%s", hierarchy_name((enum hierarchy)h));
		printf("\n");
		return manifest_extensions(&m, print_extension, NULL);
	}
	json_object *hierarchies = json_object_new_array();
	json_object *extensions = json_object_new_array();
	json_add_number(one, "sequence", m.sequence);
	json_add_text(one, "mode", compose_mode_name(m.mode));
	for (int h = 0; h < N_HIERARCHIES; h++)
		if (m.has[h])
			json_append(hierarchies, json_object_new_string(hierarchy_name(
							 (enum hierarchy)h)));
	json_add(one, "hierarchies", hierarchies);
	json_add(one, "extensions", extensions);
	return manifest_extensions(&m, add_extension, extensions);
}

static void show_collision(
	const struct compose_report *p, const struct collision *c, json_object *list)
{
	if (!list) {
		char *path = strdup(c->path);
		if (path)
			error_defuse(path);
		printf("%s %s: %s and %s\n", c->allowed ? "overrides" : "COLLISION",
			path ? path : "?", p->names[c->upper], p->names[c->lower]);
		free(path);
		return;
	}
	json_object *one = json_object_new_object();
	json_add_bytes(one, "path", span_of(c->path, strlen(c->path)));
	json_add_text(one, "upper", p->names[c->upper]);
	json_add_text(one, "lower", p->names[c->lower]);
	json_add_bool(one, "allowed", c->allowed);
	json_append(list, one);
}

/* Collisions are shown also where they were the reason to refuse. */
static void show_collisions(const struct compose_report *p, json_object *one)
{
	json_object *list = one ? json_object_new_array() : NULL;
	for (size_t i = 0; i < p->survey.n_collisions; i++)
		show_collision(p, &p->survey.collisions[i], list);
	if (one)
		json_add(one, "collisions", list);
}

/* Adds an object for CLASS to the array ALL, if there is one. */
static json_object *start_class(json_object *all, enum extension_class class)
{
	json_object *one = all ? json_object_new_object() : NULL;
	if (one) {
		json_add_text(one, "class", class_name(class));
		json_append(all, one);
	}
	return one;
}

/* What the name NAME is looked for in. */
struct wanted_name {
	const char *name;
	bool found;
};

static int compare_name(void *context, char *words[3])
{
	struct wanted_name *wanted = context;
	wanted->found |= !strcmp(wanted->name, words[0]);
	return 0;
}

/* Where extensions that are gone are told: as notes, or in a list. */
struct farewell {
	const struct manifest *now;
	enum extension_class class;
	json_object *list;
};

static int tell_if_gone(void *context, char *words[3])
{
	const struct farewell *f = context;
	struct wanted_name wanted = {.name = words[0]};
	int r = manifest_extensions(f->now, compare_name, &wanted);
	if (r < 0 || wanted.found)
		return r;
	if (f->list)
		json_append(f->list, json_object_new_string(words[0]));
	else
		progress_note("%s: %s is gone, and composed no longer",
			class_name(f->class), words[0]);
	return 0;
}

/* An extension that was composed and is not any more is no news to be found by chance. */
static int show_gone(
	const struct compose_report *p, enum extension_class class, json_object *one)
{
	struct manifest before, now = {.sequence = 0};
	struct farewell f = {.now = &now, .class = class};
	int r = 0;
	if (one)
		json_add(one, "gone", f.list = json_object_new_array());
	if (!p->changed || !p->before.size)
		return 0;
	if (p->manifest.size)
		r = manifest_parse(&now, buffer_span(&p->manifest), class_name(class));
	if (r == 0)
		r = manifest_parse(&before, buffer_span(&p->before), class_name(class));
	return r < 0 ? r : manifest_extensions(&before, tell_if_gone, &f);
}

/* ---- merge, refresh, unmerge ---------------------------------------------------- */

static void show_notes(const struct compose_report *p, enum extension_class class)
{
	if (p->n_reaped)
		progress_note("removed %u devices that a run left which was killed",
			p->n_reaped);
	if (p->stacked)
		progress_note(
			"%s: this kernel cannot put a mount beneath another one: the "
			"old composition stays mounted below the new one",
			class_name(class));
}

/* Without --mutable a composition stays what it is: see what stands there. */
static int settle_mode(const struct extension_arguments *a, struct compose_options *o)
{
	static struct standing s;
	o->mode = a->mode;
	if (a->have_mode)
		return 0;
	int r = standing_read_class(&s, a->root, o->class);
	if (r == 0 && s.n_ours)
		o->mode = s.top.mode;
	standing_free(&s);
	return r;
}

/* ACTION: compose_refresh or compose_unmerge. */
static int run_class(const struct extension_arguments *a, struct compose_options *o,
	int (*action)(const struct compose_options *, struct compose_report *),
	json_object *all, bool *changed)
{
	static struct compose_report p;
	struct error_record why;
	json_object *one = start_class(all, o->class);
	p = (struct compose_report){.changed = false};
	int r = settle_mode(a, o);
	if (r == 0)
		r = action(o, &p);
	if (r < 0)
		error_take(&why);
	*changed |= p.changed;
	if (one) {
		json_add_bool(one, "changed", p.changed);
		json_add_bool(one, "stacked", p.stacked);
		json_add_number(one, "reaped", p.n_reaped);
	}
	show_collisions(&p, one);
	if (r == 0)
		show_notes(&p, o->class);
	if (r == 0)
		r = show_gone(&p, o->class, one);
	if (r == 0)
		r = show_manifest(buffer_span(&p.manifest), o->class, one);
	else
		error_put(&why);
	if (r == 0 && !p.changed && !a->json)
		progress_note("%s: nothing changed", class_name(o->class));
	compose_report_free(&p);
	return r;
}

/* Units may have come and gone. That systemd cannot be asked is no failure of ours. */
static void reload_systemd(const struct extension_arguments *a)
{
	static const char *const argv[] = {"systemctl", "daemon-reload", NULL};
	struct process p = {.argv = argv, .stdin_fd = -1, .stdout_fd = -1};
	if (a->no_reload || strcmp(a->root, "/") != 0 ||
		access("/run/systemd/system", F_OK) < 0)
		return;
	if (process_run(&p, NULL) < 0)
		progress_note("systemd was not reloaded: %s", error_text());
}

static int run_action(int argc, char **argv, bool fresh,
	int (*action)(const struct compose_options *, struct compose_report *))
{
	struct extension_arguments a;
	char run[PATH_MAX];
	bool changed = false;
	int r = extension_arguments_parse(&a, argc, argv, true);
	if (r < 0)
		return r;
	interrupt_catch();
	snprintf(run, sizeof run, "%s/run/cairn", strcmp(a.root, "/") ? a.root : "");
	struct compose_options o = {.root = a.root,
		.run = run,
		.fresh = fresh,
		/* Another system's disks are not this machine's. */
		.attached = !strcmp(a.root, "/"),
		.allow_gap = a.allow_gap,
		.allow_override = a.allow_override,
		.lock_ms = a.lock_s * 1000};
	json_object *all = a.json ? json_object_new_object() : NULL, *classes = NULL;
	if (all)
		json_add(all, "classes", classes = json_object_new_array());
	for (int c = 0; r == 0 && c < N_CLASSES; c++) {
		o.class = (enum extension_class)c;
		if (a.class[c])
			r = run_class(&a, &o, action, classes, &changed);
	}
	if (changed)
		reload_systemd(&a);
	struct error_record why;
	error_take(&why);
	int printed = all ? json_print(all) : 0;
	json_object_put(all);
	if (r < 0)
		error_put(&why);
	return r < 0 ? r : printed;
}

static int run_merge(int argc, char **argv)
{
	return run_action(argc, argv, true, compose_refresh);
}

static int run_refresh(int argc, char **argv)
{
	return run_action(argc, argv, false, compose_refresh);
}

static int run_unmerge(int argc, char **argv)
{
	return run_action(argc, argv, false, compose_unmerge);
}

/* ---- status --------------------------------------------------------------------- */

static int show_status(
	const struct extension_arguments *a, enum extension_class class, json_object *all)
{
	json_object *one = start_class(all, class);
	static struct standing s;
	int r = standing_read_class(&s, a->root, class);
	if (r == 0 && s.n_ours && one)
		json_add_number(one, "mounts", s.n_ours);
	if (r == 0)
		r = show_manifest(buffer_span(&s.manifest), class, one);
	standing_free(&s);
	return r;
}

static int run_status(int argc, char **argv)
{
	struct extension_arguments a;
	int r = extension_arguments_parse(&a, argc, argv, false);
	if (r < 0)
		return r;
	json_object *all = a.json ? json_object_new_object() : NULL, *classes = NULL;
	if (all)
		json_add(all, "classes", classes = json_object_new_array());
	for (int c = 0; r == 0 && c < N_CLASSES; c++)
		if (a.class[c])
			r = show_status(&a, (enum extension_class)c, classes);
	if (r == 0 && all)
		r = json_print(all);
	json_object_put(all);
	return r;
}

const struct verb verb_extension_status = {.name = "status", .run = run_status};
const struct verb verb_extension_merge = {.name = "merge", .run = run_merge};
const struct verb verb_extension_refresh = {.name = "refresh", .run = run_refresh};
const struct verb verb_extension_unmerge = {.name = "unmerge", .run = run_unmerge};
