/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"
#include "core/hex.h"
#include "verifier/event_log.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define TIME  "2026-11-22T18:53:52.123456789Z"

static int check(const char *lines, size_t size, const struct event_log_head *head)
{
	uint64_t set_back;
	error_clear();
	return event_log_check(span_of(lines, size), "log", head, &set_back);
}

static void fill(struct event_log *log)
{
	event_log_add(log, "begin", "first");
	event_log_add(log, "ok", "%s", "a\nb\x1b\xff\xc2\x9b\xe2\x82\xac");
	event_log_add(log, EVENT_LOG_END, "status %d", 0);
}

static void test_what_is_written_is_read(void **state)
{
	struct event_log log = {0};
	uint64_t set_back = 1;
	(void)state;
	fill(&log);
	assert_false(log.incomplete);
	assert_int_equal(log.head.n_lines, 3);
	assert_int_equal(
		event_log_check(buffer_span(&log.text), "log", &log.head, &set_back), 0);
	assert_int_equal(set_back, 0);
	assert_non_null(strstr(buffer_text(&log.text),
		" ok a\xef\xbf\xbd"
		"b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe2\x82\xac\n"));
	event_log_free(&log);
	event_log_free(&log);
}

/* Any byte that is another one, any cut: never accepted. */
static void test_every_byte_counts(void **state)
{
	struct event_log log = {0};
	(void)state;
	fill(&log);
	char *text = (char *)log.text.data;
	size_t size = log.text.size;
	for (size_t i = 0; i < size; i++) {
		text[i] ^= 1;
		assert_true(check(text, size, &log.head) < 0);
		text[i] ^= 1;
		assert_true(check(text, i, &log.head) < 0);
	}
	assert_int_equal(check(text, size, &log.head), 0);
	event_log_free(&log);
}

static void test_malformed_lines(void **state)
{
	static const char *const lines[] = {"\n", " \n", "1\n", "1 " TIME "\n",
		"1 " TIME " " ZEROS "\n", "1 " TIME " " ZEROS " end\n",
		"01 " TIME " " ZEROS " end x\n", "0x1 " TIME " " ZEROS " end x\n",
		"18446744073709551617 " TIME " " ZEROS " end x\n",
		"1 " TIME "0 " ZEROS " end x\n", "1 " TIME " " ZEROS "0 end x\n",
		"1 " TIME " " ZEROS " END x\n", "1 " TIME " " ZEROS " end x\xff\n",
		"1  " TIME " " ZEROS " end x\n", "1 " TIME " " ZEROS " end x\r\n"};
	static const char good[] = "1 " TIME " " ZEROS " end x\n";
	struct event_log_head head = {.n_lines = 1};
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		assert_int_equal(check(lines[i], strlen(lines[i]), &head), -EINVAL);
		assert_int_equal(error_status(), STATUS_FORMAT);
	}
	/* One that is well-formed is not what the head says. */
	assert_int_equal(check(good, strlen(good), &head), -EBADMSG);
	assert_int_equal(error_status(), STATUS_CONTENT);
	assert_string_equal(error_text(), "log: line 1, the last, is not the one it was");
}

/* Whoever sets the clock can do so: told, and no fault. */
static void test_clock_set_back(void **state)
{
	static const char first[] = "1 " TIME " " ZEROS " begin x\n";
	const struct span whole = {(const uint8_t *)first, sizeof first - 1};
	struct event_log_head head = {.n_lines = 2};
	uint64_t set_back = 0;
	char hex[65];
	BUFFER text = {0};
	(void)state;
	assert_int_equal(hash_parts(HASH_SHA256, &whole, 1, head.sha256), 0);
	assert_int_equal(
		buffer_printf(&text, "%s2 2026-11-22T18:53:51.999999999Z %s end y\n",
			first, hex_encode(head.sha256, 32, hex)),
		0);
	const struct span last = {
		text.data + sizeof first - 1, text.size - (sizeof first - 1)};
	assert_int_equal(hash_parts(HASH_SHA256, &last, 1, head.sha256), 0);
	assert_int_equal(event_log_check(buffer_span(&text), "log", &head, &set_back), 0);
	assert_int_equal(set_back, 2);
}

/* A log of nothing is no whole log, whatever the head says. */
static void test_empty(void **state)
{
	const struct event_log_head head = {0};
	(void)state;
	assert_int_equal(check("", 0, &head), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_malformed_lines),
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
