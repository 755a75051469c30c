/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/file.h"
#include "core/hash.h"
#include "core/hex.h"
#include "core/json.h"
#include "core/number.h"
#include "core/output.h"
#include "core/path.h"
#include "core/process.h"
#include "core/workers.h"

static char directory[] = "/tmp/cairn-core.XXXXXX";

static int enter(void **state)
{
	(void)state;
	return mkdtemp(directory) ? chdir(directory) : -1;
}

static int leave(void **state)
{
	(void)state;
	const char *argv[] = {"rm", "-rf", directory, NULL};
	return process_run(
		&(struct process){.argv = argv, .stdin_fd = -1, .stdout_fd = -1}, NULL);
}

static void numbers_are_plain(void **state)
{
	(void)state;
	uint64_t v;
	assert_true(number_parse("18446744073709551615", &v) && v == UINT64_MAX);
	assert_true(number_parse("007", &v) && v == 7);
	assert_true(number_parse_size("3M", &v) && v == 3 << 20);
	assert_true(number_parse_size("16777215T", &v) && v == UINT64_C(16777215) << 40);
	static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x10", "1M",
		"18446744073709551616", "99999999999999999999"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(number_parse(bad[i], &v));
	static const char *const bad_sizes[] = {
		"", "M", "1m", "1MB", "1 M", "16777216T", "18446744073709551616"};
	for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++)
		assert_false(number_parse_size(bad_sizes[i], &v));
}

static void error_is_kept_and_ranked(void **state)
{
	(void)state;
	assert_int_equal(error_set(STATUS_TRUST, EPERM, "x %d", 1), -EPERM);
	assert_int_equal(error_context(-EPERM, "y"), -EPERM);
	assert_string_equal(error_text(), "y: x 1");
	assert_int_equal(error_status(), STATUS_TRUST);
	assert_int_equal(status_worse(STATUS_FAILED, STATUS_TIMEOUT), STATUS_TIMEOUT);
	assert_int_equal(status_worse(STATUS_CONTENT, STATUS_TRUST), STATUS_TRUST);
	assert_int_equal(status_worse(STATUS_GOOD, STATUS_FAILED), STATUS_FAILED);
	assert_int_equal(status_worse(STATUS_CHANGED, STATUS_TRUST), STATUS_CHANGED);
}

static void span_part_checks_bounds(void **state)
{
	(void)state;
	uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct span part;
	assert_int_equal(span_part(SPAN(bytes), 6, 2, &part), 0);
	assert_int_equal(part.data[0], 7);
	assert_int_equal(span_part(SPAN(bytes), 6, 3, &part), -1);
	assert_int_equal(span_part(SPAN(bytes), UINT64_MAX, 2, &part), -1);
	assert_int_equal(span_part(SPAN(bytes), 8, 0, &part), 0);
	assert_int_equal(get_le64(bytes), 0x0807060504030201);
	uint64_t v;
	assert_int_equal(u64_align(UINT64_MAX - 2, 4096, &v), -1);
	assert_int_equal(u64_div_up(4097, 4096), 2);
}

static void hex_and_uuid(void **state)
{
	(void)state;
	uint8_t uuid[16];
	char text[UUID_TEXT_SIZE];
	assert_int_equal(uuid_decode("a60c98d2-ae9b-4865-bfcb-b4e3ace11033", uuid), 0);
	assert_string_equal(
		uuid_encode(uuid, text), "a60c98d2-ae9b-4865-bfcb-b4e3ace11033");
	uuid_swap(uuid);
	assert_string_equal(
		uuid_encode(uuid, text), "d2980ca6-9bae-6548-bfcb-b4e3ace11033");
	assert_int_equal(uuid_decode("a60c98d2-ae9b-4865-bfcb-b4e3ace1103", uuid), -1);
	assert_int_equal(uuid_decode("a60c98d2xae9b-4865-bfcb-b4e3ace11033", uuid), -1);
	assert_int_equal(hex_decode("0g", uuid, 1), -1);
	assert_int_equal(hex_decode("000", uuid, 1), -1);
}

static void only_regular_files_open(void **state)
{
	(void)state;
	struct file f;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_true(file_open(&f, "fifo") < 0);
	assert_int_equal(error_status(), STATUS_FORMAT);
	assert_true(file_open(&f, ".") < 0);
	assert_int_equal(error_status(), STATUS_FORMAT);
	assert_true(file_open(&f, "missing") == -ENOENT);
	assert_int_equal(output_save("plain", 0644, false, SPAN("abcdef")), 0);
	assert_int_equal(symlink("plain", "link"), 0);
	assert_int_equal(file_open(&f, "link"), 0);
	char data[4];
	assert_int_equal(file_read(&f, data, 3, 2), 0);
	assert_memory_equal(data, "cde", 3);
	assert_true(file_read(&f, data, 3, 5) < 0);
	assert_int_equal(error_status(), STATUS_FORMAT);
	assert_true(file_read(&f, data, 3, UINT64_MAX) < 0);
	file_close(&f);
	file_close(&f);
	assert_true(file_open_at(&f, AT_FDCWD, "link") < 0);
}

