/* SPDX-License-Identifier: MIT */
#include "verifier/examine/tree_findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 1000000

static int take(const char *text, struct report *report)
{
	return tree_findings_take(span_of(text, strlen(text)), SIZE, report);
}

static void test_round_trip(void **state)
{
	(void)state;
	AUTO_REPORT from = {0}, to = {0};
	BUFFER text = {0};
	struct place place = {.area = "root partition",
		.partition = 2,
		.offset = 4096,
		.size = 8192,
		.block = 1,
		.n_blocks = 2};
	report_damage(&from, STATUS_CONTENT, "tree", &place, json_object_new_array(),
		"a \"b\" %s", "c");
	report_good(&from, "tree", &place, "good");
	report_note(&from, "locate", &place, "note");
	report_uncovered(&from, "tree", &place, "left out");
	assert_int_equal(tree_findings_print(&from, &text), 0);
	assert_int_equal(tree_findings_take(buffer_span(&text), SIZE, &to), 0);
	assert_int_equal(to.n_findings, 4);
	assert_int_equal(to.status, STATUS_CONTENT);
	for (size_t i = 0; i < 4; i++) {
		const struct finding *a = &from.findings[i], *b = &to.findings[i];
		assert_int_equal(a->kind, b->kind);
		assert_string_equal(a->check, b->check);
		assert_string_equal(a->text, b->text);
		assert_string_equal(a->place.area, b->place.area);
		assert_int_equal(a->place.offset, b->place.offset);
		assert_int_equal(a->place.size, b->place.size);
		assert_int_equal(a->place.block, b->place.block);
		assert_int_equal(a->place.n_blocks, b->place.n_blocks);
		assert_int_equal(a->place.partition, b->place.partition);
	}
	assert_non_null(to.findings[0].where);
}

#define END "{\"end\":true}\n"
#define LINE(KIND, STATUS, CHECK, REST)                                              \
	"{\"kind\":" KIND ",\"finding\":{\"check\":\"" CHECK "\",\"status\":" STATUS \
	",\"area\":\"a\",\"text\":\"t\"" REST "}}\n"

/* Whatever the process says that is not a hash tree's is refused. */
static void test_lies(void **state)
{
	(void)state;
	static const char *const lies[] = {
		"",
		"{}\n" END,
		"[]\n" END,
		END END,
		"nonsense\n" END,
		LINE("1", "3", "tree", ""),
		LINE("1", "3", "tree", "") "{\"end\":true}",
		LINE("1", "6", "tree", "") END,
		LINE("1", "0", "tree", "") END,
		LINE("1", "3", "lease", "") END,
		LINE("4", "3", "tree", "") END,
		LINE("-1", "3", "tree", "") END,
		LINE("1", "3", "tree", ",\"where\":{}") END,
		LINE("1", "3", "tree", ",\"offset\":1000001") END,
		LINE("1", "3", "tree", ",\"offset\":999999,\"size\":2") END,
		LINE("1", "3", "tree", ",\"offset\":18446744073709551615") END,
		LINE("1", "3", "tree", ",\"offset\":\"1\"") END,
		LINE("1", "3", "tree", ",\"blocks\":1000001") END,
		LINE("1", "3", "tree", ",\"area\":null") END,
		LINE("1", "3", "tree", ",\"text\":\"a\\u0000b\"") END,
	};
	AUTO_REPORT good = {0};
	assert_int_equal(take(LINE("1", "3", "tree", ",\"where\":[]") END, &good), 0);
	assert_int_equal(good.n_faults, 1);
	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		AUTO_REPORT report = {0};
		assert_true(take(lies[i], &report) < 0);
		assert_int_equal(error_status(), STATUS_FORMAT);
		assert_true(report.status != STATUS_CHANGED);
	}
}

/* More than there is room for: all of it is counted, and the class is kept. */
static void test_too_many(void **state)
{
	(void)state;
	AUTO_REPORT from = {0}, to = {0};
	BUFFER text = {0}, words = {0};
	const struct place place = {.area = "root partition"};
	assert_int_equal(buffer_append_zeros(&words, 1 << 20), 0);
	memset(words.data, 'x', words.size);
	words.data[words.size - 1] = 0;
	for (size_t i = 0; i < 40; i++)
		report_fault(&from, STATUS_CONTENT, "tree", &place, "%s",
			(const char *)words.data);
	assert_int_equal(tree_findings_print(&from, &text), 0);
	assert_true(text.size <= TREE_FINDINGS_MAX);
	assert_int_equal(tree_findings_take(buffer_span(&text), SIZE, &to), 0);
	assert_int_equal(to.n_findings, 32);
	assert_int_equal(to.status, STATUS_CONTENT);
	assert_string_equal(
		to.findings[31].text, "and 9 more findings that there is no room for");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
