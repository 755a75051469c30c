/* SPDX-License-Identifier: MIT */
#include "core/dps.h"

#include <string.h>

#include "core/hex.h"

/*
 * UAPI.2, Discoverable Partitions Specification, table "Defined Partition Type UUIDs";
 * the EFI system partition's is the UEFI specification's (5.3.3).
 */
static const struct dps_type types[] = {
	{"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", DPS_ESP, NULL, "esp"},
	{"bc13c2ff-59e6-4262-a352-b275fd6f7172", DPS_XBOOTLDR, NULL, "xbootldr"},
	{"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", DPS_OTHER, NULL, "swap"},
	{"933ac7e1-2eb4-4f13-b844-0e14e2aef915", DPS_OTHER, NULL, "home"},
	{"3b8f8425-20e0-4f3b-907f-1a25a76f98e8", DPS_OTHER, NULL, "srv"},
	{"4d21b016-b534-45c2-a9fb-5c16e091fd2d", DPS_OTHER, NULL, "var"},
	{"7ec6f557-3bc5-4aca-b293-16ef5df639d1", DPS_OTHER, NULL, "tmp"},
	{"773f91ef-66d4-49b5-bd83-d683bf40ad16", DPS_OTHER, NULL, "user-home"},
	{"0fc63daf-8483-4772-8e79-3d69d8477de4", DPS_OTHER, NULL, "linux-generic"},
	{"44479540-f297-41b2-9af7-d131d5f0458a", DPS_ROOT, "x86", "root-x86"},
	{"75250d76-8cc6-458e-bd66-bd47cc81a812", DPS_USR, "x86", "usr-x86"},
	{"d13c5d3b-b5d1-422a-b29f-9454fdc89d76", DPS_ROOT_VERITY, "x86",
		"root-x86-verity"},
	{"8f461b0d-14ee-4e81-9aa9-049b6fb97abd", DPS_USR_VERITY, "x86", "usr-x86-verity"},
	{"5996fc05-109c-48de-808b-23fa0830b676", DPS_ROOT_SIG, "x86",
		"root-x86-verity-sig"},
	{"974a71c0-de41-43c3-be5d-5c5ccd1ad2c0", DPS_USR_SIG, "x86",
		"usr-x86-verity-sig"},
	{"4f68bce3-e8cd-4db1-96e7-fbcaf984b709", DPS_ROOT, "x86-64", "root-x86-64"},
	{"8484680c-9521-48c6-9c11-b0720656f69e", DPS_USR, "x86-64", "usr-x86-64"},
	{"2c7357ed-ebd2-46d9-aec1-23d437ec2bf5", DPS_ROOT_VERITY, "x86-64",
		"root-x86-64-verity"},
	{"77ff5f63-e7b6-4633-acf4-1565b864c0e6", DPS_USR_VERITY, "x86-64",
		"usr-x86-64-verity"},
	{"41092b05-9fc8-4523-994f-2def0408b176", DPS_ROOT_SIG, "x86-64",
		"root-x86-64-verity-sig"},
	{"e7bb33fb-06cf-4e81-8273-e543b413e2e2", DPS_USR_SIG, "x86-64",
		"usr-x86-64-verity-sig"},
	{"6523f8ae-3eb1-4e2a-a05a-18b695ae656f", DPS_ROOT, "alpha", "root-alpha"},
	{"e18cf08c-33ec-4c0d-8246-c6c6fb3da024", DPS_USR, "alpha", "usr-alpha"},
	{"fc56d9e9-e6e5-4c06-be32-e74407ce09a5", DPS_ROOT_VERITY, "alpha",
		"root-alpha-verity"},
	{"8cce0d25-c0d0-4a44-bd87-46331bf1df67", DPS_USR_VERITY, "alpha",
		"usr-alpha-verity"},
	{"d46495b7-a053-414f-80f7-700c99921ef8", DPS_ROOT_SIG, "alpha",
		"root-alpha-verity-sig"},
	{"5c6e1c76-076a-457a-a0fe-f3b4cd21ce6e", DPS_USR_SIG, "alpha",
		"usr-alpha-verity-sig"},
	{"d27f46ed-2919-4cb8-bd25-9531f3c16534", DPS_ROOT, "arc", "root-arc"},
	{"7978a683-6316-4922-bbee-38bff5a2fecc", DPS_USR, "arc", "usr-arc"},
	{"24b2d975-0f97-4521-afa1-cd531e421b8d", DPS_ROOT_VERITY, "arc",
		"root-arc-verity"},
	{"fca0598c-d880-4591-8c16-4eda05c7347c", DPS_USR_VERITY, "arc", "usr-arc-verity"},
	{"143a70ba-cbd3-4f06-919f-6c05683a78bc", DPS_ROOT_SIG, "arc",
		"root-arc-verity-sig"},
	{"94f9a9a1-9971-427a-a400-50cb297f0f35", DPS_USR_SIG, "arc",
		"usr-arc-verity-sig"},
	{"69dad710-2ce4-4e3c-b16c-21a1d49abed3", DPS_ROOT, "arm", "root-arm"},
	{"7d0359a3-02b3-4f0a-865c-654403e70625", DPS_USR, "arm", "usr-arm"},
	{"7386cdf2-203c-47a9-a498-f2ecce45a2d6", DPS_ROOT_VERITY, "arm",
		"root-arm-verity"},
	{"c215d751-7bcd-4649-be90-6627490a4c05", DPS_USR_VERITY, "arm", "usr-arm-verity"},
	{"42b0455f-eb11-491d-98d3-56145ba9d037", DPS_ROOT_SIG, "arm",
		"root-arm-verity-sig"},
	{"d7ff812f-37d1-4902-a810-d76ba57b975a", DPS_USR_SIG, "arm",
		"usr-arm-verity-sig"},
	{"b921b045-1df0-41c3-af44-4c6f280d3fae", DPS_ROOT, "arm64", "root-arm64"},
	{"b0e01050-ee5f-4390-949a-9101b17104e9", DPS_USR, "arm64", "usr-arm64"},
	{"df3300ce-d69f-4c92-978c-9bfb0f38d820", DPS_ROOT_VERITY, "arm64",
		"root-arm64-verity"},
	{"6e11a4e7-fbca-4ded-b9e9-e1a512bb664e", DPS_USR_VERITY, "arm64",
		"usr-arm64-verity"},
	{"6db69de6-29f4-4758-a7a5-962190f00ce3", DPS_ROOT_SIG, "arm64",
		"root-arm64-verity-sig"},
	{"c23ce4ff-44bd-4b00-b2d4-b41b3419e02a", DPS_USR_SIG, "arm64",
		"usr-arm64-verity-sig"},
	{"993d8d3d-f80e-4225-855a-9daf8ed7ea97", DPS_ROOT, "ia64", "root-ia64"},
	{"4301d2a6-4e3b-4b2a-bb94-9e0b2c4225ea", DPS_USR, "ia64", "usr-ia64"},
	{"86ed10d5-b607-45bb-8957-d350f23d0571", DPS_ROOT_VERITY, "ia64",
		"root-ia64-verity"},
	{"6a491e03-3be7-4545-8e38-83320e0ea880", DPS_USR_VERITY, "ia64",
		"usr-ia64-verity"},
	{"e98b36ee-32ba-4882-9b12-0ce14655f46a", DPS_ROOT_SIG, "ia64",
		"root-ia64-verity-sig"},
	{"8de58bc2-2a43-460d-b14e-a76e4a17b47f", DPS_USR_SIG, "ia64",
		"usr-ia64-verity-sig"},
	{"77055800-792c-4f94-b39a-98c91b762bb6", DPS_ROOT, "loongarch64",
		"root-loongarch64"},
	{"e611c702-575c-4cbe-9a46-434fa0bf7e3f", DPS_USR, "loongarch64",
		"usr-loongarch64"},
	{"f3393b22-e9af-4613-a948-9d3bfbd0c535", DPS_ROOT_VERITY, "loongarch64",
		"root-loongarch64-verity"},
	{"f46b2c26-59ae-48f0-9106-c50ed47f673d", DPS_USR_VERITY, "loongarch64",
		"usr-loongarch64-verity"},
	{"5afb67eb-ecc8-4f85-ae8e-ac1e7c50e7d0", DPS_ROOT_SIG, "loongarch64",
		"root-loongarch64-verity-sig"},
	{"b024f315-d330-444c-8461-44bbde524e99", DPS_USR_SIG, "loongarch64",
		"usr-loongarch64-verity-sig"},
	{"37c58c8a-d913-4156-a25f-48b1b64e07f0", DPS_ROOT, "mips-le", "root-mips-le"},
	{"0f4868e9-9952-4706-979f-3ed3a473e947", DPS_USR, "mips-le", "usr-mips-le"},
	{"d7d150d2-2a04-4a33-8f12-16651205ff7b", DPS_ROOT_VERITY, "mips-le",
		"root-mips-le-verity"},
	{"46b98d8d-b55c-4e8f-aab3-37fca7f80752", DPS_USR_VERITY, "mips-le",
		"usr-mips-le-verity"},
	{"c919cc1f-4456-4eff-918c-f75e94525ca5", DPS_ROOT_SIG, "mips-le",
		"root-mips-le-verity-sig"},
	{"3e23ca0b-a4bc-4b4e-8087-5ab6a26aa8a9", DPS_USR_SIG, "mips-le",
		"usr-mips-le-verity-sig"},
	{"700bda43-7a34-4507-b179-eeb93d7a7ca3", DPS_ROOT, "mips64-le", "root-mips64-le"},
	{"c97c1f32-ba06-40b4-9f22-236061b08aa8", DPS_USR, "mips64-le", "usr-mips64-le"},
	{"16b417f8-3e06-4f57-8dd2-9b5232f41aa6", DPS_ROOT_VERITY, "mips64-le",
		"root-mips64-le-verity"},
	{"3c3d61fe-b5f3-414d-bb71-8739a694a4ef", DPS_USR_VERITY, "mips64-le",
		"usr-mips64-le-verity"},
	{"904e58ef-5c65-4a31-9c57-6af5fc7c5de7", DPS_ROOT_SIG, "mips64-le",
		"root-mips64-le-verity-sig"},
	{"f2c2c7ee-adcc-4351-b5c6-ee9816b66e16", DPS_USR_SIG, "mips64-le",
		"usr-mips64-le-verity-sig"},
	{"1de3f1ef-fa98-47b5-8dcd-4a860a654d78", DPS_ROOT, "ppc", "root-ppc"},
	{"7d14fec5-cc71-415d-9d6c-06bf0b3c3eaf", DPS_USR, "ppc", "usr-ppc"},
	{"98cfe649-1588-46dc-b2f0-add147424925", DPS_ROOT_VERITY, "ppc",
		"root-ppc-verity"},
	{"df765d00-270e-49e5-bc75-f47bb2118b09", DPS_USR_VERITY, "ppc", "usr-ppc-verity"},
	{"1b31b5aa-add9-463a-b2ed-bd467fc857e7", DPS_ROOT_SIG, "ppc",
		"root-ppc-verity-sig"},
	{"7007891d-d371-4a80-86a4-5cb875b9302e", DPS_USR_SIG, "ppc",
		"usr-ppc-verity-sig"},
	{"912ade1d-a839-4913-8964-a10eee08fbd2", DPS_ROOT, "ppc64", "root-ppc64"},
	{"2c9739e2-f068-46b3-9fd0-01c5a9afbcca", DPS_USR, "ppc64", "usr-ppc64"},
	{"9225a9a3-3c19-4d89-b4f6-eeff88f17631", DPS_ROOT_VERITY, "ppc64",
		"root-ppc64-verity"},
	{"bdb528a5-a259-475f-a87d-da53fa736a07", DPS_USR_VERITY, "ppc64",
		"usr-ppc64-verity"},
	{"f5e2c20c-45b2-4ffa-bce9-2a60737e1aaf", DPS_ROOT_SIG, "ppc64",
		"root-ppc64-verity-sig"},
	{"0b888863-d7f8-4d9e-9766-239fce4d58af", DPS_USR_SIG, "ppc64",
		"usr-ppc64-verity-sig"},
	{"c31c45e6-3f39-412e-80fb-4809c4980599", DPS_ROOT, "ppc64-le", "root-ppc64-le"},
	{"15bb03af-77e7-4d4a-b12b-c0d084f7491c", DPS_USR, "ppc64-le", "usr-ppc64-le"},
	{"906bd944-4589-4aae-a4e4-dd983917446a", DPS_ROOT_VERITY, "ppc64-le",
		"root-ppc64-le-verity"},
	{"ee2b9983-21e8-4153-86d9-b6901a54d1ce", DPS_USR_VERITY, "ppc64-le",
		"usr-ppc64-le-verity"},
	{"d4a236e7-e873-4c07-bf1d-bf6cf7f1c3c6", DPS_ROOT_SIG, "ppc64-le",
		"root-ppc64-le-verity-sig"},
	{"c8bfbd1e-268e-4521-8bba-bf314c399557", DPS_USR_SIG, "ppc64-le",
		"usr-ppc64-le-verity-sig"},
	{"60d5a7fe-8e7d-435c-b714-3dd8162144e1", DPS_ROOT, "riscv32", "root-riscv32"},
	{"b933fb22-5c3f-4f91-af90-e2bb0fa50702", DPS_USR, "riscv32", "usr-riscv32"},
	{"ae0253be-1167-4007-ac68-43926c14c5de", DPS_ROOT_VERITY, "riscv32",
		"root-riscv32-verity"},
	{"cb1ee4e3-8cd0-4136-a0a4-aa61a32e8730", DPS_USR_VERITY, "riscv32",
		"usr-riscv32-verity"},
	{"3a112a75-8729-4380-b4cf-764d79934448", DPS_ROOT_SIG, "riscv32",
		"root-riscv32-verity-sig"},
	{"c3836a13-3137-45ba-b583-b16c50fe5eb4", DPS_USR_SIG, "riscv32",
		"usr-riscv32-verity-sig"},
	{"72ec70a6-cf74-40e6-bd49-4bda08e8f224", DPS_ROOT, "riscv64", "root-riscv64"},
	{"beaec34b-8442-439b-a40b-984381ed097d", DPS_USR, "riscv64", "usr-riscv64"},
	{"b6ed5582-440b-4209-b8da-5ff7c419ea3d", DPS_ROOT_VERITY, "riscv64",
		"root-riscv64-verity"},
	{"8f1056be-9b05-47c4-81d6-be53128e5b54", DPS_USR_VERITY, "riscv64",
		"usr-riscv64-verity"},
	{"efe0f087-ea8d-4469-821a-4c2a96a8386a", DPS_ROOT_SIG, "riscv64",
		"root-riscv64-verity-sig"},
	{"d2f9000a-7a18-453f-b5cd-4d32f77a7b32", DPS_USR_SIG, "riscv64",
		"usr-riscv64-verity-sig"},
	{"08a7acea-624c-4a20-91e8-6e0fa67d23f9", DPS_ROOT, "s390", "root-s390"},
	{"cd0f869b-d0fb-4ca0-b141-9ea87cc78d66", DPS_USR, "s390", "usr-s390"},
	{"7ac63b47-b25c-463b-8df8-b4a94e6c90e1", DPS_ROOT_VERITY, "s390",
		"root-s390-verity"},
	{"b663c618-e7bc-4d6d-90aa-11b756bb1797", DPS_USR_VERITY, "s390",
		"usr-s390-verity"},
	{"3482388e-4254-435a-a241-766a065f9960", DPS_ROOT_SIG, "s390",
		"root-s390-verity-sig"},
	{"17440e4f-a8d0-467f-a46e-3912ae6ef2c5", DPS_USR_SIG, "s390",
		"usr-s390-verity-sig"},
	{"5eead9a9-fe09-4a1e-a1d7-520d00531306", DPS_ROOT, "s390x", "root-s390x"},
	{"8a4f5770-50aa-4ed3-874a-99b710db6fea", DPS_USR, "s390x", "usr-s390x"},
	{"b325bfbe-c7be-4ab8-8357-139e652d2f6b", DPS_ROOT_VERITY, "s390x",
		"root-s390x-verity"},
	{"31741cc4-1a2a-4111-a581-e00b447d2d06", DPS_USR_VERITY, "s390x",
		"usr-s390x-verity"},
	{"c80187a5-73a3-491a-901a-017c3fa953e9", DPS_ROOT_SIG, "s390x",
		"root-s390x-verity-sig"},
	{"3f324816-667b-46ae-86ee-9b0c0c6c11b4", DPS_USR_SIG, "s390x",
		"usr-s390x-verity-sig"},
	{"c50cdd70-3862-4cc3-90e1-809a8c93ee2c", DPS_ROOT, "tilegx", "root-tilegx"},
	{"55497029-c7c1-44cc-aa39-815ed1558630", DPS_USR, "tilegx", "usr-tilegx"},
	{"966061ec-28e4-4b2e-b4a5-1f0a825a1d84", DPS_ROOT_VERITY, "tilegx",
		"root-tilegx-verity"},
	{"2fb4bf56-07fa-42da-8132-6b139f2026ae", DPS_USR_VERITY, "tilegx",
		"usr-tilegx-verity"},
	{"b3671439-97b0-4a53-90f7-2d5a8f3ad47b", DPS_ROOT_SIG, "tilegx",
		"root-tilegx-verity-sig"},
	{"4ede75e2-6ccc-4cc8-b9c7-70334b087510", DPS_USR_SIG, "tilegx",
		"usr-tilegx-verity-sig"},
};

