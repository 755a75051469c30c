/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/dps.h"
#include "core/path.h"
#include "initrd/compose/manifest.h"
#include "initrd/compose/release.h"
#include "initrd/compose/search.h"
#include "initrd/compose/version.h"
#include "initrd/compose/vpick.h"

/* From the Version Format Specification's own examples: each is older than the next. */
static void orders_versions(void **state)
{
	static const char *const rising[] = {
		"11~rc1", "11", "11-1", "11-2", "11.1", "12", NULL};
	static const char *const pairs[][2] = {{"122.1", "123~rc1-1"},
		{"123~rc1-1", "123"}, {"123", "123-a"}, {"123-a", "123-a.1"},
		{"123-a.1", "123-1"}, {"123-1", "123-1.1"}, {"123-1.1", "123^post1"},
		{"123^post1", "123.a-1"}, {"123.a-1", "123.1-1"}, {"123.1-1", "123a-1"},
		{"123a-1", "124-1"}, {"~", ""}, {"~1", ""}, {"a", "aa"}, {"A", "a"},
		{"9", "10"}, {"1.2", "1.10"}, {"", "1"}, {"a", "1"}};
	(void)state;
	for (size_t i = 0; rising[i + 1]; i++)
		for (size_t j = i + 1; rising[j]; j++)
			assert_true(version_compare(rising[i], rising[j]) < 0);
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		if (version_compare(pairs[i][0], pairs[i][1]) >= 0 ||
			version_compare(pairs[i][1], pairs[i][0]) <= 0)
			fail_msg("%s must be older than %s", pairs[i][0], pairs[i][1]);
		assert_int_equal(version_compare(pairs[i][0], pairs[i][0]), 0);
	}
	assert_int_equal(version_compare("1_2", "1+2"), 0);
	assert_int_equal(version_compare("001", "1"), 0);
}

static void picks_versions(void **state)
{
	struct pick p, q;
	char entry[100];
	(void)state;
	assert_true(pick_parse(&p, "a_1.2.raw", "a", ".raw"));
	assert_string_equal(p.version, "1.2");
	assert_false(p.is_native || p.is_exhausted);
	snprintf(entry, sizeof entry, "a_1.2_%s+0-3.raw", dps_native());
	assert_true(pick_parse(&q, entry, "a", ".raw"));
	assert_string_equal(q.version, "1.2");
	assert_true(q.is_native && q.is_exhausted);
	assert_true(pick_compare(&p, &q) > 0);
	assert_true(pick_parse(&q, "a_1.10+3", "a", ""));
	assert_true(pick_compare(&p, &q) < 0);
	assert_false(pick_parse(&p, "a_1_loongarch64.raw", "a", ".raw"));
	assert_false(pick_parse(&p, "a_.raw", "a", ".raw"));
	assert_false(pick_parse(&p, "ab_1.raw", "a", ".raw"));
	assert_false(pick_parse(&p, "a_1.img", "a", ".raw"));
}

static struct release release_of(const char *text, enum extension_class class)
{
	struct release r;
	if (release_parse(&r, class, span_of(text, strlen(text)), "test") < 0)
		fail_msg("%s", error_text());
	return r;
}

