/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/path.h"
#include "initrd/compose/survey.h"

/* Three layers of one hierarchy, as directories: the base, a lower and an upper one. */
static char *top;
static struct layer layers[3];
static struct survey s;
static const char *allowed; /* who may override */

static bool allows(const struct layer *upper)
{
	return allowed && !strcmp(allowed, upper->name);
}

static int check(const struct layer *l, const char *path, const struct entry *e)
{
	return layer_check_entry(l->name, path, e, false);
}

static int start(void **state)
{
	static char name[64];
	static const char *const names[] = {"base", "lower", "upper"};
	char path[96];
	(void)state;
	strcpy(name, "/tmp/cairn-test.XXXXXX");
	top = mkdtemp(name);
	allowed = NULL;
	for (int i = 0; top && i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s/usr", top, names[i]);
		assert_int_equal(path_make_dirs(path, 0755), 0);
		path[strlen(path) - 4] = 0;
		layers[i] = (struct layer){names[i], path_open_dir(path), NULL};
		assert_true(layers[i].tree >= 0);
	}
	s = (struct survey){.layers = layers,
		.n_layers = 3,
		.allows_override = allows,
		.check = check};
	return top ? 0 : -1;
}

static int end(void **state)
{
	char command[128];
	(void)state;
	survey_free(&s);
	for (int i = 0; i < 3; i++)
		close(layers[i].tree);
	snprintf(command, sizeof command, "rm -rf '%s'", top);
	return system(command);
}

