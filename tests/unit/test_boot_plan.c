/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/verity.h"
#include "initrd/plan/cmdline.h"
#include "initrd/plan/drivers.h"
#include "initrd/plan/table.h"
#include "initrd/plan/vouch.h"

#define HASH "e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5c"

static struct span text(const char *s)
{
	return span_of(s, strlen(s));
}

static void words_are_divided_as_the_kernel_does(void **state)
{
	(void)state;
	struct words w = {0};
	assert_int_equal(words_parse(&w, text("  a=1\tb=\"x y\"  \"c d\"\n")), 0);
	assert_int_equal(w.n, 3);
	assert_string_equal(words_get(&w, 0), "a=1");
	assert_string_equal(words_get(&w, 1), "b=x y");
	assert_string_equal(words_get(&w, 2), "c d");
	assert_int_equal(words_count(&w, "a=1"), 1);
	assert_true(words_parse(&w, text("a \"b")) < 0);
	assert_true(words_parse(&w, text("a \x80")) < 0);
	assert_true(words_parse(&w, span_of("a\0b", 3)) < 0);
	for (int i = 3; i < WORDS_MAX; i++)
		words_add(&w, text("x"));
	assert_true(words_add(&w, text("x")) < 0);
}

static void words_are_compared_as_the_kernel_does(void **state)
{
	(void)state;
	assert_string_equal(word_value("a-b=1=2", "a_b"), "1=2");
	assert_string_equal(word_value("a", "a"), "");
	assert_null(word_value("ab=1", "a"));
	assert_null(word_value("a", "ab"));
	assert_true(word_starts("cairn.x", "cairn."));
	assert_false(word_starts("cairn", "cairn."));
}

static const char line[] =
	"roothash=" HASH " cairn.overlay=volatile console=ttyS0 a=\"b c\"";

static void policy_survives_its_file(void **state)
{
	(void)state;
	struct policy p, q;
	policy_defaults(&p);
	assert_int_equal(policy_from_cmdline(&p, line), 0);
	assert_int_equal(policy_check(&p), 0);
	assert_string_equal(p.init, "/sbin/init");
	assert_int_equal(p.overlay, OVERLAY_VOLATILE);
	BUFFER file = {0}, again = {0};
	assert_int_equal(policy_write(&p, &file), 0);
	assert_int_equal(policy_parse(&q, buffer_span(&file)), 0);
	assert_int_equal(policy_write(&q, &again), 0);
	assert_string_equal(buffer_text(&file), buffer_text(&again));
	assert_string_equal(q.root_hash, HASH);
	assert_int_equal(q.words.n, 4);
	assert_int_equal(cmdline_check(&q, text(line)), 0);
}