static void matches_releases(void **state)
{
	static const struct {
		const char *host, *extension;
		bool fits;
	} rows[] = {
		{"ID=a\nVERSION_ID=1\n", "ID=a\nVERSION_ID=1\n", true},
		{"ID=a\nVERSION_ID=\"1\"\n", "ID='a'\nVERSION_ID=1", true},
		{"ID=a\nVERSION_ID=1\n", "ID=a\nVERSION_ID=2\n", false},
		{"ID=a\nVERSION_ID=1\n", "ID=a\n", false},
		{"ID=a\nVERSION_ID=1\n", "ID=b\nVERSION_ID=1\n", false},
		{"ID=a\nVERSION_ID=1\n", "VERSION_ID=1\n", false},
		{"ID=a\nVERSION_ID=1\n", "ID=_any\n", true},
		{"ID=a\nVERSION_ID=1\nSYSEXT_LEVEL=3\n", "ID=a\nSYSEXT_LEVEL=3\n", true},
		{"ID=a\nVERSION_ID=1\nSYSEXT_LEVEL=3\n",
			"ID=a\nVERSION_ID=1\nSYSEXT_LEVEL=2\n", false},
		{"ID=a\nVERSION_ID=1\nCONFEXT_LEVEL=3\n",
			"ID=a\nVERSION_ID=2\nCONFEXT_LEVEL=3\n", false},
		{"ID=a\n", "ID=a\nVERSION_ID=9\n", true},
		{"ID=a\n", "ID=a\nSYSEXT_SCOPE=\"initrd portable\"\n", false},
		{"ID=a\n", "ID=a\nSYSEXT_SCOPE=\"initrd system\"\n", true},
		{"ID=a\n", "ID=a\nARCHITECTURE=_any\n", true},
		{"ID=a\n", "ID=_any\nARCHITECTURE=loongarch64\n", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct release host = release_of(rows[i].host, CLASS_SYSEXT);
		struct release e = release_of(rows[i].extension, CLASS_SYSEXT);
		if ((release_match(&e, &host, "x") == 0) != rows[i].fits)
			fail_msg("%s on %s", rows[i].extension, rows[i].host);
	}
	struct release r = release_of("ID=a\nCONFEXT_LEVEL=3\n# x=y\n", CLASS_CONFEXT);
	assert_string_equal(r.level, "3");
}

static void refuses_bad_releases(void **state)
{
	static const char *const bad[] = {"ID=a\nnothing\n", "ID=\"a\n", "ID=a b\n",
		"ID='a'b\n", "ID=\"a\\\n", "ID=$a\n"};
	struct release r;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct span text = span_of(bad[i], strlen(bad[i]));
		assert_true(release_parse(&r, CLASS_SYSEXT, text, "test") < 0);
		assert_int_equal(error_status(), STATUS_FORMAT);
	}
}

static int count_extension(void *context, char *words[3])
{
	unsigned *n = context;
	assert_string_equal(words[0], *n ? "two" : "one");
	assert_string_equal(words[2], "signer");
	(*n)++;
	return 0;
}

static void reads_its_manifests(void **state)
{
	static const char body[] = "class confext\nmode ephemeral\nextension one hash "
				   "signer\nextension two hash signer\n";
	const bool has[N_HIERARCHIES] = {[HIERARCHY_ETC] = true};
	BUFFER text = {0};
	struct manifest m;
	unsigned n = 0;
	(void)state;
	struct span whole = span_of(body, strlen(body));
	assert_int_equal(manifest_write(&text, 7, whole, has), 0);
	assert_int_equal(manifest_parse(&m, buffer_span(&text), "test"), 0);
	assert_int_equal(m.sequence, 7);
	assert_int_equal(m.class, CLASS_CONFEXT);
	assert_int_equal(m.mode, MODE_EPHEMERAL);
	assert_true(m.has[HIERARCHY_ETC] && !m.has[HIERARCHY_USR]);
	assert_int_equal(m.body.size, whole.size);
	assert_memory_equal(m.body.data, body, whole.size);
	assert_int_equal(manifest_extensions(&m, count_extension, &n), 0);
	assert_int_equal(n, 2);
	/* Cut anywhere but at the end of a line it is none. */
	for (size_t size = 0; size < text.size; size++)
		if (size == 0 || text.data[size - 1] != '\n')
			assert_true(
				manifest_parse(&m, span_of(text.data, size), "test") < 0);
}

static char *top;

