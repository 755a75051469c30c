/* SPDX-License-Identifier: MIT */
#include "core/workers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/error.h"

struct pool {
	int (*do_item)(void *context, unsigned worker, uint64_t item);
	void *context;
	uint64_t n_items;
	atomic_uint_fast64_t next;
	atomic_bool stop;
	pthread_mutex_t lock; /* of the three below */
	uint64_t failed_item;
	int result;
	struct error_record record;
};

struct thread {
	struct pool *pool;
	unsigned number;
	pthread_t id;
};

unsigned workers_default(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	int n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}

static void note_failure(struct pool *pool, uint64_t item, int result)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->result == 0 || item < pool->failed_item) {
		pool->failed_item = item;
		pool->result = result;
		error_take(&pool->record);
	}
	pthread_mutex_unlock(&pool->lock);
	atomic_store(&pool->stop, true);
}

static void *work(void *argument)
{
	struct thread *t = argument;
	struct pool *pool = t->pool;
	while (!atomic_load(&pool->stop)) {
		uint64_t item = atomic_fetch_add(&pool->next, 1);
		if (item >= pool->n_items)
			break;
		int r = pool->do_item(pool->context, t->number, item);
		if (r < 0)
			note_failure(pool, item, r);
	}
	return NULL;
}

int workers_run(unsigned jobs, uint64_t n_items,
	int (*do_item)(void *context, unsigned worker, uint64_t item), void *context)
{
	if (jobs == 0)
		jobs = workers_default();
	if (jobs > n_items)
		jobs = n_items ? (unsigned)n_items : 1;
	struct pool pool = {.do_item = do_item,
		.context = context,
		.n_items = n_items,
		.lock = PTHREAD_MUTEX_INITIALIZER};
	struct thread *threads = calloc(jobs, sizeof *threads);
	if (!threads)
		return error_memory();
	unsigned started = 1;
	threads[0] = (struct thread){.pool = &pool};
	for (; started < jobs; started++) {
		threads[started] = (struct thread){.pool = &pool, .number = started};
		/* Fewer threads than asked for only means that it takes longer. */
		if (pthread_create(&threads[started].id, NULL, work, &threads[started]))
			break;
	}
	work(&threads[0]);
	for (unsigned i = 1; i < started; i++)
		pthread_join(threads[i].id, NULL);
	free(threads);
	if (pool.result < 0)
		error_put(&pool.record);
	return pool.result;
}
