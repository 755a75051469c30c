/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "builder/acl.h"
#include "builder/block_stream.h"
#include "builder/filesystem.h"
#include "builder/tar_stream.h"
#include "builder/tree_build.h"
#include "core/process.h"

static char directory[] = "/tmp/cairn-tree.XXXXXX";

static void put(const char *path, const char *text, off_t offset)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), offset), strlen(text));
	close(fd);
}

/* A directory "t" with what the tests look for. */
static int enter(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || chdir(directory))
		return -1;
	static const char *const directories[] = {
		"t", "t/a", "t/a/b", "t/a-b", "t/usr", "t/usr/lib"};
	for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
		mkdir(directories[i], 0755);
	put("t/a/b/deep", "deep", 0);
	put("t/a-b/x", "x", 0);
	put("t/usr/lib/os-release", "ID=test\n", 0);
	put("t/holes", "begin", 0);
	put("t/holes", "end", 200000);
	int failed =
		symlink("usr/lib", "t/lib") | symlink("../usr/lib/os-release", "t/a/up") |
		symlink("/lib/os-release", "t/a/b/absolute") | symlink("loop", "t/loop") |
		symlink("../../../../lib", "t/a/above") |
		symlink("nowhere", "t/dangling") | link("t/holes", "t/usr/holes-too");
	return failed;
}

static int leave(void **state)
{
	(void)state;
	const char *argv[] = {"rm", "-rf", directory, NULL};
	return process_run(
		&(struct process){.argv = argv, .stdin_fd = -1, .stdout_fd = -1}, NULL);
}

static void entries_are_in_order(void **state)
{
	(void)state;
	AUTO_TREE tree = TREE_EMPTY;
	assert_int_equal(tree_load(&tree, "t", NULL), 0);
	static const char *const paths[] = {"", "a", "a/above", "a/b", "a/b/absolute",
		"a/b/deep", "a/up", "a-b", "a-b/x", "dangling", "holes", "lib", "loop",
		"usr", "usr/holes-too", "usr/lib", "usr/lib/os-release"};
	assert_int_equal(tree.n_entries, sizeof paths / sizeof paths[0]);
	for (size_t i = 0; i < tree.n_entries; i++) {
		assert_string_equal(tree.entries[i].path, paths[i]);
		assert_ptr_equal(tree_find(&tree, paths[i]), &tree.entries[i]);
	}
	assert_int_equal(tree.entries[5].parent, 3);
	assert_int_equal(tree.entries[8].parent, 7);
	assert_int_equal(tree.entries[13].parent, 0);
	assert_int_equal(tree_end(&tree, &tree.entries[1]), 7);
	assert_int_equal(tree_end(&tree, &tree.entries[0]), tree.n_entries);
	assert_int_equal(tree_end(&tree, &tree.entries[8]), 9);
	assert_string_equal(tree_base(&tree.entries[16]), "os-release");
	assert_null(tree_find(&tree, "a/c"));
	assert_int_equal(tree.entries[10].n_names, 2);
	assert_int_equal(tree.entries[14].first_name, 10);
}

static void links_are_followed_inside(void **state)
{
	(void)state;
	AUTO_TREE tree = TREE_EMPTY;
	assert_int_equal(tree_load(&tree, "t", NULL), 0);
	const struct tree_entry *wanted = tree_find(&tree, "/usr/lib/os-release");
	assert_non_null(wanted);
	static const char *const paths[] = {"lib/os-release", "/lib/os-release", "a/up",
		"a/b/absolute", "a/above/os-release", "a/../lib/./os-release",
		"../../usr//lib/os-release"};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		assert_ptr_equal(tree_resolve(&tree, paths[i]), wanted);
	static const char *const nowhere[] = {
		"loop", "dangling", "a/up/x", "a/none/../up", "usr/lib/os-release/.."};
	for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
		assert_null(tree_resolve(&tree, nowhere[i]));
	assert_ptr_equal(tree_resolve(&tree, ""), &tree.entries[0]);
	assert_ptr_equal(tree_resolve(&tree, "lib"), tree_find(&tree, "usr/lib"));
}

static void contents_are_read(void **state)
{
	(void)state;
	AUTO_TREE tree = TREE_EMPTY;
	BUFFER text = {0}, holes = {0};
	assert_int_equal(tree_load(&tree, "t", NULL), 0);
	assert_int_equal(
		tree_read(&tree, tree_find(&tree, "usr/lib/os-release"), 100, &text), 0);
	assert_string_equal(buffer_text(&text), "ID=test\n");
	assert_true(
		tree_read(&tree, tree_find(&tree, "usr/lib/os-release"), 7, &text) < 0);
	assert_int_equal(error_status(), STATUS_FORMAT);
	assert_true(tree_read(&tree, tree_find(&tree, "usr"), 100, &text) < 0);
	assert_int_equal(
		tree_read(&tree, tree_find(&tree, "usr/holes-too"), 300000, &holes), 0);
	assert_int_equal(holes.size, 200003);
	assert_memory_equal(holes.data, "begin\0\0", 7);
	assert_memory_equal(holes.data + 199999, "\0end", 4);
}