static void policy_refuses_what_makes_no_sense(void **state)
{
	(void)state;
	static const char *const bad[] = {"roothash=00",
		"roothash=" HASH " usrhash=" HASH, "roothash=" HASH " roothash=" HASH,
		"roothash=" HASH " cairn.debug=1", "roothash=" HASH " cairn.overlay=yes",
		"roothash=" HASH " init=sh", "roothash=" HASH " init=/a/../b",
		"roothash=" HASH " init=/a//b", "roothash=" HASH " rdinit=/x",
		"roothash=" HASH " cairn.wait=010",
		"roothash=" HASH " cairn.timeout=99999", "roothash=" HASH " \"x",
		"roothash=" HASH " cairn.subdir=os", "roothash=" HASH " cairn.subdir=/",
		"roothash=" HASH " cairn.state=vfat",
		"roothash=" HASH " cairn.extensions=maybe",
		"roothash=" HASH " cairn.persist=",
		"roothash=" HASH " cairn.persist=/etc",
		"roothash=" HASH " cairn.persist=/etc/a,",
		"roothash=" HASH " cairn.persist=/etc/a,,/etc/b",
		"roothash=" HASH " cairn.persist=/etc/../x",
		"roothash=" HASH " cairn.persist=/usr/x"};
	struct policy p;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		policy_defaults(&p);
		if (policy_from_cmdline(&p, bad[i]) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
	policy_defaults(&p);
	assert_int_equal(policy_from_cmdline(&p, "quiet"), 0);
	assert_true(policy_check(&p) < 0);
	/* What the file cannot hold. */
	char longest[1200] = "roothash=" HASH " x=";
	size_t size = strlen(longest);
	memset(longest + size, 'y', 1023 - strlen("word=x="));
	policy_defaults(&p);
	BUFFER file = {0};
	assert_int_equal(policy_from_cmdline(&p, longest), 0);
	assert_int_equal(policy_write(&p, &file), 0);
	struct policy q;
	assert_int_equal(policy_parse(&q, buffer_span(&file)), 0);
	longest[strlen(longest)] = 'y';
	policy_defaults(&p);
	assert_true(policy_from_cmdline(&p, longest) < 0);
	static const char *const together[] = {"usrhash=" HASH " cairn.overlay=volatile",
		"usrhash=" HASH " cairn.subdir=/a",
		"roothash=" HASH " cairn.persist=/etc/a cairn.state=ext4",
		"roothash=" HASH " cairn.persist=/etc/a cairn.overlay=etc",
		"roothash=" HASH
		" cairn.persist=/etc/a cairn.overlay=etc cairn.state=volatile",
		"roothash=" HASH " cairn.overlay=etc-unauthenticated",
		"roothash=" HASH " cairn.overlay=volatile cairn.extensions=yes"};
	for (size_t i = 0; i < sizeof together / sizeof together[0]; i++) {
		policy_defaults(&p);
		assert_int_equal(policy_from_cmdline(&p, together[i]), 0);
		if (policy_check(&p) == 0)
			fail_msg("accepted: %s", together[i]);
	}
}

static void state_is_part_of_the_policy(void **state)
{
	(void)state;
	struct policy p, q;
	char path[256];
	BUFFER file = {0};
	policy_defaults(&p);
	assert_int_equal(
		policy_from_cmdline(&p,
			"roothash=" HASH
			" cairn.subdir=/os/one cairn.overlay=etc cairn.state=ext4 "
			"cairn.persist=/etc/a,/etc/b/c cairn.extensions=yes"),
		0);
	assert_int_equal(policy_check(&p), 0);
	assert_int_equal(policy_write(&p, &file), 0);
	assert_int_equal(policy_parse(&q, buffer_span(&file)), 0);
	assert_string_equal(q.subdir, "/os/one");
	assert_true(policy_keeps_state(&q) && q.extensions && q.overlay == OVERLAY_ETC);
	const char *list = q.persist;
	assert_true(policy_next_path(&list, path));
	assert_string_equal(path, "/etc/a");
	assert_true(policy_next_path(&list, path));
	assert_string_equal(path, "/etc/b/c");
	assert_false(policy_next_path(&list, path));
}

/* Each line of a good file: left out, doubled, changed to another key, without its end.
 */
static void policy_file_is_parsed_strictly(void **state)
{
	(void)state;
	struct policy p, q;
	policy_defaults(&p);
	policy_from_cmdline(&p, "roothash=" HASH);
	BUFFER file = {0};
	assert_int_equal(policy_write(&p, &file), 0);
	const char *good = buffer_text(&file);
	assert_int_equal(policy_parse(&q, text(good)), 0);
	for (const char *at = good; *at; at = strchr(at, '\n') + 1) {
		int size = (int)(strchr(at, '\n') + 1 - at);
		BUFFER without = {0}, doubled = {0}, other = {0};
		buffer_printf(&without, "%.*s%s", (int)(at - good), good, at + size);
		buffer_printf(&doubled, "%s%.*s", good, size, at);
		buffer_printf(&other, "%.*sx%s", (int)(at - good), good, at);
		bool is_word = !strncmp(at, "word=", 5);
		assert_int_equal(policy_parse(&q, buffer_span(&without)) == 0, is_word);
		assert_int_equal(policy_parse(&q, buffer_span(&doubled)) == 0, is_word);
		assert_true(policy_parse(&q, buffer_span(&other)) < 0);
	}
	assert_true(policy_parse(&q, span_of(file.data, file.size - 1)) < 0);
	assert_true(policy_parse(&q, span_of("version=1\0\n", 11)) < 0);
}

static int check(const char *policy_line, const char *kernel_line)
{
	struct policy p;
	policy_defaults(&p);
	assert_int_equal(policy_from_cmdline(&p, policy_line), 0);
	return cmdline_check(&p, text(kernel_line));
}

static void cmdline_is_compared_with_the_policy(void **state)
{
	(void)state;
	static const char *const good[] = {"", " console=ttyS0",
		" console=tty0 console=ttyS0", " quiet loglevel=7 panic=-1",
		" systemd.log_level=debug", " no_timer_check"};
	static const char *const bad[] = {" roothash=" HASH, " usrhash=" HASH,
		" cairn.overlay=volatile", " cairn.x", " cairn.on_failure=panic",
		" init=/bin/sh", " \"init=/bin/sh\"", " in\"it\"=/bin/sh",
		" rdinit=/bin/sh", " x=1", " single", " --",
		" systemd.unit=rescue.target", " initrd=x", " earlycon=uart", " console",
		" console=", " a=1"};
	char kernel[512];
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		snprintf(kernel, sizeof kernel, "a=1 roothash=" HASH "%s\n", good[i]);
		if (check("a=1 roothash=" HASH, kernel) != 0)
			fail_msg("refused: %s", kernel);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(kernel, sizeof kernel, "a=1 roothash=" HASH "%s\n", bad[i]);
		if (check("a=1 roothash=" HASH, kernel) == 0)
			fail_msg("accepted: %s", kernel);
		assert_int_equal(error_status(), STATUS_TRUST);
	}
	assert_true(check("a=1 roothash=" HASH, "roothash=" HASH) < 0);
	assert_true(check("a=1 roothash=" HASH, "a=1") < 0);
	assert_true(check("usrhash=" HASH, "roothash=" HASH) < 0);
}

