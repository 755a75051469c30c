/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd_extension.h"
#include "cli/extension_options.h"
#include "core/json.h"
#include "core/path.h"
#include "initrd/compose/search.h"

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
	struct extension_arguments o;
	int r = extension_arguments_parse(&o, argc, argv, false);
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

const struct verb verb_extension_list = {.name = "list", .run = run_list};

static int run(int argc, char **argv)
{
	return verb_run_sub(extension_verbs, argc, argv);
}

const struct verb verb_extension = {
	.name = "extension",
	.run = run,
	.summary = "extensions of /usr, /opt and /etc",
	.usage = "usage: cairn extension list|status [OPTION...]\n"
		 "       cairn extension merge|refresh [OPTION...]\n"
		 "       cairn extension unmerge [OPTION...]\n"
		 "       cairn extension build TREE|TAR -o "
		 "NAME.sysext.raw|NAME.confext.raw [OPTION...]\n"
		 "\n"
		 "list shows the extensions that the search directories hold, the lowest "
		 "layer\n"
		 "first: images (NAME.raw), directories, and the newest version in "
		 "NAME.raw.v/.\n"
		 "status shows what is composed. merge verifies them all and composes "
		 "them over\n"
		 "/usr and /opt (sysext) and /etc (confext); refresh does so where "
		 "something is\n"
		 "composed already, without a moment in which files are missing. unmerge "
		 "shows the\n"
		 "base again. Names that two bring and that are not identical are listed "
		 "and refused.\n"
		 "\n"
		 "  --class CLASS  sysext (/usr and /opt) or confext (/etc); both if not "
		 "given\n"
		 "  --root DIR     the system below DIR instead of the running one\n"
		 "  --mutable no|ephemeral|yes  read-only (default); writable until the "
		 "next\n"
		 "                 refresh; writable, into "
		 "/var/lib/extensions.mutable/\n"
		 "  --allow-gap    replace what is mutable, with a moment without it\n"
		 "  --allow-override NAME       the extension NAME may replace files\n"
		 "  --lock-timeout SECONDS      for another run (30)\n"
		 "  --no-reload    systemd is not told\n"
		 "  --json         the report as JSON\n"
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
