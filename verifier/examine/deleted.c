/* SPDX-License-Identifier: MIT */
#include "verifier/examine/deleted.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/confine.h"
#include "verifier/deleted_ext4.h"
#include "verifier/dfxml.h"
#include "verifier/examine/servant.h"

#define FLUSH     ((size_t)1 << 16) /* bytes of XML that are kept back */
#define PATH_SIZE ((size_t)1 << 16) /* of a path that is believed, bytes */
#define TICK_MS   20
#define SPACE     (UINT64_C(4) << 30) /* address space of the confined process, bytes */

/* What comes through the pipe: a file, its path behind it, or the end. */
struct record {
	uint32_t is_end;
	struct statx state;
	int64_t dtime;
	uint64_t path_size;
	/* Of the end: */
	uint64_t n_files, n_unread;
	uint32_t failed;
	char text[512];
};

/* ---- the confined process -----------------------------------------------------------
 */

static int send_file(void *context, const struct deleted_file *file)
{
	FILE *to = context;
	const struct record record = {.state = file->state,
		.dtime = file->dtime,
		.path_size = file->path.size < PATH_SIZE ? file->path.size : 0};
	if (fwrite(&record, sizeof record, 1, to) != 1 ||
		fwrite(file->path.data, 1, record.path_size, to) != record.path_size)
		return error_errno("cannot write to a pipe");
	return 0;
}

static int search(const struct file *from, FILE *to)
{
	struct deleted_search s = {.take = send_file, .context = to};
	struct record end = {.is_end = true};
	int r = confine();
	if (r == 0)
		r = deleted_ext4(&s, from, 0, from->size);
	end.n_files = s.n_files;
	end.n_unread = s.n_unread;
	end.failed = r < 0;
	if (r < 0)
		snprintf(end.text, sizeof end.text, "%s", error_text());
	return fwrite(&end, sizeof end, 1, to) != 1 || fflush(to) != 0;
}

static int become_searcher(const struct file *from, int pipe, int parent)
{
	int keep[] = {from->fd, pipe};
	if (!servant_become(parent, "cairn-deleted", keep, 2))
		return 1;
#ifndef __SANITIZE_ADDRESS__
	const struct rlimit limit = {SPACE, SPACE};
	setrlimit(RLIMIT_AS, &limit);
#endif
	FILE *to = fdopen(pipe, "w");
	return to ? search(from, to) : 1;
}

/* ---- what it tells ------------------------------------------------------------------
 */

/* All of SIZE bytes; 1 if there are no more. */
static int read_all(struct listing *l, int fd, void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int ready = poll(&p, 1, TICK_MS);
		int r = l->tick(l->context);
		if (r < 0)
			return r;
		if (ready <= 0)
			continue;
		ssize_t n = read(fd, (uint8_t *)data + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 1;
		done += (size_t)n;
	}
	return 0;
}

static int flush(struct listing *l, struct buffer *xml, size_t limit)
{
	if (xml->size <= limit)
		return 0;
	int r = file_write(l->to, xml->data, xml->size, l->size);
	l->size += xml->size;
	xml->size = 0;
	return r;
}

/* Whether these are values that an inode can have: the process may be the image's. */
static bool believe(const struct record *record)
{
	const struct statx *s = &record->state;
	const struct statx_timestamp times[] = {s->stx_atime, s->stx_mtime, s->stx_ctime,
		s->stx_btime, {.tv_sec = record->dtime}};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
		if (times[i].tv_sec < INT32_MIN || times[i].tv_sec >> 34 > 0 ||
			times[i].tv_nsec >= 1000000000)
			return false;
	return record->path_size < PATH_SIZE;
}

/* Returns 1 if the process ended before it told all. */
static int receive(struct listing *l, int fd, struct record *record)
{
	static char path[PATH_SIZE];
	BUFFER xml = {0};
	for (uint64_t n = 0; n <= DELETED_MAX; n++) {
		int r = read_all(l, fd, record, sizeof *record);
		if (r == 0 && record->is_end) {
			record->text[sizeof record->text - 1] = 0;
			return flush(l, &xml, 0);
		}
		if (r == 0 && !believe(record))
			r = 1;
		if (r == 0)
			r = read_all(l, fd, path, record->path_size);
		const struct dfxml_file file = {.path = span_of(path, record->path_size),
			.state = &record->state,
			.is_deleted = true,
			.dtime = record->dtime};
		if (r == 0)
			r = dfxml_file(&xml, &file);
		if (r == 0)
			r = flush(l, &xml, FLUSH);
		if (r != 0)
			return r < 0 || flush(l, &xml, 0) < 0 ? -1 : 1;
	}
	return 1;
}

/* RESULT is that of receive. */
static void conclude(struct report *report, const struct record *end, int result)
{
	const struct place place = {.area = "image"};
	if (result > 0)
		report_uncovered(report, "deleted", &place,
			"the process that searches for deleted files fell over: not all "
			"of them are listed");
	else if (end->failed)
		report_uncovered(report, "deleted", &place,
			"deleted files are not all listed: %s", end->text);
	else
		report_good(report, "deleted", &place,
			"%ju inodes of deleted files were listed",
			(uintmax_t)(end->n_files < DELETED_MAX ? end->n_files
							       : DELETED_MAX));
	if (result > 0 || end->failed)
		return;
	if (end->n_files > DELETED_MAX)
		report_uncovered(report, "deleted", &place,
			"%ju more deleted files are not in the list",
			(uintmax_t)(end->n_files - DELETED_MAX));
	if (end->n_unread)
		report_uncovered(report, "deleted", &place,
			"%ju blocks of inodes and directories could not be searched for "
			"deleted files",
			(uintmax_t)end->n_unread);
	report_uncovered(report, "deleted", &place,
		"deleted files whose inodes were used again or wiped are not in the "
		"list, "
		"and the content of none is");
}

int deleted_receive(struct listing *l, int fd)
{
	struct record end = {0};
	int r = receive(l, fd, &end);
	if (r < 0)
		return r;
	conclude(l->report, &end, r);
	return 0;
}

bool deleted_knows(const char *type)
{
	return !strcmp(type, "ext2") || !strcmp(type, "ext3") || !strcmp(type, "ext4");
}

void deleted_uncovered(struct report *report, const char *type)
{
	const struct place place = {.area = "image"};
	report_uncovered(report, "deleted", &place,
		"deleted files are not in the list: of %s they are not searched for",
		type);
}

int deleted_list(struct listing *l, const struct file *from)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno("cannot make a pipe");
	pid_t parent = getpid(), child = fork();
	if (child == 0)
		_exit(become_searcher(from, ends[1], parent));
	int r = child < 0 ? error_errno("cannot fork") : 0;
	close(ends[1]);
	if (r == 0)
		r = deleted_receive(l, ends[0]);
	close(ends[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return r;
}