static void open_policy_still_guards_what_it_must(void **state)
{
	(void)state;
	static const char built_in[] = "cairn.cmdline=open roothash=" HASH;
	assert_int_equal(check(built_in, "cairn.cmdline=open x=1 roothash=" HASH), 0);
	assert_true(check(built_in, "cairn.cmdline=open init=/x roothash=" HASH) < 0);
	assert_true(check(built_in, "cairn.cmdline=open cairn.y roothash=" HASH) < 0);
	assert_true(check(built_in, "roothash=" HASH) < 0);
	assert_int_equal(check("init=/a roothash=" HASH, "init=/a roothash=" HASH), 0);
	assert_true(
		check("init=/a roothash=" HASH, "init=/a init=/a roothash=" HASH) < 0);
}

static void make_superblock(uint8_t sb[512])
{
	memset(sb, 0, 512);
	memcpy(sb, "verity", 6);
	put_le32(sb + 8, 1);
	put_le32(sb + 12, 1);
	memcpy(sb + 32, "sha256", 6);
	put_le32(sb + 64, 4096);
	put_le32(sb + 68, 4096);
	put_le64(sb + 72, 129);
	put_le16(sb + 80, 2);
	sb[88] = 0xab;
	sb[89] = 0xcd;
}

static void table_is_the_kernels(void **state)
{
	(void)state;
	uint8_t sb[512];
	struct table t;
	struct policy p;
	policy_defaults(&p);
	policy_from_cmdline(&p, "roothash=" HASH);
	make_superblock(sb);
	assert_int_equal(table_parse(&t, SPAN(sb), "x", 129 * 4096, 4 * 4096), 0);
	assert_int_equal(t.tree_blocks, 3);
	assert_true(table_parse(&t, SPAN(sb), "x", 129 * 4096 - 1, 4 * 4096) < 0);
	assert_true(table_parse(&t, SPAN(sb), "x", 129 * 4096, 4 * 4096 - 1) < 0);
	BUFFER panics = {0}, probe = {0}, key = {0};
	table_parse(&t, SPAN(sb), "x", 129 * 4096, 4 * 4096);
	table_write(&t, &p, "254:1", "254:2", NULL, false, &panics);
	assert_string_equal(buffer_text(&panics),
		"1 254:1 254:2 4096 4096 129 1 sha256 " HASH
		" abcd 1 panic_on_corruption");
	table_write(&t, &p, "254:1", "254:2", NULL, true, &probe);
	assert_string_equal(buffer_text(&probe),
		"1 254:1 254:2 4096 4096 129 1 sha256 " HASH " abcd");
	p.verity = VERITY_RESTART;
	t.salt_size = 0;
	table_write(&t, &p, "254:1", "254:2", "k", false, &key);
	assert_string_equal(buffer_text(&key),
		"1 254:1 254:2 4096 4096 129 1 sha256 " HASH
		" - 3 restart_on_corruption root_hash_sig_key_desc k");
}

