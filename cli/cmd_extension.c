/* SPDX-License-Identifier: MIT */
#include "cli/cmd_extension.h"

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
		 "NAME.raw.v/;\n"
		 "and disks that ask to be extensions.\n"
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
