/* SPDX-License-Identifier: MIT */
#include "blobfs/show.h"

#include <stdio.h>

#include "blobfs/image.h"
#include "core/json.h"

static int print_document(json_object *document)
{
	int r = json_print(document);
	json_object_put(document);
	return r;
}

static void show_line(const struct blobfs_entry *e, const char *digest, bool places)
{
	printf("%s %ju", digest, (uintmax_t)e->size);
	if (places)
		printf(" %ju %ju %ju", (uintmax_t)e->data, (uintmax_t)e->tree,
			(uintmax_t)e->tail);
	putchar('\n');
}

static void append_blob(
	const struct blobfs_entry *e, const char *digest, bool places, json_object *list)
{
	json_object *blob = json_object_new_object();
	json_add_text(blob, "digest", digest);
	json_add_number(blob, "size", e->size);
	if (places) {
		json_add_number(blob, "data", e->data);
		json_add_number(blob, "tree", e->tree);
		json_add_number(blob, "tail", e->tail);
	}
	json_append(list, blob);
}

int blobfs_show_blobs(struct blobfs_store *s, bool places, bool as_json)
{
	struct blobfs_walk walk;
	struct blobfs_entry e;
	char digest[BLOBFS_DIGEST_TEXT];
	json_object *list = as_json ? json_object_new_array() : NULL;
	int r = blobfs_walk_start(&walk, &s->fs, s->device->name, NULL, 0, s->fs.n_runs);
	while (r == 0 && (r = blobfs_walk_next(&walk, &e)) > 0) {
		r = 0;
		if (e.size == BLOBFS_TOMBSTONE)
			continue;
		blobfs_digest_text(e.digest, digest);
		if (list)
			append_blob(&e, digest, places, list);
		else
			show_line(&e, digest, places);
	}
	blobfs_walk_stop(&walk);
	if (r == 0 && list)
		return print_document(list);
	json_object_put(list);
	return r;
}

int blobfs_show_refs(struct blobfs_store *s, bool as_json)
{
	AUTO_BLOBFS_REFS refs = {0};
	char digest[BLOBFS_DIGEST_TEXT];
	int r = blobfs_refs_load(&refs, s);
	if (r < 0)
		return r;
	json_object *map = as_json ? json_object_new_object() : NULL;
	for (size_t i = 0; i < refs.n_refs; i++) {
		blobfs_digest_text(refs.refs[i].digest, digest);
		if (map)
			json_add_text(map, refs.refs[i].name, digest);
		else
			printf("%s %s\n", digest, refs.refs[i].name);
	}
	return map ? print_document(map) : 0;
}
