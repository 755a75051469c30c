/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "initrd/compose/anchors.h"
#include "initrd/compose/revoked.h"
#include "initrd/plan/vouch.h"

/* A signature to be checked, and the names for messages. */
struct claim {
	const struct anchors *anchors;
	enum purpose purpose;
	const char *name;
	struct span root_hash; /* the text that was signed */
	struct cms cms;
	char fingerprint[VOUCH_FINGERPRINT_SIZE]; /* of the signer, as it says */
};

static int refuse(const struct claim *c, const char *why)
{
	return error_set(STATUS_TRUST, EKEYREJECTED, "%s: %s", c->name, why);
}

/* Whether PIN, which is pinned for the purpose and named by the message, signed it. */
static int check_by(const struct claim *c, const struct pin *pin)
{
	if (revoked_pin(buffer_span(&c->anchors->revoked), pin))
		return error_set(STATUS_TRUST, EKEYREJECTED,
			"%s: signed by a revoked certificate, %s", c->name, pin->name);
	if (!pin_is_for(pin, c->purpose))
		return error_set(STATUS_TRUST, EKEYREJECTED,
			"%s: signed by a certificate that is not for %s, %s", c->name,
			purpose_name(c->purpose), pin->name);
	int r = cms_verify(&c->cms, pin, c->root_hash, c->name);
	if (r == 0 && strcmp(c->fingerprint, pin->fingerprint) != 0)
		r = error_format("%s: names the certificate %.16s..., but %s signed it",
			c->name, c->fingerprint, pin->name);
	return r;
}

/* Nobody pinned for the purpose: says whose signature it is instead, if that is known. */
static int refuse_stranger(const struct claim *c)
{
	if (revoked_signer(buffer_span(&c->anchors->revoked), &c->cms))
		return refuse(c, "signed by a revoked certificate");
	for (int other = 0; other < N_PURPOSES; other++) {
		const struct anchors_pins *pins = &c->anchors->pins[other];
		for (size_t i = 0; i < pins->n_items; i++)
			if (cms_names(&c->cms, &pins->items[i]))
				return error_set(STATUS_TRUST, EKEYREJECTED,
					"%s: signed by a key that is trusted for %s, not "
					"for %s",
					c->name, purpose_name((enum purpose)other),
					purpose_name(c->purpose));
	}
	return error_set(STATUS_TRUST, EKEYREJECTED,
		"%s: signed by a certificate that is not among the %zu trusted for %s",
		c->name, c->anchors->pins[c->purpose].n_items, purpose_name(c->purpose));
}

static int find_signer(const struct claim *c, struct signer_id *by)
{
	const struct anchors_pins *pins = &c->anchors->pins[c->purpose];
	int r = 1;
	/* Renewed certificates may share issuer and serial with what they replace. */
	for (size_t i = 0; r != 0 && i < pins->n_items; i++) {
		if (!cms_names(&c->cms, &pins->items[i]))
			continue;
		r = check_by(c, &pins->items[i]);
		if (r == 0 && by)
			*by = (struct signer_id){&pins->items[i], c->purpose};
	}
	return r > 0 ? refuse_stranger(c) : r;
}

int anchors_check(const struct anchors *a, enum purpose purpose, const char *name,
	const char *root_hash, struct span partition, struct signer_id *by)
{
	BUFFER pkcs7 = {0};
	struct claim c = {.anchors = a,
		.purpose = purpose,
		.name = name,
		.root_hash = span_of(root_hash, strlen(root_hash))};
	if (revoked_root_hash(buffer_span(&a->revoked), root_hash))
		return refuse(&c, "its root hash is revoked");
	int r = vouch_parse(partition, name, root_hash, &pkcs7, c.fingerprint);
	if (r > 0)
		return refuse(&c, "its root hash is not signed");
	if (r == 0)
		r = cms_parse(&c.cms, buffer_span(&pkcs7), name);
	return r < 0 ? r : find_signer(&c, by);
}
