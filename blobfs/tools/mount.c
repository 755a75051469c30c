/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "blobfs/refs.h"
#include "blobfs/tools/serve.h"
#include "blobfs/tools/tool.h"
#include "core/progress.h"

const char tool_name[] = "mount.blobfs";
const char tool_usage[] =
	"usage: mount.blobfs [-f] [--tree DIGEST|REF] [-o OPTION,...] IMAGE DIR\n\n"
	"Shows the blobs of an image as files DIR/ab/cdef..., read-only; every block is\n"
	"verified before it is used. Also run by `mount -t blobfs` and from /etc/fstab;\n"
	"umount (or fusermount3 -u) ends it.\n\n"
	"  -f      stay in the foreground, and log to standard error\n"
	"  --tree  show the tree of that digest, or that a ref leads to, with its\n"
	"          names, owners, modes, attributes and links\n"
	"  -o      tree=DIGEST|REF, ro, nosuid, nodev, noexec, exec, allow_other, and\n"
	"          what only mount(8) reads\n";

struct options {
	bool foreground;
	bool allow_other;
	bool noexec;
	const char *tree; /* a digest or a ref; NULL: the blobs */
	const char *image;
	const char *dir;
};

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

/* Options as mount(8) gives them: some have a meaning here, some none. */
static int parse_mount_options(char *list, struct options *o)
{
	static const char *const ignored[] = {"ro", "rw", "suid", "nosuid", "dev",
		"nodev", "exec", "auto", "noauto", "user", "nouser", "users", "nofail",
		"_netdev", "defaults", "noatime", "relatime", NULL};
	char *save, *word;
	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (!strcmp(word, "allow_other"))
			o->allow_other = true;
		else if (!strcmp(word, "noexec"))
			o->noexec = true;
		else if (!strncmp(word, "tree=", 5))
			o->tree = word + 5;
		else if (!is_one_of(word, ignored) && strncmp(word, "x-", 2) != 0)
			return error_usage("unknown mount option %s", word);
	}
	return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"tree", required_argument, NULL, 'T'},
		{0},
	};
	int c, r = 0;
	opterr = 0;
	/* -s, -n, -v and -t TYPE come from mount(8). */
	while (r == 0 && (c = getopt_long(argc, argv, "fsnvo:t:", options, NULL)) != -1) {
		if (c == 'f')
			o->foreground = true;
		else if (c == 'o')
			r = parse_mount_options(optarg, o);
		else if (c == 'T')
			o->tree = optarg;
		else if (c == '?')
			r = tool_unknown_option(argv, optind - 1);
	}
	if (r == 0 && argc - optind != 2)
		r = error_usage("an image and a directory are needed; see "
				"mount.blobfs --help");
	if (r < 0)
		return r;
	o->image = argv[optind];
	o->dir = argv[optind + 1];
	return 0;
}

/* A digest, or the name of a ref, which is only a hint: what it led to is said. */
static int find_tree(struct blobfs_store *s, const char *tree, uint8_t *digest)
{
	AUTO_BLOBFS_REFS refs = {0};
	char text[BLOBFS_DIGEST_TEXT];
	if (!strncmp(tree, "sha256:", 7) || strlen(tree) == 2 * BLOBFS_DIGEST_SIZE)
		return blobfs_digest_parse(tree, digest);
	int r = blobfs_refs_load(&refs, s);
	const struct blobfs_ref *ref = r == 0 ? blobfs_refs_find(&refs, tree) : NULL;
	if (r < 0)
		return r;
	if (!ref)
		return error_set(STATUS_FAILED, ENOENT, "%s: has no ref %s",
			s->device->name, tree);
	memcpy(digest, ref->digest, BLOBFS_DIGEST_SIZE);
	progress_note("%s: the ref %s, which nothing authenticates, leads to %s",
		s->device->name, tree, blobfs_digest_text(digest, text));
	return 0;
}

/* Mounts with options that say what it is and that nothing in it can be changed. */
static int mount_it(const struct options *o, struct serve *s)
{
	BUFFER text = {0};
	/* A comma would end the option. */
	int r = buffer_printf(&text,
		"ro,nosuid,nodev,default_permissions,subtype=blobfs%s%s,"
		"fsname=%s",
		o->noexec ? ",noexec" : "",
		o->allow_other || geteuid() == 0 ? ",allow_other" : "",
		strchr(o->image, ',') ? "blobfs" : o->image);
	/* The background has another directory. */
	char *dir = r == 0 ? realpath(o->dir, NULL) : NULL;
	if (r == 0 && !dir)
		r = error_errno("%s: cannot mount there", o->dir);
	if (r == 0)
		r = serve_mount(s, buffer_text(&text), dir);
	free(dir);
	return r;
}

/* The child: parses what is hostile, confined. */
static int serve_child(struct serve *s)
{
	int r = serve_run(s);
	if (r < 0)
		syslog(LOG_ERR, "%s", error_text());
	fflush(stderr);
	_exit(r < 0 ? (int)error_status() : 0);
}

/* Waits for the child, or for a signal that says to unmount. */
static int supervise(struct serve *s, pid_t child, const sigset_t *signals)
{
	int status = 0;
	for (;;) {
		int signal = sigwaitinfo(signals, NULL);
		if (signal < 0 && errno == EINTR)
			continue;
		if (signal == SIGCHLD && waitpid(child, &status, WNOHANG) != child)
			continue;
		break;
	}
	/* Also when the child died: nobody would answer. */
	serve_unmount(s);
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		       ? 0
		       : error_set(STATUS_FAILED, EIO, "the serving process failed");
}

static int run(const struct options *o, struct serve *s)
{
	sigset_t signals;
	if (!o->foreground && daemon(0, 0) < 0)
		return error_errno("cannot go to the background");
	/* The connection to the log is made while that is still allowed. */
	openlog(tool_name, LOG_NDELAY | LOG_PID, LOG_DAEMON);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	pid_t child = fork();
	if (child < 0)
		return error_errno("cannot fork");
	return child == 0 ? serve_child(s) : supervise(s, child, &signals);
}

int tool_run(int argc, char **argv)
{
	struct options o = {0};
	AUTO_BLOBFS_IMAGE image = {0};
	struct serve_options options = {.image = &image};
	struct serve *s = NULL;
	uint8_t tree[BLOBFS_DIGEST_SIZE];
	int r = parse(argc, argv, &o);
	options.to_stderr = o.foreground;
	if (r == 0)
		r = blobfs_image_open(&image, o.image, false);
	if (r == 0 && o.tree) {
		r = find_tree(&image.store, o.tree, tree);
		options.tree = tree;
	}
	if (r == 0)
		r = serve_new(&s, &options);
	if (r < 0 && o.tree)
		r = error_context(r, "--tree %s", o.tree);
	if (r == 0)
		r = mount_it(&o, s);
	if (r == 0)
		r = run(&o, s);
	serve_free(s);
	return r;
}