/* The builder's superblock is one that boots. */
static void superblock_of_the_builder_is_accepted(void **state)
{
	(void)state;
	uint8_t sb[VERITY_SUPERBLOCK_SIZE];
	struct table t;
	struct verity_params v = VERITY_DEFAULTS;
	v.data_blocks = 300;
	v.salt_size = 32;
	memset(v.salt, 0xab, 32);
	memset(v.uuid, 0x11, 16);
	verity_superblock_write(&v, sb);
	assert_int_equal(table_parse(&t, SPAN(sb), "x", 1 << 21, 1 << 16), 0);
	assert_int_equal(t.data_blocks, 300);
	assert_int_equal(t.salt_size, 32);
	assert_memory_equal(t.salt, v.salt, 32);
	assert_memory_equal(t.uuid, v.uuid, 16);
	uint64_t bytes;
	assert_int_equal(verity_tree_size(&v, &bytes), 0);
	assert_int_equal(bytes, t.tree_blocks * 4096);
}

/* Any byte but those of uuid, salt and data blocks makes a superblock another format. */
static void superblock_is_parsed_strictly(void **state)
{
	(void)state;
	uint8_t sb[512];
	struct table t;
	for (size_t i = 0; i < sizeof sb; i++) {
		bool is_free =
			(i >= 16 && i < 32) || i == 88 || i == 89 || i == 72 || i == 80;
		make_superblock(sb);
		sb[i] ^= 0x40;
		int r = table_parse(&t, SPAN(sb), "x", 1 << 20, 1 << 20);
		if ((r == 0) != is_free)
			fail_msg("byte %zu", i);
	}
	make_superblock(sb);
	assert_true(table_parse(&t, span_of(sb, 511), "x", 1 << 20, 1 << 20) < 0);
	put_le64(sb + 72, UINT64_MAX);
	assert_true(table_parse(&t, SPAN(sb), "x", UINT64_MAX, UINT64_MAX) < 0);
}

static int note(void *context, const char *file)
{
	return buffer_printf(context, "%s ", file);
}

