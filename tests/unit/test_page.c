/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "verifier/page_layout.h"

static void test_text_of_anybody(void **state)
{
	static const char *const cases[][2] = {
		{"a<b>&\"c\"", "a&lt;b&gt;&amp;&quot;c&quot;"},
		{"\xe2\x82\xac", "\xe2\x82\xac"},
		{"\xff", "<span class=\"byte\">FF</span>"},
		{"a\nb", "a<span class=\"byte\">0A</span>b"},
		{"\xc2\x9b",
			"<span class=\"byte\">C2</span><span class=\"byte\">9B</span>"},
		{"\xe2\x80\xae", "<span class=\"byte\">U+202E</span>"},
		{"\xef\xbb\xbf", "<span class=\"byte\">U+FEFF</span>"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		BUFFER html = {0};
		struct page p = {.to = &html};
		page_string(&p, cases[i][0]);
		assert_int_equal(p.error, 0);
		assert_string_equal(buffer_text(&html), cases[i][1]);
	}
}

/* Damage is told with what it is for; without any there is no section. */
static void test_damage(void **state)
{
	AUTO_REPORT r = {0};
	BUFFER html = {0};
	struct page p = {.to = &html};
	const struct place place = {.area = "root partition", .block = 8, .n_blocks = 1};
	(void)state;
	report_fault(&r, STATUS_CONTENT, "tree", &place, "bad");
	page_damage(&p, &r);
	assert_int_equal(html.size, 0);
	report_damage(&r, STATUS_CONTENT, "tree", &place, json_object_new_array(),
		"is not what its hash says: /etc/<file>");
	page_damage(&p, &r);
	assert_int_equal(p.error, 0);
	assert_non_null(strstr(buffer_text(&html),
		"<td>root partition, block 8</td><td>is not what its hash says: "
		"/etc/&lt;file&gt;</td>"));
}

/* Numbers of a hostile table, too: all in the picture, none of it endless. */
static void test_layout_of_many(void **state)
{
	static struct layout_part parts[2000];
	BUFFER html = {0};
	struct page p = {.to = &html};
	const struct layout l = {.size = UINT64_MAX, .parts = parts, .n_parts = 2000};
	size_t n = 0;
	(void)state;
	for (uint32_t i = 0; i < 2000; i++)
		parts[i] = (struct layout_part){.number = i + 1,
			.offset = UINT64_MAX / 2000 * i,
			.size = UINT64_MAX / 4000,
			.name = "",
			.type = "ext4"};
	page_layout(&p, &l);
	assert_int_equal(p.error, 0);
	for (const char *at = buffer_text(&html); (at = strstr(at, "data-partition"));
		at++)
		n++;
	assert_int_equal(n, 256);
	n = 0;
	for (const char *at = buffer_text(&html);
		(at = strstr(at, "<tr><th scope=\"row\">")); at++)
		n++;
	assert_int_equal(n, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_of_anybody),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_layout_of_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