const struct dps_type *dps_by_uuid(const uint8_t uuid[16])
{
	char text[UUID_TEXT_SIZE];
	uuid_encode(uuid, text);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (!strcmp(types[i].uuid, text))
			return &types[i];
	return NULL;
}

const struct dps_type *dps_find(enum dps_role role, const char *architecture)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].role == role &&
			(!types[i].architecture ||
				!strcmp(types[i].architecture, architecture)))
			return &types[i];
	return NULL;
}

bool dps_is_named(const struct dps_type *type, const char *name)
{
	if (!strcmp(type->name, name))
		return true;
	if (!type->architecture)
		return false;
	/* "root-x86-64-verity": "-x86-64" is left out. */
	const char *at = strstr(type->name, type->architecture);
	if (!at || at == type->name)
		return false;
	size_t before = (size_t)(at - type->name) - 1;
	return !strncmp(type->name, name, before) &&
	       !strcmp(at + strlen(type->architecture), name + before);
}

const struct dps_type *dps_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (dps_is_named(&types[i], name))
			return &types[i];
	return NULL;
}

const char *dps_native(void)
{
#if defined(__x86_64__)
	return "x86-64";
#elif defined(__i386__)
	return "x86";
#elif defined(__aarch64__)
	return "arm64";
#elif defined(__arm__)
	return "arm";
#elif defined(__riscv) && __riscv_xlen == 64
	return "riscv64";
#elif defined(__loongarch64)
	return "loongarch64";
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return "ppc64-le";
#elif defined(__s390x__)
	return "s390x";
#else
#error "name this architecture as the Discoverable Partitions Specification does"
#endif
}
