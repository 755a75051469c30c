/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "builder/identity.h"
#include "builder/layout.h"
#include "builder/os_release.h"
#include "core/gpt.h"
#include "core/hex.h"

#define MIB (UINT64_C(1) << 20)

static void identity_is_checked(void **state)
{
	(void)state;
	static const struct {
		const char *id, *version;
		bool good;
	} cases[] = {
		{"debian", "13", true},
		{"a.b_c-d", "1.0~rc1^x-2", true},
		{"123456789012", "123456789012", true},
		{"1234567890123", "123456789012", false},
		{"", "1", false},
		{"a", "", false},
		{".a", "1", false},
		{"-a", "1", false},
		{"a/b", "1", false},
		{"a b", "1", false},
		{"a", "1+3", false},
		{"a", "1_2", false},
		{"a", "-1", false},
		{"a", "../1", false},
		{"\xc3\xa4", "1", false},
		{"a\n", "1", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct identity id = {cases[i].id, cases[i].version, ""};
		assert_int_equal(identity_check(&id), cases[i].good ? 0 : -EINVAL);
		if (!cases[i].good)
			assert_int_equal(error_status(), STATUS_USAGE);
	}
}

/* These must never change: an image would no longer be what it was. */
static void identity_is_stable(void **state)
{
	(void)state;
	struct identity a = {"debian", "13", ""}, b = {"debian", "14", ""};
	uint8_t uuid[16], other[16], salt[32], salt_b[32];
	char text[UUID_TEXT_SIZE], hex[65];
	assert_int_equal(identity_uuid(&a, "disk", true, uuid), 0);
	assert_string_equal(
		uuid_encode(uuid, text), "65e74a99-88c0-83f7-a8e8-f6a9a783b8d3");
	assert_int_equal(identity_uuid(&b, "disk", true, other), 0);
	assert_memory_not_equal(uuid, other, 16);
	assert_int_equal(identity_uuid(&a, "root", false, uuid), 0);
	assert_int_equal(identity_uuid(&b, "root", false, other), 0);
	assert_memory_equal(uuid, other, 16);
	assert_int_equal(identity_salt(&a, salt), 0);
	assert_int_equal(identity_salt(&b, salt_b), 0);
	assert_memory_equal(salt, salt_b, 32);
	assert_string_equal(hex_encode(salt, 32, hex),
		"2f23e9b4207241bc824fec89c82548575e38497f8cae0db31aa7f867af6c9443");
	/* Texts that run together are other identities. */
	struct identity c = {"debian1", "3", ""};
	assert_int_equal(identity_uuid(&a, "disk", true, uuid), 0);
	assert_int_equal(identity_uuid(&c, "disk", true, other), 0);
	assert_memory_not_equal(uuid, other, 16);
}

static struct layout example(void)
{
	struct layout l = {.n_parts = 3, .disk_uuid = {1, 2, 3, 4, 5}};
	static const enum dps_role roles[] = {DPS_ESP, DPS_ROOT, DPS_ROOT_VERITY};
	static const uint64_t sizes[] = {3 * MIB, 5 * MIB + 1, 4096};
	for (size_t i = 0; i < 3; i++) {
		l.parts[i] = (struct layout_part){.type = dps_find(roles[i], "x86-64"),
			.uuid = {(uint8_t)(i + 1), 9, 8, 7, 6},
			.size = sizes[i],
			.read_only = i > 0};
		snprintf(l.parts[i].label, sizeof l.parts[i].label, "part_%zu", i);
	}
	return l;
}

static void parts_are_placed(void **state)
{
	(void)state;
	struct layout l = example();
	assert_int_equal(layout_place(&l, 0), 0);
	assert_int_equal(l.parts[0].offset, MIB);
	assert_int_equal(l.parts[1].offset, 4 * MIB);
	assert_int_equal(l.parts[1].size, 5 * MIB + 4096);
	assert_int_equal(l.parts[2].offset, 10 * MIB);
	assert_int_equal(l.size, 12 * MIB);
	assert_int_equal(layout_place(&l, 12 * MIB - 1), -EINVAL);
	assert_int_equal(error_status(), STATUS_USAGE);
	assert_int_equal(layout_place(&l, 100 * MIB), 0);
	assert_int_equal(l.size, 100 * MIB);
	l.parts[1].size = UINT64_MAX - 5;
	assert_int_equal(layout_place(&l, 0), -EINVAL);
}

static void write_into(struct file *f, const struct layout *l)
{
	assert_int_equal(file_in_memory(f, "disk", (struct span){0}), 0);
	assert_int_equal(ftruncate(f->fd, (off_t)l->size), 0);
	f->size = l->size;
	assert_int_equal(layout_write(l, f), 0);
}

static void table_is_written(void **state)
{
	(void)state;
	AUTO_FILE f = FILE_CLOSED, g = FILE_CLOSED;
	struct layout l = example();
	AUTO_GPT gpt = {0};
	assert_int_equal(layout_place(&l, 0), 0);
	write_into(&f, &l);
	write_into(&g, &l);
	BUFFER a = {0}, b = {0};
	assert_int_equal(buffer_append_zeros(&a, l.size), 0);
	assert_int_equal(buffer_append_zeros(&b, l.size), 0);
	assert_int_equal(file_read(&f, a.data, l.size, 0), 0);
	assert_int_equal(file_read(&g, b.data, l.size, 0), 0);
	assert_true(memcmp(a.data, b.data, l.size) == 0);
	assert_int_equal(gpt_read_file(&f, 512, &gpt), 0);
	assert_true(gpt_sound(&gpt));
	assert_memory_equal(gpt.disk_uuid, l.disk_uuid, 16);
	assert_int_equal(gpt.n_partitions, l.n_parts);
	for (size_t i = 0; i < l.n_parts; i++) {
		const struct gpt_partition *p = &gpt.partitions[i];
		char uuid[UUID_TEXT_SIZE];
		assert_int_equal(p->number, i + 1);
		assert_string_equal(uuid_encode(p->type, uuid), l.parts[i].type->uuid);
		assert_memory_equal(p->uuid, l.parts[i].uuid, 16);
		assert_int_equal(p->offset, l.parts[i].offset);
		assert_int_equal(p->size, l.parts[i].size);
		assert_int_equal(p->attributes, i > 0 ? GPT_READ_ONLY : 0);
		assert_string_equal(p->name, l.parts[i].label);
	}
}

static const char os_release[] = "NAME=\"De\\\"b\"\nID=debian\nVERSION_ID='1 3'\n"
				 "IMAGE_ID=old\nEMPTY=\nBAD=\"x\nID=debian2";

static char *get(const char *key)
{
	char *value;
	assert_int_equal(
		os_release_get(span_of(os_release, strlen(os_release)), key, &value), 0);
	return value;
}

static void os_release_is_read(void **state)
{
	(void)state;
	static const char *const expected[][2] = {{"NAME", "De\"b"}, {"ID", "debian2"},
		{"VERSION_ID", "1 3"}, {"EMPTY", ""}, {"IMAGE_ID", "old"}};
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		char *value = get(expected[i][0]);
		assert_string_equal(value, expected[i][1]);
		free(value);
	}
	assert_null(get("BAD"));
	assert_null(get("VERSION"));
	assert_null(get("I"));
}

static void os_release_is_amended(void **state)
{
	(void)state;
	BUFFER once = {0}, twice = {0};
	struct span text = span_of(os_release, strlen(os_release));
	assert_int_equal(os_release_amend(text, "new", "7", &once), 0);
	assert_string_equal(buffer_text(&once),
		"NAME=\"De\\\"b\"\nID=debian\nVERSION_ID='1 3'\nEMPTY=\nBAD=\"x\n"
		"ID=debian2\nIMAGE_ID=new\nIMAGE_VERSION=7\n");
	assert_int_equal(os_release_amend(buffer_span(&once), "new", "7", &twice), 0);
	assert_string_equal(buffer_text(&once), buffer_text(&twice));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_is_checked),
		cmocka_unit_test(identity_is_stable),
		cmocka_unit_test(parts_are_placed),
		cmocka_unit_test(table_is_written),
		cmocka_unit_test(os_release_is_read),
		cmocka_unit_test(os_release_is_amended),
	};
	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