static void put(int layer, const char *path, const char *text, mode_t mode)
{
	char copy[256];
	snprintf(copy, sizeof copy, "%s/%s/%s", top, layers[layer].name, path);
	*strrchr(copy, '/') = 0;
	assert_int_equal(path_make_dirs(copy, 0755), 0);
	int fd = openat(
		layers[layer].tree, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void collides(size_t i, const char *path, size_t upper, size_t lower)
{
	assert_true(i < s.n_collisions);
	assert_string_equal(s.collisions[i].path, path);
	assert_int_equal(s.collisions[i].upper, upper);
	assert_int_equal(s.collisions[i].lower, lower);
}

static int look(void)
{
	return survey_hierarchy(&s, HIERARCHY_USR);
}

static void identical_is_no_collision(void **state)
{
	(void)state;
	put(0, "usr/a", "same", 0644);
	put(1, "usr/a", "same", 0644);
	put(2, "usr/a", "same", 0644);
	put(2, "usr/b", "alone", 0644);
	put(0, "usr/only/base", "x", 0600);
	assert_int_equal(look(), 0);
	assert_int_equal(s.n_collisions, 0);
	assert_int_equal(s.n_entries, 5); /* two usr, two a, b */
}

static void each_difference_counts(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		put(i, "usr/contents", i ? "one" : "two", 0644);
		put(i, "usr/length", i ? "one" : "three", 0644);
		put(i, "usr/mode", "x", i ? 0644 : 0600);
		put(i, "usr/owner", "x", 0644);
		put(i, "usr/xattr", "x", 0644);
		put(i, "usr/value", "x", 0644);
		assert_int_equal(
			symlinkat(i ? "there" : "here", layers[i].tree, "usr/link"), 0);
	}
	put(0, "usr/type", "x", 0644);
	put(1, "usr/type/file", "x", 0644);
	put(0, "usr/dir/a", "x", 0644);
	put(1, "usr/dir/b", "x", 0644);
	assert_int_equal(fchmodat(layers[1].tree, "usr/dir", 0777, 0), 0);
	assert_int_equal(fchownat(layers[1].tree, "usr/owner", 5, 0, 0), 0);
	char path[256];
	snprintf(path, sizeof path, "%s/lower/usr/xattr", top);
	assert_int_equal(setxattr(path, "trusted.x", "1", 1, 0), 0);
	snprintf(path, sizeof path, "%s/lower/usr/value", top);
	assert_int_equal(setxattr(path, "trusted.x", "1", 1, 0), 0);
	snprintf(path, sizeof path, "%s/base/usr/value", top);
	assert_int_equal(setxattr(path, "trusted.x", "2", 1, 0), 0);
	static const char *const names[] = {"contents", "dir", "length", "link", "mode",
		"owner", "type", "value", "xattr"};
	assert_int_equal(look(), 0);
	assert_int_equal(s.n_collisions, sizeof names / sizeof names[0]);
	for (size_t i = 0; i < s.n_collisions; i++) {
		snprintf(path, sizeof path, "/usr/%s", names[i]);
		collides(i, path, 1, 0);
	}
	assert_int_equal(s.n_refused, s.n_collisions);
}

static void names_both_owners(void **state)
{
	(void)state;
	put(0, "usr/x", "0", 0644);
	put(1, "usr/x", "1", 0644);
	put(2, "usr/x", "2", 0644);
	put(1, "usr/y\nz", "1", 0644);
	put(2, "usr/y\nz", "2", 0644);
	allowed = "upper";
	assert_int_equal(look(), 0);
	assert_int_equal(s.n_collisions, 3);
	collides(0, "/usr/x", 2, 1);
	collides(1, "/usr/x", 1, 0);
	collides(2, "/usr/y\nz", 2, 1);
	assert_true(s.collisions[0].allowed && !s.collisions[1].allowed);
	assert_int_equal(s.n_refused, 1);
}

/* What a file in a higher layer hides is not walked; what is above it is. */
static void files_hide_directories(void **state)
{
	(void)state;
	put(0, "usr/d/deep", "0", 0644);
	put(1, "usr/d", "file", 0644);
	put(2, "usr/d/deep", "2", 0644);
	assert_int_equal(look(), 0);
	assert_int_equal(s.n_collisions, 2);
	collides(0, "/usr/d", 2, 1);
	collides(1, "/usr/d", 1, 0);
}

static void refuse(const char *why)
{
	s.n_collisions = 0;
	assert_true(look() < 0);
	assert_int_equal(error_status(), STATUS_DIFFERS);
	if (!strstr(error_text(), why))
		fail_msg("no '%s' in: %s", why, error_text());
}

static void refuses_what_no_extension_may_have(void **state)
{
	(void)state;
	put(1, "usr/lib/cairnish", "x", 0644);
	put(1, "usr/set", "x", 0644);
	assert_int_equal(look(), 0);
	assert_int_equal(fchmodat(layers[1].tree, "usr/set", 02755, 0), 0);
	refuse("lower: /usr/set: runs with rights of its own");
	assert_int_equal(unlinkat(layers[1].tree, "usr/set", 0), 0);
	assert_int_equal(mknodat(layers[2].tree, "usr/gone", S_IFCHR, 0), 0);
	refuse("upper: /usr/gone: is a whiteout");
	assert_int_equal(unlinkat(layers[2].tree, "usr/gone", 0), 0);
	put(1, "usr/lib/cairn/trust", "x", 0644);
	refuse("lower: /usr/lib/cairn: decides whom the system trusts");
	char path[256];
	snprintf(path, sizeof path, "%s/lower/usr/lib/cairn", top);
	assert_int_equal(unlinkat(layers[1].tree, "usr/lib/cairn/trust", 0), 0);
	assert_int_equal(rmdir(path), 0);
	snprintf(path, sizeof path, "%s/lower/usr/lib", top);
	assert_int_equal(setxattr(path, "trusted.overlay.opaque", "y", 1, 0), 0);
	refuse("lower: /usr/lib: has an attribute that overlayfs acts upon");
	assert_int_equal(removexattr(path, "trusted.overlay.opaque"), 0);
	/* In the base it is the base's own matter. */
	snprintf(path, sizeof path, "%s/base/usr", top);
	assert_int_equal(mknodat(layers[0].tree, "usr/gone", S_IFCHR, 0), 0);
	assert_int_equal(look(), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)
	const struct CMUnitTest tests[] = {
		TEST(identical_is_no_collision),
		TEST(each_difference_counts),
		TEST(names_both_owners),
		TEST(files_hide_directories),
		TEST(refuses_what_no_extension_may_have),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
