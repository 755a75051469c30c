/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_TESTS_MEMORY_DEVICE_H
#define CAIRN_TESTS_MEMORY_DEVICE_H

/*
 * A blobfs device in memory that records what is done to it, so that a test can make the
 * states a crash may leave. It can also refuse to get larger, or fail after some writes.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blobfs/device.h"

#ifndef MEMORY_MAX
#define MEMORY_MAX ((size_t)16 << 20)
#endif

struct memory_op {
	uint64_t offset;
	size_t size;   /* 0: a flush */
	uint8_t *data; /* NULL: a resize to OFFSET */
};

struct memory {
	uint8_t *bytes;
	bool recording;
	bool has_readers;
	struct memory_op *ops;
	size_t n_ops;
	size_t capacity;
	uint64_t writes_left; /* before every further one fails */
};

static inline void memory_record(struct memory *m, struct memory_op op, const void *data)
{
	if (!m->recording)
		return;
	if (m->n_ops == m->capacity) {
		m->capacity = m->capacity ? 2 * m->capacity : 1024;
		m->ops = reallocarray(m->ops, m->capacity, sizeof *m->ops);
	}
	if (data) {
		op.data = malloc(op.size);
		memcpy(op.data, data, op.size);
	}
	m->ops[m->n_ops++] = op;
}

static inline int memory_read(void *context, uint64_t offset, void *data, size_t size)
{
	struct memory *m = context;
	if (offset > MEMORY_MAX || size > MEMORY_MAX - offset)
		return error_set(STATUS_FAILED, EIO, "memory: read outside");
	memcpy(data, m->bytes + offset, size);
	return 0;
}

static inline int memory_write(
	void *context, uint64_t offset, const void *data, size_t size)
{
	struct memory *m = context;
	if (offset > MEMORY_MAX || size > MEMORY_MAX - offset)
		return error_set(STATUS_FAILED, ENOSPC, "memory: write outside");
	if (m->writes_left == 0)
		return error_set(STATUS_FAILED, EIO, "memory: this write fails");
	m->writes_left--;
	memcpy(m->bytes + offset, data, size);
	memory_record(m, (struct memory_op){offset, size, NULL}, data);
	return 0;
}

static inline int memory_flush(void *context)
{
	memory_record(context, (struct memory_op){0, 0, NULL}, NULL);
	return 0;
}

static inline int memory_resize(void *context, uint64_t size)
{
	(void)context;
	return size > MEMORY_MAX ? error_set(STATUS_FAILED, ENOSPC, "memory: full") : 0;
}

static inline bool memory_has_readers(void *context)
{
	return ((struct memory *)context)->has_readers;
}

/* A device over M whose bytes are zeros. */
static inline void memory_start(struct memory *m, struct blobfs_device *d)
{
	*m = (struct memory){.bytes = calloc(1, MEMORY_MAX), .writes_left = UINT64_MAX};
	*d = (struct blobfs_device){.context = m,
		.name = "memory",
		.size = MEMORY_MAX,
		.is_file = true,
		.read = memory_read,
		.write = memory_write,
		.flush = memory_flush,
		.resize = memory_resize,
		.has_readers = memory_has_readers};
	if (!m->bytes || blobfs_device_init(d) < 0)
		abort();
}

static inline void memory_forget(struct memory *m)
{
	for (size_t i = 0; i < m->n_ops; i++)
		free(m->ops[i].data);
	m->n_ops = 0;
}

static inline void memory_stop(struct memory *m, struct blobfs_device *d)
{
	memory_forget(m);
	free(m->ops);
	free(m->bytes);
	blobfs_device_close(d);
}

#endif
