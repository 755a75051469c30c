/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_DIFF_H
#define CAIRN_CLI_DIFF_H

#include "builder/tree.h"
#include "cli/diff_blobs.h"
#include "core/json.h"
#include "verifier/compare.h"
#include "verifier/disk.h"
#include "verifier/unchanged.h"

/* One of the two things that cairn diff compares. */
struct diff_side {
	const char *path;
	struct tree tree; /* a directory or archive */
	bool is_tree;
	struct diff_blobs blobs; /* a store or a blobfs image */
	bool is_blobs;
	struct file file; /* else an image or a file system */
	struct disk disk;
	bool has_table;
	struct files files;
	struct unchanged_side verity; /* of the first set, if has_verity */
	bool has_verity;
	json_object *inspection; /* owned; of an image with a table */
	json_object *packages;   /* owned; of the manifest beside it, or NULL */
};

/*
 * Opens PATH, all that may have to be opened by name, and reads what a tree has. With
 * CLAIMS blobs are not read to see if they are what they are named.
 */
int diff_side_open(struct diff_side *s, const char *path, bool claims);

/* Reads an image: nothing is opened any more. */
int diff_side_load(struct diff_side *s);
void diff_side_close(struct diff_side *s);

/* A difference that is not one of files: "partition 2: uuid", and both values. */
struct diff_fact {
	char *what;        /* owned */
	const char *a, *b; /* NULL: there is none; in the sides' JSON */
};

struct diff_facts {
	struct diff_fact *items; /* owned */
	size_t n_items;
};
void diff_facts_free(struct diff_facts *facts);

/* Partitions, EFI programs with their sections, and packages. */
int diff_facts_find(
	struct diff_facts *facts, const struct diff_side *a, const struct diff_side *b);

#endif
