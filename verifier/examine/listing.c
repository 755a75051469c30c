/* SPDX-License-Identifier: MIT */
#include "verifier/examine/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/openssl.h"
#include "core/path.h"
#include "verifier/dfxml.h"

#define PIECE ((size_t)1 << 18) /* bytes read at a time */
#define FLUSH ((size_t)1 << 16) /* bytes of XML that are kept back */
#define DEPTH 256               /* directories inside each other: each has a descriptor */
#define TOLD  100               /* paths that the report names */

/* A directory on the way to where the walk is. */
struct level {
	const struct level *above; /* NULL: the root */
	int fd;
	unsigned depth;
	uint64_t inode;
};

struct walk {
	struct listing *l;
	struct buffer path; /* of the current file, without a first slash */
	struct buffer xml;
	uint8_t *piece;
};

static int flush(struct walk *w, size_t limit)
{
	if (w->xml.size <= limit)
		return 0;
	int r = file_write(w->l->to, w->xml.data, w->xml.size, w->l->size);
	w->l->size += w->xml.size;
	w->xml.size = 0;
	return r;
}

/* The current file is not, or not as a whole, in the list. */
static void tell(struct walk *w, const char *why)
{
	BUFFER path = {0};
	if (w->l->n_unread++ >= TOLD ||
		buffer_printf(&path, "/%s", buffer_text(&w->path)))
		return;
	const struct place place = {.area = buffer_text(&path)};
	report_uncovered(w->l->report, "files", &place, "%s", why);
}

static int digest_data(struct walk *w, int fd, EVP_MD_CTX *ctx)
{
	for (;;) {
		int r = w->l->tick(w->l->context);
		ssize_t n = r < 0 ? -1 : read(fd, w->piece, PIECE);
		if (r < 0)
			return r;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0;
		if (!EVP_DigestUpdate(ctx, w->piece, (size_t)n))
			return openssl_error(STATUS_FAILED, "cannot compute SHA-256");
	}
}

/* Returns 1 if the file cannot be read; why is in errno. */
static int digest(struct walk *w, const struct level *dir, const char *name,
	const struct statx *state, uint8_t sha256[32])
{
	struct stat st;
	int fd = openat(
		dir->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return 1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != state->stx_ino) {
		close(fd);
		errno = ESTALE;
		return 1;
	}
	AUTO(md_ctx, EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	int r = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)
			? digest_data(w, fd, ctx)
			: openssl_error(STATUS_FAILED, "cannot compute SHA-256");
	int e = errno;
	if (r == 0 && !EVP_DigestFinal_ex(ctx, sha256, NULL))
		r = openssl_error(STATUS_FAILED, "cannot compute SHA-256");
	close(fd);
	errno = e;
	return r;
}

/* Adds the current file, NAME in DIR. */
static int add(struct walk *w, const struct level *dir, const char *name,
	const struct statx *state)
{
	char target[PATH_MAX];
	uint8_t sha256[32];
	struct dfxml_file file = {.path = buffer_span(&w->path), .state = state};
	int r = 0;
	if (S_ISLNK(state->stx_mode)) {
		ssize_t n = readlinkat(dir->fd, name, target, sizeof target - 1);
		target[n < 0 ? 0 : n] = 0;
		file.target = n < 0 ? NULL : target;
		r = n < 0;
	} else if (S_ISREG(state->stx_mode)) {
		r = digest(w, dir, name, state, sha256);
		file.sha256 = r == 0 ? sha256 : NULL;
	}
	if (r < 0)
		return r;
	if (r > 0)
		tell(w, strerrordesc_np(errno));
	w->l->n_files++;
	r = dfxml_file(&w->xml, &file);
	return r < 0 ? r : flush(w, FLUSH);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
	char **items; /* owned, each of them too */
	size_t n_items, capacity;
};

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->n_items; i++)
		free(names->items[i]);
	free(names->items);
}

static int names_add(struct names *names, const char *name)
{
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	if (names->n_items == names->capacity) {
		size_t capacity = names->capacity ? 2 * names->capacity : 64;
		char **more = reallocarray(names->items, capacity, sizeof *more);
		if (!more)
			return error_memory();
		names->items = more;
		names->capacity = capacity;
	}
	char *copy = strdup(name);
	if (!copy)
		return error_memory();
	names->items[names->n_items++] = copy;
	return 0;
}

