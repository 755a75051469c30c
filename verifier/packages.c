/* SPDX-License-Identifier: MIT */
#include "verifier/packages.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"

#define MANIFEST_MAX ((size_t)16 << 20)

static const char *text_of(json_object *object, const char *key)
{
	json_object *value;
	if (!json_object_object_get_ex(object, key, &value) ||
		!json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

int packages_load(struct packages *p, const struct file *f)
{
	const char *path = f->name;
	*p = (struct packages){0};
	BUFFER text = {0};
	if (f->size > MANIFEST_MAX)
		return error_format("%s: too large for a manifest", path);
	int r = buffer_append_zeros(&text, (size_t)f->size);
	if (r == 0)
		r = file_read(f, text.data, text.size, 0);
	if (r == 0)
		r = json_parse(buffer_span(&text), path, MANIFEST_MAX, &p->document);
	if (r < 0)
		return r;
	p->root_hash = text_of(p->document, "rootHash");
	if (!p->root_hash)
		r = error_format("%s: names no root hash: no manifest of an image", path);
	else if (!json_object_object_get_ex(p->document, "packages", &p->list) ||
		 !json_object_is_type(p->list, json_type_array))
		r = error_set(STATUS_UNCHECKED, ENOENT,
			"%s: lists no packages: the tree came without its manifest",
			path);
	if (r < 0)
		packages_free(p);
	return r;
}

void packages_free(struct packages *p)
{
	json_object_put(p->document);
	*p = (struct packages){0};
}

bool packages_has(const struct packages *p, const char *name, const char *version)
{
	for (size_t i = 0; i < json_object_array_length(p->list); i++) {
		json_object *package = json_object_array_get_idx(p->list, i);
		const char *n = text_of(package, "name"),
			   *v = text_of(package, "version");
		if (n && !strcmp(n, name) && (!version || (v && !strcmp(v, version))))
			return true;
	}
	return false;
}
