/* SPDX-License-Identifier: MIT */
#include "builder/initrd_trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "initrd/compose/anchors.h"
#include "initrd/compose/revoked.h"

static int check(const struct initrd_trust *t, const struct pin *pin)
{
	if (!pin_is_for(pin, PURPOSE_ROOT))
		return error_set(STATUS_TRUST, EKEYREJECTED,
			"%s: a certificate that is not for root", pin->name);
	for (size_t i = 0; i < t->n_pins; i++)
		if (!strcmp(t->pins[i].fingerprint, pin->fingerprint))
			return 1;
	return 0;
}

int initrd_trust_add(struct initrd_trust *t, const char *path)
{
	BUFFER file = {0};
	struct pin pin;
	int r = file_slurp(path, PIN_MAX_SIZE, &file);
	if (r < 0)
		return r;
	struct pin *pins = reallocarray(t->pins, t->n_pins + 1, sizeof *pins);
	if (!pins)
		return error_memory();
	t->pins = pins;
	r = pin_parse(&pin, buffer_span(&file), path);
	if (r == 0)
		r = check(t, &pin);
	if (r == 0)
		pins[t->n_pins++] = pin;
	else
		pin_free(&pin);
	return r < 0 ? r : 0;
}

int initrd_trust_revoke(struct initrd_trust *t, const char *path)
{
	buffer_free(&t->revoked);
	int r = file_slurp(path, ANCHORS_FILE_MAX, &t->revoked);
	return r < 0 ? r : revoked_check(buffer_span(&t->revoked), path);
}

void initrd_trust_free(struct initrd_trust *t)
{
	for (size_t i = 0; i < t->n_pins; i++)
		pin_free(&t->pins[i]);
	free(t->pins);
	buffer_free(&t->revoked);
	*t = (struct initrd_trust){0};
}