/* The names in the directory FD, sorted. One that cannot be read to its end is told. */
static int read_names(struct walk *w, int fd, struct names *names)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	int r = 0;
	if (!dir) {
		tell(w, strerrordesc_np(errno));
		if (copy >= 0)
			close(copy);
		return 0;
	}
	for (errno = 0; r == 0;) {
		const struct dirent *entry = readdir(dir);
		if (!entry && errno)
			tell(w, strerrordesc_np(errno));
		if (!entry)
			break;
		r = names_add(names, entry->d_name);
		errno = 0;
	}
	closedir(dir);
	if (names->n_items)
		qsort(names->items, names->n_items, sizeof *names->items, by_name);
	return r;
}

static int walk_dir(struct walk *w, const struct level *dir);

/* Into the directory NAME, unless it is one of those it lies in. */
static int descend(struct walk *w, const struct level *above, const char *name)
{
	struct stat st;
	struct level dir = {.above = above, .depth = above->depth + 1};
	dir.fd = openat(above->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir.fd < 0 || fstat(dir.fd, &st) < 0) {
		tell(w, strerrordesc_np(errno));
		if (dir.fd >= 0)
			close(dir.fd);
		return 0;
	}
	dir.inode = st.st_ino;
	const struct level *l = above;
	while (l && l->inode != dir.inode)
		l = l->above;
	int r = 0;
	/* The roots of btrfs' subvolumes have equal numbers, on different devices. */
	struct stat same;
	if (l && fstat(l->fd, &same) == 0 && same.st_dev == st.st_dev)
		tell(w, "a directory that is inside itself");
	else if (dir.depth >= DEPTH)
		tell(w, "too many directories inside each other: not listed further");
	else
		r = walk_dir(w, &dir);
	close(dir.fd);
	return r;
}

static int visit(struct walk *w, const struct level *dir, const char *name)
{
	struct statx state;
	size_t before = w->path.size;
	int r = w->l->tick(w->l->context);
	if (r == 0)
		r = buffer_printf(&w->path, "%s%s", before ? "/" : "", name);
	if (r < 0)
		return r;
	if (statx(dir->fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		    STATX_BASIC_STATS | STATX_BTIME, &state) < 0) {
		tell(w, strerrordesc_np(errno));
	} else {
		r = add(w, dir, name, &state);
		if (r == 0 && S_ISDIR(state.stx_mode))
			r = descend(w, dir, name);
	}
	w->path.size = before;
	w->path.data[before] = 0;
	return r;
}

static int walk_dir(struct walk *w, const struct level *dir)
{
	struct names names = {0};
	int r = read_names(w, dir->fd, &names);
	for (size_t i = 0; r == 0 && i < names.n_items; i++)
		r = visit(w, dir, names.items[i]);
	names_free(&names);
	return r;
}

static void conclude(const struct listing *l)
{
	const struct place place = {.area = "image"};
	if (l->n_unread == 0)
		report_good(l->report, "files", &place, "%ju files were listed and read",
			(uintmax_t)l->n_files);
	else
		report_uncovered(l->report, "files", &place,
			"%ju of %ju files were not read, or not wholly",
			(uintmax_t)l->n_unread, (uintmax_t)l->n_files);
}

int listing_run(struct listing *l, int mount)
{
	struct stat st;
	struct walk w = {.l = l, .piece = malloc(PIECE)};
	struct level root = {
		.fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	int r = w.piece ? 0 : error_memory();
	if (r == 0 && (root.fd < 0 || fstat(root.fd, &st) < 0))
		r = error_errno("cannot open the root directory");
	if (r == 0) {
		root.inode = st.st_ino;
		r = walk_dir(&w, &root);
	}
	if (r == 0)
		r = flush(&w, 0);
	if (r == 0)
		conclude(l);
	if (root.fd >= 0)
		close(root.fd);
	free(w.piece);
	buffer_free(&w.path);
	buffer_free(&w.xml);
	return r;
}
