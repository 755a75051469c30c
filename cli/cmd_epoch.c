/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/json.h"
#include "core/progress.h"
#include "initrd/compose/epochs.h"
#include "initrd/compose/lines.h"

struct options {
	const char *root, *tpm;
	unsigned to;
	bool raise, json, quiet;
};

static int take_epoch(void *into, const char *value)
{
	unsigned *to = into;
	if (lines_number(span_of(value, strlen(value)), ANCHORS_EPOCH_MAX, to) && *to)
		return 0;
	return error_usage(
		"epoch: --to %s: no number from 1 to %d", value, ANCHORS_EPOCH_MAX);
}

static int parse(struct options *o, int argc, char **argv)
{
	const struct argument table[] = {
		{.name = "root", .text = &o->root},
		{.name = "tpm", .text = &o->tpm},
		{.name = "to", .take = take_epoch, .into = &o->to},
		{.name = "json", .flag = &o->json},
		{.name = "quiet", .flag = &o->quiet},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	progress_silence(o->quiet);
	const char *what = first + 1 == argc ? argv[first] : "";
	o->raise = !strcmp(what, "raise");
	if (!o->raise && strcmp(what, "show") != 0)
		return error_usage("epoch: say show or raise; see cairn help epoch");
	if (o->to && !o->raise)
		return error_usage("epoch: --to is for raise");
	return 0;
}

static int print_json(const struct epochs *e)
{
	const char *reason = rollback_reason(e->state);
	json_object *document = json_object_new_object();
	json_add_number(document, "epoch", e->own);
	json_add_number(document, "baseFloor", e->base_floor);
	json_add_number(document, "tpmFloor", e->tpm_floor);
	json_add_text(document, "rollback", reason ? "unprotected" : "tpm");
	json_add_text(document, "reason", reason);
	int r = json_print(document);
	json_object_put(document);
	return r;
}

static int print(const struct options *o, const struct epochs *e)
{
	const char *reason = rollback_reason(e->state);
	if (o->json)
		return print_json(e);
	printf("epoch: %u\nfloor of the base: %u\nfloor of the TPM: ", e->own,
		e->base_floor);
	printf(reason ? "none\n" : "%ju\n", (uintmax_t)e->tpm_floor);
	printf("rollback: %s%s\n", reason ? "unprotected: " : "tpm",
		reason ? reason : "");
	return 0;
}

static int raise_floor(const struct options *o, struct epochs *e)
{
	int r = epochs_raise(e, o->tpm, o->to);
	if (r > 0)
		progress_note("the floor stays as it is");
	return r < 0 ? r : epochs_read(e, o->root, o->tpm);
}

static int run(int argc, char **argv)
{
	struct options o = {.root = "/", .tpm = TPM_DEVICE};
	struct epochs epochs;
	int r = parse(&o, argc, argv);
	if (r == 0)
		r = epochs_read(&epochs, o.root, o.tpm);
	if (r == 0 && o.raise)
		r = raise_floor(&o, &epochs);
	return r < 0 ? r : print(&o, &epochs);
}

const struct verb verb_epoch = {
	.name = "epoch",
	.run = run,
	.summary = "how old a signed image may be on this machine",
	.usage = "usage: cairn epoch show [OPTION...]\n"
		 "       cairn epoch raise [--to N] [OPTION...]\n"
		 "\n"
		 "Shows the epoch of the running system (CAIRN_EPOCH in os-release), the "
		 "floor\n"
		 "that its policy states (epoch-floor in usr/lib/cairn/extensions.conf) "
		 "and the\n"
		 "floor in the TPM, or raises the latter to the former. What is signed "
		 "but of an\n"
		 "epoch below the floor is refused. A floor in the TPM cannot be "
		 "lowered: raise\n"
		 "it only after the system was seen to be good.\n"
		 "\n"
		 "  --to N          raise to N, not to what the policy states\n"
		 "  --root DIR      the system below DIR (/)\n"
		 "  --tpm DEVICE    /dev/tpmrm0, or a socket where swtpm serves\n"
		 "  --json          the same as JSON\n"
		 "  --quiet         nothing on stderr but what went wrong\n"
		 "\n"
		 "Exit status: 0 good; 1 no TPM to raise a floor in, or it refused; 2 as "
		 "usual.\n",
};
