/* SPDX-License-Identifier: MIT */
#include "core/merkle_part.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/interrupt.h"

/* The salt goes before or after the block, or before it in a block of the hash's own. */
static int init_hashes(struct merkle_part *m)
{
	const struct merkle_params *p = m->params;
	uint8_t padded[MERKLE_SALT_MAX + 128] = {0};
	memcpy(padded, p->salt, p->salt_size);
	struct span salt = span_of(padded, p->salt_size), none = span_of(padded, 0);
	if (p->kind == MERKLE_FSVERITY) {
		size_t unit = hash_block_size(p->alg);
		salt.size = (p->salt_size + unit - 1) / unit * unit;
	}
	struct span before = p->kind == MERKLE_VERITY_0 ? none : salt;
	struct span after = p->kind == MERKLE_VERITY_0 ? salt : none;
	int r = block_hash_init(&m->data_hash, p->alg, p->data_block_size, before, after);
	if (r == 0)
		r = block_hash_init(
			&m->tree_hash, p->alg, p->tree_block_size, before, after);
	return r;
}

static int check_data(struct merkle_part *m)
{
	const struct merkle_data *d = m->data;
	if (u64_div_up(d->size, m->params->data_block_size) != m->params->data_blocks)
		return error_format("%s: %ju bytes are not %ju blocks of %u",
			d->file->name, (uintmax_t)d->size,
			(uintmax_t)m->params->data_blocks, m->params->data_block_size);
	if (fstat(d->file->fd, &m->before) < 0)
		return error_errno("%s: cannot stat", d->file->name);
	m->sequential = S_ISFIFO(m->before.st_mode) || S_ISSOCK(m->before.st_mode);
	if (m->sequential)
		return 0;
	if (d->offset > d->file->size || d->size > d->file->size - d->offset)
		return error_format(
			"%s: is %ju bytes long, %ju bytes at offset %ju were to be "
			"covered",
			d->file->name, (uintmax_t)d->file->size, (uintmax_t)d->size,
			(uintmax_t)d->offset);
	return 0;
}

static bool is_sparse(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_blocks < st->st_size / 512;
}

int merkle_part_init(struct merkle_part *m, const struct merkle_params *p,
	const struct merkle_data *data)
{
	*m = (struct merkle_part){.params = p,
		.data = data,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.turn = PTHREAD_COND_INITIALIZER};
	int r = merkle_layout(p, &m->layout);
	if (r == 0)
		r = check_data(m);
	if (r == 0)
		r = init_hashes(m);
	if (r < 0)
		return r;
	m->piece_size = is_sparse(&m->before) ? PIECE_SPARSE : PIECE_SIZE;
	m->piece_blocks = m->piece_size / p->data_block_size;
	m->n_pieces = u64_div_up(p->data_blocks, m->piece_blocks);
	return 0;
}

void merkle_part_free(struct merkle_part *m)
{
	block_hash_free(&m->data_hash);
	block_hash_free(&m->tree_hash);
}

size_t merkle_part_blocks(const struct merkle_part *m, uint64_t piece)
{
	uint64_t left = m->params->data_blocks - piece * m->piece_blocks;
	return (size_t)(left < m->piece_blocks ? left : m->piece_blocks);
}

/* Until there is something to read, or we are interrupted: not only in this thread. */
static int await_input(const struct file *f)
{
	struct pollfd p = {.fd = f->fd, .events = POLLIN};
	for (int n = 0; n == 0 || (n < 0 && errno == EINTR);) {
		int r = interrupt_check();
		if (r < 0)
			return r;
		n = poll(&p, 1, 100);
	}
	return 0;
}