static void a_file_that_changed_is_refused(void **state)
{
	(void)state;
	AUTO_TREE tree = TREE_EMPTY;
	BUFFER text = {0};
	assert_int_equal(tree_load(&tree, "t", NULL), 0);
	const struct tree_entry *e = tree_find(&tree, "a-b/x");
	assert_int_equal(tree_read(&tree, e, 10, &text), 0);
	put("t/a-b/x", "y", 0);
	assert_true(tree_read(&tree, e, 10, &text) < 0);
	assert_non_null(strstr(error_text(), "t/a-b/x: changed"));
	/* Nor is a link followed that was put in its place, or in that of a directory. */
	assert_int_equal(rename("t/usr", "t/moved"), 0);
	assert_int_equal(symlink("moved", "t/usr"), 0);
	assert_true(
		tree_read(&tree, tree_find(&tree, "usr/lib/os-release"), 100, &text) < 0);
	assert_int_equal(unlink("t/usr"), 0);
	assert_int_equal(rename("t/moved", "t/usr"), 0);
	assert_int_equal(
		tree_read(&tree, tree_find(&tree, "usr/lib/os-release"), 100, &text), 0);
}

static int count(void *context, const uint8_t *data, uint64_t number)
{
	char *numbers = context;
	size_t used = strlen(numbers);
	assert_true(data[0] || memcmp(data, data + 1, BLOCK_STREAM_SIZE - 1));
	snprintf(numbers + used, 64 - used, "%ju ", (uintmax_t)number);
	return 0;
}

static void zero_blocks_are_holes(void **state)
{
	(void)state;
	AUTO_TREE tree = TREE_EMPTY;
	char numbers[64] = "";
	put("t/holes", "middle", 4096 * 7 - 3);
	assert_int_equal(tree_load(&tree, "t", NULL), 0);
	assert_int_equal(
		block_stream(&tree, tree_find(&tree, "holes"), count, numbers), 0);
	assert_string_equal(numbers, "0 6 7 48 ");
}

/* Writes the tree's stream into a file of that name. */
static void stream_to(const struct tree *tree, const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(tar_stream_write(tree, &tree->entries[0], true, fd), 0);
	close(fd);
}

static void the_stream_is_a_tar_of_the_tree(void **state)
{
	(void)state;
	AUTO_TREE tree = TREE_EMPTY, again = TREE_EMPTY;
	AUTO_FILE first = FILE_CLOSED, second = FILE_CLOSED;
	assert_int_equal(tree_load(&tree, "t", NULL), 0);
	stream_to(&tree, "first.tar");
	if (tree_load(&again, "first.tar", "./scratch") < 0)
		fail_msg("%s", error_text());
	assert_int_equal(again.n_entries, tree.n_entries);
	for (size_t i = 0; i < tree.n_entries; i++) {
		const struct tree_entry *x = &tree.entries[i], *y = &again.entries[i];
		assert_string_equal(x->path, y->path);
		assert_int_equal(x->mode, y->mode);
		assert_int_equal(x->mtime, y->mtime);
		assert_int_equal(x->mtime_ns, y->mtime_ns);
		assert_int_equal(x->size, y->size);
		assert_int_equal(x->first_name, y->first_name);
		assert_int_equal(x->n_names, y->n_names);
		assert_int_equal(x->parent, y->parent);
	}
	stream_to(&again, "second.tar");
	BUFFER a = {0}, b = {0};
	assert_int_equal(file_slurp("first.tar", 1 << 24, &a), 0);
	assert_int_equal(file_slurp("second.tar", 1 << 24, &b), 0);
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.data, b.data, a.size);
}

static void modes_without_acls_grant_no_more(void **state)
{
	(void)state;
	uint8_t value[] = {2, 0, 0, 0, 1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff, 4, 0, 5, 0,
		0xff, 0xff, 0xff, 0xff, 0x10, 0, 6, 0, 0xff, 0xff, 0xff, 0xff};
	struct tree_entry e = {.mode = S_IFREG | 0664};
	assert_false(acl_exists(&e));
	assert_int_equal(acl_mode_without(&e), S_IFREG | 0664);
	assert_int_equal(tree_add_xattr(&e, ACL_ACCESS, value, sizeof value), 0);
	assert_true(acl_exists(&e));
	assert_int_equal(acl_mode_without(&e), S_IFREG | 0644);
	e.xattrs[0].size = 11;
	assert_int_equal(acl_mode_without(&e), S_IFREG | 0604);
	assert_int_equal(tree_add_xattr(&e, "btrfs.compression", "zstd", 4), 0);
	assert_int_equal(e.n_xattrs, 1);
	tree_entry_free(&e);
}

static void names_are_quoted(void **state)
{
	(void)state;
	char text[TREE_QUOTE_SIZE], longest[1000];
	assert_string_equal(tree_quote("a\n\xff\\ b", text), "a\\x0a\\xff\\x5c b");
	memset(longest, '\n', sizeof longest);
	longest[sizeof longest - 1] = 0;
	assert_true(strlen(tree_quote(longest, text)) < TREE_QUOTE_SIZE);
	assert_non_null(strstr(text, "..."));
}

static void types_have_names(void **state)
{
	(void)state;
	enum filesystem_type type;
	for (unsigned i = FILESYSTEM_EROFS; i <= FILESYSTEM_EXT4; i++) {
		assert_int_equal(filesystem_by_name(
					 filesystem_name((enum filesystem_type)i), &type),
			0);
		assert_int_equal(type, i);
	}
	assert_true(filesystem_by_name("vfat", &type) < 0);
	assert_int_equal(error_status(), STATUS_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_in_order),
		cmocka_unit_test(links_are_followed_inside),
		cmocka_unit_test(contents_are_read),
		cmocka_unit_test(a_file_that_changed_is_refused),
		cmocka_unit_test(zero_blocks_are_holes),
		cmocka_unit_test(the_stream_is_a_tar_of_the_tree),
		cmocka_unit_test(modes_without_acls_grant_no_more),
		cmocka_unit_test(names_are_quoted),
		cmocka_unit_test(types_have_names),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