static void put(const char *path, bool directory)
{
	char whole[256];
	snprintf(whole, sizeof whole, "%s/%s", top, path);
	if (directory) {
		assert_int_equal(path_make_dirs(whole, 0755), 0);
		return;
	}
	int fd = open(whole, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static void hide(const char *path)
{
	char whole[256];
	snprintf(whole, sizeof whole, "%s/%s", top, path);
	assert_int_equal(symlink("/dev/null", whole), 0);
}

static int start(void **state)
{
	static char name[] = "/tmp/cairn-test.XXXXXX";
	(void)state;
	strcpy(name, "/tmp/cairn-test.XXXXXX");
	top = mkdtemp(name);
	return top ? 0 : -1;
}

static int end(void **state)
{
	char command[256];
	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", top);
	return system(command);
}

static void searches_in_order(void **state)
{
	struct search s;
	(void)state;
	put("etc/extensions", true);
	put("var/lib/extensions/one.raw.v", true);
	put("var/lib/extensions/two", true);
	put("run/confexts/two", true);
	put("etc/extensions/many-10.raw", false);
	put("etc/extensions/many-9.sysext.raw", false);
	put("etc/extensions/other.confext.raw", false);
	put("etc/extensions/READ ME", false);
	put("var/lib/extensions/many-9.raw", false);
	put("var/lib/extensions/one.raw.v/one_1.9.raw", false);
	put("var/lib/extensions/one.raw.v/one_1.11.sysext.raw", false);
	put("var/lib/extensions/one.raw.v/one_1.10.raw", false);
	int root = path_open_dir(top);
	assert_int_equal(search_extensions(root, CLASS_SYSEXT, &s), 0);
	assert_int_equal(s.n, 4);
	assert_string_equal(s.items[0].path, "/etc/extensions/many-9.sysext.raw");
	assert_string_equal(s.items[1].name, "many-10");
	assert_string_equal(
		s.items[2].path, "/var/lib/extensions/one.raw.v/one_1.11.sysext.raw");
	assert_string_equal(s.items[2].name, "one");
	assert_string_equal(s.items[3].name, "two");
	assert_true(s.items[3].is_directory && !s.items[0].is_directory);
	search_free(&s);
	assert_int_equal(search_extensions(root, CLASS_CONFEXT, &s), 0);
	assert_int_equal(s.n, 1);
	search_free(&s);
	close(root);
}

static void hides_and_refuses_names(void **state)
{
	struct search s;
	char node[256];
	(void)state;
	put("etc/extensions", true);
	put("var/lib/extensions", true);
	put("dev", true);
	snprintf(node, sizeof node, "%s/dev/null", top);
	assert_int_equal(mknod(node, S_IFCHR | 0666, 1 << 8 | 3), 0);
	put("var/lib/extensions/gone.raw", false);
	hide("etc/extensions/gone.raw");
	int root = path_open_dir(top);
	assert_int_equal(search_extensions(root, CLASS_SYSEXT, &s), 0);
	assert_int_equal(s.n, 0);
	/* As in the initramfs, where the root has no /dev yet. */
	assert_int_equal(unlink(node), 0);
	assert_int_equal(search_extensions(root, CLASS_SYSEXT, &s), 0);
	assert_int_equal(s.n, 0);
	put("var/lib/extensions/same.raw", false);
	put("var/lib/extensions/same.sysext.raw", false);
	assert_true(search_extensions(root, CLASS_SYSEXT, &s) < 0);
	assert_int_equal(error_status(), STATUS_FORMAT);
	assert_non_null(strstr(error_text(), "two extensions are called same"));
	search_free(&s);
	hide("etc/extensions/same.raw");
	put("var/lib/extensions/new\nline.raw", false);
	assert_true(search_extensions(root, CLASS_SYSEXT, &s) < 0);
	assert_non_null(strstr(error_text(), "no name for an extension"));
	search_free(&s);
	close(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_versions),
		cmocka_unit_test(picks_versions),
		cmocka_unit_test(matches_releases),
		cmocka_unit_test(refuses_bad_releases),
		cmocka_unit_test(reads_its_manifests),
		cmocka_unit_test_setup_teardown(searches_in_order, start, end),
		cmocka_unit_test_setup_teardown(hides_and_refuses_names, start, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