static void drivers_are_matched(void **state)
{
	(void)state;
	static const char list[] = "always a.ko b.ko.xz\n"
				   "alias virtio:d00000099v*\nalias virtio:d00000002v*\n"
				   "device c.ko d.ko\n"
				   "alias pci:*bc01*\ndevice e.ko\ndevice never.ko\n"
				   "always f.ko\n";
	BUFFER always = {0}, virtio = {0}, none = {0};
	assert_int_equal(drivers_match(text(list), NULL, note, &always), 0);
	assert_string_equal(buffer_text(&always), "a.ko b.ko.xz f.ko ");
	assert_int_equal(
		drivers_match(text(list), "virtio:d00000002v00001AF4", note, &virtio), 0);
	assert_string_equal(buffer_text(&virtio), "c.ko d.ko ");
	assert_int_equal(drivers_match(text(list), "usb:x", note, &none), 0);
	assert_int_equal(none.size, 0);
	assert_true(drivers_match(text("always a.ko"), NULL, note, &none) < 0);
	assert_true(drivers_match(text("alias a b\n"), "x", note, &none) < 0);
	assert_true(drivers_match(text("\n"), "x", note, &none) < 0);
	assert_true(drivers_match(text("never a.ko\n"), NULL, note, &none) < 0);
	assert_true(drivers_match(text("always ../a.ko\n"), NULL, note, &none) < 0);
	assert_true(drivers_match(text("alias\n"), "x", note, &none) < 0);
}

#define JSON_OF(hash, fingerprint, signature)                                       \
	"{\"rootHash\":\"" hash "\",\"certificateFingerprint\":\"" fingerprint "\"" \
	",\"signature\":\"" signature "\"}"
#define JSON(hash, signature) JSON_OF(hash, HASH, signature)

static char fingerprint[VOUCH_FINGERPRINT_SIZE];

static int vouch(const char *json, size_t zeros, struct buffer *der)
{
	BUFFER partition = {0};
	fingerprint[0] = 0;
	buffer_append(&partition, json, strlen(json));
	buffer_append_zeros(&partition, zeros);
	der->size = 0;
	return vouch_parse(buffer_span(&partition), "x", HASH, der, fingerprint);
}

static void signatures_are_parsed_strictly(void **state)
{
	(void)state;
	BUFFER der = {0};
	assert_int_equal(vouch("", 4096, &der), 1);
	assert_int_equal(vouch(JSON(HASH, "AAEC"), 100, &der), 0);
	assert_memory_equal(der.data, "\0\1\2", 3);
	assert_string_equal(fingerprint, HASH);
	assert_int_equal(vouch(JSON(HASH, "AAE="), 0, &der), 0);
	assert_int_equal(der.size, 2);
	assert_int_equal(vouch(JSON("00", "AAEC"), 0, &der), 1);
	static const char *const bad[] = {JSON(HASH, ""), JSON(HASH, "AAF="),
		JSON(HASH, "A==="), JSON(HASH, "AAE"), JSON(HASH, "AA=C"),
		JSON_OF(HASH, "", "AAEC"), JSON_OF(HASH, HASH "0", "AAEC"),
		JSON(HASH, "A\\nC"), JSON(HASH, "AAEC") "x", "{}", "{\"rootHash\":\"",
		"{\"rootHash\":\"" HASH "\",\"rootHash\":\"" HASH
		"\",\"signature\":\"AAEC\"}"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (vouch(bad[i], 10, &der) >= 0)
			fail_msg("accepted: %s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_divided_as_the_kernel_does),
		cmocka_unit_test(words_are_compared_as_the_kernel_does),
		cmocka_unit_test(policy_survives_its_file),
		cmocka_unit_test(policy_refuses_what_makes_no_sense),
		cmocka_unit_test(state_is_part_of_the_policy),
		cmocka_unit_test(policy_file_is_parsed_strictly),
		cmocka_unit_test(cmdline_is_compared_with_the_policy),
		cmocka_unit_test(open_policy_still_guards_what_it_must),
		cmocka_unit_test(table_is_the_kernels),
		cmocka_unit_test(superblock_of_the_builder_is_accepted),
		cmocka_unit_test(superblock_is_parsed_strictly),
		cmocka_unit_test(drivers_are_matched),
		cmocka_unit_test(signatures_are_parsed_strictly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
