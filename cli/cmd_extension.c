/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/cmd_extension.h"
#include "core/json.h"
#include "core/path.h"
#include "core/progress.h"
#include "initrd/compose/search.h"

struct extension_options {
	const char *root;
	bool class[N_CLASSES]; /* those that are meant */
	bool json;
};

enum {
	OPT_ROOT = 256,
	OPT_CLASS,
	OPT_JSON,
	OPT_QUIET,
};

static const struct option options[] = {
	{"root", required_argument, NULL, OPT_ROOT},
	{"class", required_argument, NULL, OPT_CLASS},
	{"json", no_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{NULL, 0, NULL, 0},
};

static int parse_class(struct extension_options *o, const char *text)
{
	for (int c = 0; c < N_CLASSES; c++)
		if (!strcmp(text, class_name((enum extension_class)c)))
			return o->class[c] = true, 0;
	return error_usage("--class=%s: there are sysext and confext", text);
}

static int parse_option(struct extension_options *o, int option, char **argv)
{
	switch (option) {
	case OPT_ROOT:
		o->root = optarg;
		return 0;
	case OPT_CLASS:
		return parse_class(o, optarg);
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_QUIET:
		progress_silence(true);
		return 0;
	default:
		return argument_unknown(option, argv);
	}
}

static int parse(int argc, char **argv, struct extension_options *o)
{
	int c, r;
	*o = (struct extension_options){.root = "/"};
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1)
		if ((r = parse_option(o, c, argv)) < 0)
			return r;
	if (optind < argc)
		return error_usage("extension %s: takes no argument, but there is %s",
			argv[0], argv[optind]);
	if (!o->class[CLASS_SYSEXT] && !o->class[CLASS_CONFEXT])
		o->class[CLASS_SYSEXT] = o->class[CLASS_CONFEXT] = true;
	return 0;
}

/* ---- list ---------------------------------------------------------------------------
 */

static void list_one(json_object *all, enum extension_class class, const struct found *f)
{
	const char *kind = f->is_directory ? "directory" : "image";
	if (!all) {
		printf("%-8s %-9s %s %s\n", class_name(class), kind, f->name, f->path);
		return;
	}
	json_object *one = json_object_new_object();
	json_add_text(one, "name", f->name);
	json_add_text(one, "class", class_name(class));
	json_add_text(one, "kind", kind);
	json_add_bytes(one, "path", span_of(f->path, strlen(f->path)));
	json_append(all, one);
}

static int list_class(int root, json_object *all, enum extension_class class)
{
	AUTO_SEARCH s;
	int r = search_extensions(root, class, &s);
	for (size_t i = 0; r == 0 && i < s.n; i++)
		list_one(all, class, &s.items[i]);
	return r;
}

static int run_list(int argc, char **argv)
{
	struct extension_options o;
	int r = parse(argc, argv, &o);
	int root = r < 0 ? r : path_open_dir(o.root);
	if (root < 0)
		return root;
	json_object *all = o.json ? json_object_new_object() : NULL, *list = NULL;
	if (all)
		json_add(all, "extensions", list = json_object_new_array());
	for (int c = 0; r == 0 && c < N_CLASSES; c++)
		if (o.class[c])
			r = list_class(root, list, (enum extension_class)c);
	if (r == 0 && all)
		r = json_print(all);
	json_object_put(all);
	close(root);
	return r;
}

static const struct verb verb_list = {.name = "list", .run = run_list};

static const struct verb *const subverbs[] = {&verb_extension_build, &verb_list, NULL};

static int run(int argc, char **argv)
{
	return verb_run_sub(subverbs, argc, argv);
}

const struct verb verb_extension = {
	.name = "extension",
	.run = run,
	.summary = "extensions of /usr, /opt and /etc",
	.usage = "usage: cairn extension list [--class sysext|confext] [--root DIR] "
		 "[--json]\n"
		 "       cairn extension build TREE|TAR -o "
		 "NAME.sysext.raw|NAME.confext.raw "
		 "[OPTION...]\n"
		 "\n"
		 "list shows the extensions that the search directories hold, the lowest "
		 "layer\n"
		 "first: images (NAME.raw), directories, and the newest version in "
		 "NAME.raw.v/.\n"
		 "\n"
		 "  --class CLASS  sysext (/usr and /opt) or confext (/etc); both if not "
		 "given\n"
		 "  --root DIR     the system below DIR instead of the running one\n"
		 "  --json         the list as JSON\n"
		 "  --quiet        no notes\n"
		 "\n"
		 "build makes a signed disk image of TREE, which holds nothing but usr/ "
		 "and opt/\n"
		 "(sysext) or etc/ (confext). The tree's own extension-release.NAME must "
		 "agree with\n"
		 "the options; if it has none, it is made of them.\n"
		 "\n"
		 "  --id ID --version-id VERSION   the system it is for; --id _any: all\n"
		 "  --level LEVEL        SYSEXT_LEVEL or CONFEXT_LEVEL, not the version\n"
		 "  --scope SCOPE        system, initrd, portable\n"
		 "  --architecture ARCH  x86-64, arm64, ...; _any\n"
		 "  --epoch N            CAIRN_EPOCH: systems with a higher floor refuse "
		 "it\n"
		 "  --name NAME          where the file is not called as the extension\n"
		 "  --fs erofs|squashfs --compress METHOD[,LEVEL] --fec-roots N --seed "
		 "TEXT\n"
		 "                       as for cairn build\n"
		 "  --key FILE|URI --cert FILE   sign; the certificate must be for this "
		 "purpose\n"
		 "  --jobs N --force --quiet --json\n",
};
