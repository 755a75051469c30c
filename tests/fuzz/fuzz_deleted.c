/* SPDX-License-Identifier: MIT */
/*
 * Deleted files. The first byte says of which side: an ext2, 3 or 4, which must come to
 * an end whatever it says, and give what can be given; or what the process that reads one
 * writes to its pipe, which may be the image's by then and makes no more than a list.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/utf8.h"
#include "verifier/deleted_ext4.h"
#include "verifier/examine/deleted.h"

/* Of a pipe, so that nobody else is needed to write. */
#define PIPE_SIZE ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the image --------------------------------------------------------------------- */

struct taken {
	uint64_t n, last;
};

static int take(void *context, const struct deleted_file *file)
{
	struct taken *t = context;
	const struct span path = file->path;
	if (file->state.stx_ino <= t->last || file->state.stx_mtime.tv_nsec >= 1000000000)
		abort();
	if (path.size && (*path.data == '/' || memchr(path.data, 0, path.size)))
		abort();
	t->last = file->state.stx_ino;
	t->n++;
	return 0;
}

static void search(struct span image)
{
	AUTO_FILE f = FILE_CLOSED;
	struct taken taken = {0};
	struct deleted_search s = {.take = take, .context = &taken};
	if (file_in_memory(&f, "image", image) < 0)
		abort();
	int r = deleted_ext4(&s, &f, 0, f.size);
	if (r == 0 && taken.n > s.n_files)
		abort();
	if (r < 0 && error_status() != STATUS_FORMAT)
		abort();
}

/* ---- the pipe ---------------------------------------------------------------------- */

static int tick(void *context)
{
	(void)context;
	return 0;
}

/* Characters that XML has, and as many elements that end as begin. */
static void check_list(const struct file *list, uint64_t size)
{
	BUFFER xml = {0};
	size_t begun = 0, ended = 0;
	if (buffer_append_zeros(&xml, (size_t)size) < 0 ||
		file_read(list, xml.data, xml.size, 0) < 0)
		abort();
	for (struct span s = buffer_span(&xml); s.size;) {
		size_t n = utf8_length(s);
		if (n == 0 || (*s.data < 0x20 && *s.data != '\n' && *s.data != '\t'))
			abort();
		if (s.size > 11) {
			begun += !memcmp(s.data, "<fileobject>", 12);
			ended += !memcmp(s.data, "</fileobject", 12);
		}
		s = span_of(s.data + n, s.size - n);
	}
	if (begun != ended)
		abort();
}

static void receive(struct span bytes)
{
	int ends[2];
	AUTO_FILE to = FILE_CLOSED;
	AUTO_REPORT report = {0};
	struct listing l = {.to = &to, .report = &report, .tick = tick};
	if (bytes.size > PIPE_SIZE || pipe2(ends, O_CLOEXEC) < 0 ||
		fcntl(ends[1], F_SETPIPE_SZ, (int)PIPE_SIZE) < 0 ||
		write(ends[1], bytes.data, bytes.size) != (ssize_t)bytes.size)
		abort();
	close(ends[1]);
	if (file_in_memory(&to, "list", (struct span){0}) < 0 ||
		deleted_receive(&l, ends[0]) < 0)
		abort();
	close(ends[0]);
	check_list(&to, l.size);
	/* What was not told is not passed over. */
	if (report.n_findings == 0)
		abort();
	for (size_t i = 0; i < report.n_findings; i++)
		if (strchr(report.findings[i].text, '\n'))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		(data[0] & 1 ? receive : search)(span_of(data + 1, size - 1));
	return 0;
}
