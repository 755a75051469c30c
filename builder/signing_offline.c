/* SPDX-License-Identifier: MIT */
/* Requests to an offline signer, and the answers. */
#include "builder/signing.h"

#include <errno.h>
#include <string.h>

#include "core/authenticode.h"
#include "core/output.h"
#include "core/path.h"
#include "core/signature.h"

#define ANSWER_LIMIT 65536

/* The first item with the same request: the same program may be there twice. */
static size_t first_alike(const struct signing *s, size_t index)
{
	const struct buffer *b = &s->items[index].request;
	for (size_t i = 0; i < index; i++) {
		const struct buffer *a = &s->items[i].request;
		if (a->size == b->size && memcmp(a->data, b->data, a->size) == 0)
			return i;
	}
	return index;
}

static int request_name(
	const struct signing_item *item, const char *dir, struct buffer *name)
{
	int r = buffer_printf(name, "%s/", dir);
	size_t start = name->size;
	if (r == 0)
		r = buffer_printf(name, "%s.tbs", item->path ? item->path : "roothash");
	for (size_t i = start; r == 0 && i < name->size; i++)
		if (name->data[i] == '/')
			name->data[i] = '_';
	return r;
}

int signing_export(
	const struct signing *s, const char *dir, bool replace, struct buffer *names)
{
	int r = path_make_dirs(dir, 0755);
	for (size_t i = 0; r == 0 && i < s->n_items; i++) {
		BUFFER name = {0};
		if (first_alike(s, i) != i)
			continue;
		r = request_name(&s->items[i], dir, &name);
		if (r == 0)
			r = output_save(buffer_text(&name), 0644, replace,
				buffer_span(&s->items[i].request));
		if (r == 0)
			r = buffer_printf(names, "%s\n", buffer_text(&name));
	}
	return r;
}

static int attach_root_hash(
	struct signing *s, const struct certificate *certificate, struct span answer)
{
	AUTO_SIGNATURE signature = {0};
	int r = signature_attach(&signature, certificate, s->root_hash, answer);
	return r < 0 ? r : signature_partition(&signature, &s->items[0].done);
}

/* Gives ANSWER to all items it answers. */
static int attach_one(
	struct signing *s, const struct certificate *certificate, const char *name)
{
	BUFFER answer = {0};
	bool used = false;
	int r = file_slurp(name, ANSWER_LIMIT, &answer);
	for (size_t i = 0; r == 0 && i < s->n_items; i++) {
		struct signing_item *item = &s->items[i];
		if (item->done.size)
			continue;
		int given = item->path ? authenticode_attach(&item->pe, certificate,
						 buffer_span(&answer), &item->done)
				       : attach_root_hash(
						 s, certificate, buffer_span(&answer));
		if (given < 0 && given != -EKEYREJECTED)
			r = given;
		used = used || given == 0;
	}
	if (r == 0 && !used)
		r = error_set(STATUS_TRUST, EKEYREJECTED,
			"%s: answers no request of %s, or was not made with the key of "
			"%s",
			name, s->file.name, certificate->name);
	return r;
}

int signing_attach(struct signing *s, const struct certificate *certificate,
	const char *const *answers, size_t n_answers)
{
	int r = 0;
	strcpy(s->fingerprint, certificate->fingerprint);
	for (size_t i = 0; r == 0 && i < n_answers; i++)
		r = attach_one(s, certificate, answers[i]);
	for (size_t i = 0; r == 0 && i < s->n_items; i++)
		if (!s->items[i].done.size)
			r = error_usage("%s: no answer for %s was given", s->file.name,
				s->items[i].path ? s->items[i].path : "the root hash");
	return r;
}