static int read_in_order(
	struct merkle_part *m, uint64_t piece, uint8_t *buffer, size_t size)
{
	pthread_mutex_lock(&m->lock);
	while (m->next_read != piece && !m->stopped)
		pthread_cond_wait(&m->turn, &m->lock);
	int r = m->stopped;
	const struct file *f = m->data->file;
	for (size_t done = 0; r == 0 && done < size;) {
		if ((r = await_input(f)) < 0)
			break;
		ssize_t n = read(f->fd, buffer + done, size - done);
		if (n < 0 && errno != EINTR)
			r = error_errno("%s: cannot read", f->name);
		if (n == 0)
			r = error_set(STATUS_FORMAT, EIO,
				"%s: ended before its %ju bytes", f->name,
				(uintmax_t)m->data->size);
		if (n > 0)
			done += (size_t)n;
	}
	m->next_read++;
	pthread_cond_broadcast(&m->turn);
	pthread_mutex_unlock(&m->lock);
	return r;
}

static bool in_hole(const struct file *f, uint64_t offset, size_t size)
{
	off_t data = lseek(f->fd, (off_t)offset, SEEK_DATA);
	/* ENXIO: no data up to the end. The size is checked, so that a file that shrank
	 * is not taken for one with a hole. */
	if (data < 0 && errno == ENXIO && !f->is_device)
		return lseek(f->fd, 0, SEEK_END) >= (off_t)(offset + size);
	return data >= (off_t)(offset + size);
}

/* Where a piece is in the file, and whether it is in a hole. */
static int find_piece(const struct merkle_part *m, uint64_t piece, uint64_t *offset,
	size_t *size, bool *hole)
{
	const struct merkle_data *d = m->data;
	uint64_t start = piece * m->piece_blocks * m->params->data_block_size;
	*size = d->size - start < m->piece_size ? (size_t)(d->size - start)
						: m->piece_size;
	*offset = d->offset + start;
	*hole = !m->sequential && in_hole(d->file, *offset, *size);
	return interrupt_check();
}

static void fill_up(
	const struct merkle_part *m, uint64_t piece, uint8_t *buffer, size_t size)
{
	size_t blocks = merkle_part_blocks(m, piece) * m->params->data_block_size;
	memset(buffer + size, 0, blocks - size);
}

int merkle_part_read(struct merkle_part *m, uint64_t piece, uint8_t *buffer, bool *hole)
{
	uint64_t offset;
	size_t size;
	int r = find_piece(m, piece, &offset, &size, hole);
	if (r < 0 || *hole)
		return r;
	r = m->sequential ? read_in_order(m, piece, buffer, size)
			  : file_read(m->data->file, buffer, size, offset);
	fill_up(m, piece, buffer, size);
	return r;
}

int merkle_part_salvage(
	struct merkle_part *m, uint64_t piece, uint8_t *buffer, bool *hole, bool *missing)
{
	uint64_t offset;
	size_t size;
	memset(missing, 0, merkle_part_blocks(m, piece));
	if (m->sequential)
		return merkle_part_read(m, piece, buffer, hole);
	int r = find_piece(m, piece, &offset, &size, hole);
	if (r == 0 && !*hole)
		r = file_salvage(m->data->file, buffer, size, offset,
			m->params->data_block_size, missing);
	if (r >= 0 && !*hole)
		fill_up(m, piece, buffer, size);
	return r < 0 ? r : 0;
}

void merkle_part_stop(struct merkle_part *m)
{
	pthread_mutex_lock(&m->lock);
	m->stopped = true;
	pthread_cond_broadcast(&m->turn);
	pthread_mutex_unlock(&m->lock);
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int merkle_part_unchanged(const struct merkle_part *m, const struct file *tree)
{
	struct stat now, t;
	const struct stat *then = &m->before;
	const struct file *f = m->data->file;
	if (!S_ISREG(then->st_mode))
		return 0;
	if (fstat(f->fd, &now) < 0)
		return error_errno("%s: cannot stat", f->name);
	if (tree && fstat(tree->fd, &t) == 0 && t.st_dev == now.st_dev &&
		t.st_ino == now.st_ino)
		return 0;
	if (now.st_size != then->st_size || !same_time(now.st_mtim, then->st_mtim) ||
		!same_time(now.st_ctim, then->st_ctim))
		return error_set(
			STATUS_FAILED, EIO, "%s: changed while it was read", f->name);
	return 0;
}