static void output_is_all_or_nothing(void **state)
{
	(void)state;
	AUTO_OUTPUT o = OUTPUT_CLOSED;
	BUFFER b = {0};
	assert_int_equal(output_save("o", 0644, false, SPAN("one")), 0);
	assert_int_equal(output_open(&o, "o", 0644, false), -EEXIST);
	assert_int_equal(output_open(&o, "o", 0644, true), 0);
	assert_int_equal(file_write(&o.file, "two", 4, 0), 0);
	output_close(&o);
	assert_int_equal(file_slurp("o", 100, &b), 0);
	assert_string_equal(buffer_text(&b), "one");
	assert_int_equal(output_save("o", 0644, true, SPAN("two")), 0);
	b.size = 0;
	assert_int_equal(file_slurp("o", 100, &b), 0);
	assert_string_equal(buffer_text(&b), "two");
	assert_true(file_slurp("o", 2, &b) < 0);
	assert_true(output_open(&o, "missing/x", 0644, true) < 0);
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(output_open(&o, "d", 0644, true), -EEXIST);
}

static void assert_holds(const char *path, const char *text)
{
	BUFFER b = {0};
	assert_int_equal(file_slurp(path, 100, &b), 0);
	assert_string_equal(buffer_text(&b), text);
}

static unsigned count_names(const char *path)
{
	unsigned n = 0;
	DIR *d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* Opens a/0 to a/2; a/0 is there already. */
static void open_three(struct output three[3])
{
	static const char *const paths[] = {"a/0", "a/1", "a/2"};
	assert_int_equal(output_save("a/0", 0644, true, SPAN("old")), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(output_open(&three[i], paths[i], 0644, true), 0);
		assert_int_equal(file_write(&three[i].file, "new", 4, 0), 0);
	}
}

static void outputs_come_together_or_not_at_all(void **state)
{
	(void)state;
	struct output three[3];
	assert_int_equal(mkdir("a", 0755), 0);
	open_three(three);
	assert_int_equal(mkdir("a/2", 0755), 0); /* somebody else comes between */
	assert_int_equal(output_commit_all(three, 3), -EEXIST);
	for (int i = 0; i < 3; i++)
		output_close(&three[i]);
	assert_holds("a/0", "old");
	assert_int_equal(count_names("a"), 2);
	assert_int_equal(rmdir("a/2"), 0);
	open_three(three);
	assert_int_equal(output_commit_all(three, 3), 0);
	for (int i = 0; i < 3; i++)
		output_close(&three[i]);
	assert_holds("a/0", "new");
	assert_holds("a/2", "new");
	assert_int_equal(count_names("a"), 3);
}

static void lock_times_out(void **state)
{
	(void)state;
	struct file a, b;
	assert_int_equal(output_save("l", 0644, false, SPAN("x")), 0);
	assert_int_equal(file_open(&a, "l"), 0);
	assert_int_equal(file_open(&b, "l"), 0);
	assert_int_equal(file_lock(&a, LOCK_EX, 0), 0);
	assert_int_equal(file_lock(&b, LOCK_SH, 50), -ETIMEDOUT);
	assert_int_equal(error_status(), STATUS_TIMEOUT);
	file_close(&a);
	assert_int_equal(file_lock(&b, LOCK_EX, 0), 0);
	file_close(&b);
}

static void directories_without_races(void **state)
{
	(void)state;
	int here = path_open_dir("."), made = path_make_dir(here, "new", 0755);
	assert_true(made >= 0);
	assert_int_equal(path_make_dir(here, "new", 0755), -EEXIST);
	assert_int_equal(path_make_dirs("new/a/b//c", 0755), 0);
	assert_int_equal(access("new/a/b/c", F_OK), 0);
	struct file f;
	assert_int_equal(output_save("victim", 0644, false, SPAN("x")), 0);
	assert_int_equal(output_save("other", 0644, false, SPAN("x")), 0);
	assert_int_equal(file_open(&f, "victim"), 0);
	assert_int_equal(path_unlink_same(here, "other", f.fd), -ESTALE);
	assert_int_equal(access("other", F_OK), 0);
	assert_int_equal(path_unlink_same(here, "victim", f.fd), 0);
	assert_int_equal(access("victim", F_OK), -1);
	file_close(&f);
	close(made);
	close(here);
}

static void processes_report(void **state)
{
	(void)state;
	BUFFER out = {0};
	const char *env[] = {"CAIRN_X=5", NULL};
	const char *good[] = {"sh", "-c", "echo $CAIRN_X $LC_ALL $TZ", NULL};
	struct process p = {.argv = good, .setenv = env, .stdin_fd = -1, .stdout_fd = -1};
	assert_int_equal(process_run(&p, &out), 0);
	assert_string_equal(buffer_text(&out), "5 C UTC0\n");
	const char *bad[] = {"sh", "-c", "echo first >&2; echo why >&2; exit 3", NULL};
	p.argv = bad;
	assert_true(process_run(&p, NULL) < 0);
	assert_string_equal(error_text(), "sh: failed with status 3: why");
	const char *none[] = {"cairn-no-such-program", NULL};
	p.argv = none;
	assert_int_equal(process_run(&p, NULL), -ENOENT);
	const char *slow[] = {"sleep", "100", NULL};
	struct child child;
	p.argv = slow;
	assert_int_equal(process_start(&p, &child), 0);
	assert_int_equal(process_finish(&child, 50), -ETIMEDOUT);
	process_kill(&child);
}

static int count_or_fail(void *context, unsigned worker, uint64_t item)
{
	(void)worker;
	uint8_t *seen = context;
	__atomic_add_fetch(&seen[item], 1, __ATOMIC_RELAXED);
	return item == 700 || item == 900
		       ? error_set(STATUS_CONTENT, EIO, "item %d", (int)item)
		       : 0;
}

static void workers_do_each_item_once(void **state)
{
	(void)state;
	static uint8_t seen[1000];
	assert_int_equal(workers_run(4, 700, count_or_fail, seen), 0);
	for (int i = 0; i < 700; i++)
		assert_int_equal(seen[i], 1);
	for (unsigned jobs = 1; jobs < 5; jobs++) {
		assert_int_equal(workers_run(jobs, 1000, count_or_fail, seen), -EIO);
		assert_string_equal(error_text(), "item 700");
		assert_int_equal(error_status(), STATUS_CONTENT);
	}
	assert_int_equal(workers_run(0, 0, count_or_fail, seen), 0);
}

static void json_refuses_what_is_not_one_value(void **state)
{
	(void)state;
	json_object *v = NULL;
	assert_int_equal(json_parse(span_of("{\"a\":1}\n", 8), "x", 100, &v), 0);
	json_object_put(v);
	const char *bad[] = {"", "{", "{} {}", "{\"a\":01}", "[1,]"};
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_true(
			json_parse(span_of(bad[i], strlen(bad[i])), "x", 100, &v) < 0);
	BUFFER text = {0};
	json_object *o = json_object_new_object();
	json_add_bytes(o, "name", span_of("a\xff\n", 3));
	json_add_bytes(o, "good", span_of("\xc3\xa9", 2));
	assert_int_equal(json_save(o, &text), 0);
	assert_non_null(strstr(buffer_text(&text), "\"name_hex\": \"61ff0a\""));
	assert_null(strstr(buffer_text(&text), "good_hex"));
	json_object_put(o);
	/* Neither is a document that nobody can read because of a word in it. */
	o = json_object_new_object();
	json_add_text(o, "text", "\xffnot \xc3text\xc3");
	json_add_text(o, "good", "\xc3\xa9");
	json_add_text(o, "none", "");
	buffer_free(&text);
	assert_int_equal(json_save(o, &text), 0);
	assert_non_null(strstr(
		buffer_text(&text), "\"\xef\xbf\xbdnot \xef\xbf\xbdtext\xef\xbf\xbd\""));
	assert_non_null(strstr(buffer_text(&text), "\"\xc3\xa9\""));
	assert_non_null(strstr(buffer_text(&text), "\"none\": \"\""));
	json_object_put(o);
}

static void hash_of_parts_and_file(void **state)
{
	(void)state;
	uint8_t digest[HASH_MAX_SIZE];
	char text[2 * HASH_MAX_SIZE + 1];
	struct span parts[] = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"bc", 2}};
	assert_int_equal(hash_parts(HASH_SHA1, parts, 2, digest), 0);
	/* FIPS 180-4's example "abc". */
	assert_string_equal(
		hex_encode(digest, 20, text), "a9993e364706816aba3e25717850c26c9cd0d89d");
	struct file f;
	assert_int_equal(file_in_memory(&f, "abc", span_of("xabcx", 5)), 0);
	assert_int_equal(hash_file(HASH_SHA256, &f, 1, 3, digest), 0);
	assert_string_equal(hex_encode(digest, 32, text),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(hash_file(HASH_SHA256, &f, 1, 5, digest) < 0);
	file_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_plain),
		cmocka_unit_test(error_is_kept_and_ranked),
		cmocka_unit_test(span_part_checks_bounds),
		cmocka_unit_test(hex_and_uuid),
		cmocka_unit_test(only_regular_files_open),
		cmocka_unit_test(output_is_all_or_nothing),
		cmocka_unit_test(outputs_come_together_or_not_at_all),
		cmocka_unit_test(lock_times_out),
		cmocka_unit_test(directories_without_races),
		cmocka_unit_test(processes_report),
		cmocka_unit_test(workers_do_each_item_once),
		cmocka_unit_test(json_refuses_what_is_not_one_value),
		cmocka_unit_test(hash_of_parts_and_file),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
