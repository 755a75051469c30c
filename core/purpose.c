/* SPDX-License-Identifier: MIT */
#include "core/purpose.h"

#include <string.h>

/*
 * OIDs under 2.25 are UUIDs in decimal (X.667); these are listed in docs/trust.md. In DER
 * they are the byte 2 * 40 + 25 and the UUID in base 128.
 */
#define DER(text)                                         \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

static const struct {
	const char *name;
	const char *oid;
	struct span der;
} purposes[N_PURPOSES] = {
	/* f5dc8240-7502-4328-b594-9d461ac68b80 */
	[PURPOSE_ROOT] = {"root", "2.25.326805806096245407720027131346193648512",
		DER("\x69\x83\xeb\xdc\xc1\x90\x8e\xd0\x92\x8c\xd1\xb5\xca\xa7\xa8\xe1\xd6"
		    "\x9a\x97\x00")},
	/* 361f0bb0-0732-4e0d-9f75-6c41e1fb8334 */
	[PURPOSE_SYSEXT] = {"sysext", "2.25.71939510027889489427801799309729170228",
		DER("\x69\xec\x9f\x85\xec\x80\xf3\x92\xb8\x9b\x9f\xba\xdb\x88\x9e\x8f\xee"
		    "\x86\x34")},
	/* 1b5d4054-c236-460c-8838-d19490c46d97 */
	[PURPOSE_CONFEXT] = {"confext", "2.25.36373344283522457139398306159550295447",
		DER("\x69\xb6\xdd\xa0\x95\x98\xa3\xb2\x98\x99\x88\x9c\xb4\xb2\xc9\x86\x91"
		    "\xdb\x17")},
	/* 928944c7-79f5-48a4-8af9-a7f2b5aee64d */
	[PURPOSE_GENERATION] = {"generation",
		"2.25.194780027062218593541111870399997470285",
		DER("\x69\x82\xa5\x89\xa2\xb1\xef\x9f\xaa\xa2\xc9\x8a\xfc\xe9\xfe\xab\xad"
		    "\xbb\xcc\x4d")},
};

const char *purpose_name(enum purpose purpose)
{
	return purposes[purpose].name;
}

const char *purpose_oid(enum purpose purpose)
{
	return purposes[purpose].oid;
}

int purpose_by_name(const char *name, enum purpose *purpose)
{
	for (int i = 0; i < N_PURPOSES; i++)
		if (!strcmp(name, purposes[i].name)) {
			*purpose = (enum purpose)i;
			return 0;
		}
	return error_usage(
		"no purpose %s; there is: root, sysext, confext, generation", name);
}

int purpose_by_der(struct span oid)
{
	for (int i = 0; i < N_PURPOSES; i++)
		if (oid.size == purposes[i].der.size &&
			memcmp(oid.data, purposes[i].der.data, oid.size) == 0)
			return i;
	return -1;
}
