/* SPDX-License-Identifier: MIT */
#include "verifier/examine/container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/interrupt.h"
#include "core/ranges.h"
#include "verifier/examine/fuse_file.h"
#include "verifier/examine/servant.h"

/* How many places of damage a report lists. */
#define DAMAGE_SHOWN 100

/* How long the end of the process is waited for once a reading failed: 2 s. */
#define END_TRIES   100
#define END_WAIT_US 20000

/* Descriptors that everything but the segments may need. */
#define OTHER_FDS 256

/* ---- what it is ----------------------------------------------------------------------
 */

/* The start of a segment of EWF: a signature, and its number (little-endian) at 9. */
static const uint8_t ewf_magic[] = {'E', 'V', 'F', 9, 13, 10, 255, 0};
#define EWF_NUMBER 9
#define EWF_START  11

/* The segment's number, 0 if PATH is no segment of EWF. */
static unsigned ewf_number(const char *path)
{
	uint8_t start[EWF_START];
	AUTO_FILE f = FILE_CLOSED;
	size_t n = 0;
	if (file_open_image(&f, path, O_RDONLY | O_NOATIME) < 0 || f.is_device ||
		file_read_some(&f, start, sizeof start, 0, &n) < 0 || n < sizeof start ||
		memcmp(start, ewf_magic, sizeof ewf_magic) != 0)
		return 0;
	return get_le16(start + EWF_NUMBER);
}

int container_find(const char *path, enum container_kind *kind, struct segments *segments)
{
	unsigned number = ewf_number(path);
	*kind = number ? CONTAINER_EWF : CONTAINER_NONE;
	if (number > 1)
		return error_usage("%s: is segment %u of a container; name the first one",
			path, number);
	int r = segments_find(segments, path, number ? SEGMENTS_EWF : SEGMENTS_RAW);
	if (r == 0 && !number && segments->n_paths > 1)
		*kind = CONTAINER_SPLIT;
	return r;
}

/* ---- the process that reads ----------------------------------------------------------
 */

static int become_server(struct container_server *s, int parent)
{
	int *keep = calloc(s->n_files + 2, sizeof *keep);
	if (!keep)
		return 1;
	for (size_t i = 0; i < s->n_files; i++)
		keep[i] = s->files[i].fd;
	keep[s->n_files] = s->device;
	keep[s->n_files + 1] = s->facts;
	if (!servant_become(parent, "cairn-segments", keep, s->n_files + 2))
		return 1;
	free(keep);
	return container_server_run(s);
}

static void died(const struct container *c, char *text, size_t size)
{
	if (!WIFSIGNALED(c->ended))
		snprintf(text, size, "ended with status %d", WEXITSTATUS(c->ended));
	else if (WTERMSIG(c->ended) == SIGALRM)
		snprintf(text, size, "did not come to an end");
	else
		snprintf(text, size, "was killed by a signal: %s",
			strsignal(WTERMSIG(c->ended)));
}

bool container_lives(struct container *c)
{
	if (c->server > 0 && waitpid(c->server, &c->ended, WNOHANG) == c->server)
		c->server = -1;
	return c->server > 0;
}

/* One that is neither true nor false is true. */
static void make_bool(bool *value)
{
	uint8_t byte;
	memcpy(&byte, value, sizeof byte);
	*value = byte != 0;
}

int container_believe(const struct container *c, struct container_facts *facts)
{
	struct acquisition *a = &facts->acquisition;
	facts->text[sizeof facts->text - 1] = 0;
	snprintf(a->format, sizeof a->format, "%s",
		c->kind == CONTAINER_EWF ? "EWF (E01)" : "split raw");
	a->n_segments = c->n_segments;
	for (size_t i = 0; i < ACQUISITION_FIELDS; i++)
		a->fields[i][sizeof a->fields[i] - 1] = 0;
	make_bool(&a->has_md5);
	make_bool(&a->has_sha1);
	if (facts->status != STATUS_GOOD)
		return error_set(STATUS_FORMAT, EINVAL, "%s", facts->text);
	return 0;
}

/* Waits until the container is open, or the process gone. */
static int read_facts(struct container *c, int pipe, struct container_facts *facts)
{
	for (size_t done = 0; done < sizeof *facts;) {
		ssize_t n = read(pipe, (uint8_t *)facts + done, sizeof *facts - done);
		int r = n < 0 && errno == EINTR ? interrupt_check() : 0;
		if (r < 0)
			return r;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			char text[80];
			while (waitpid(c->server, &c->ended, 0) < 0 && errno == EINTR)
				;
			c->server = -1;
			died(c, text, sizeof text);
			return error_format("the process that reads the container %s: "
					    "the container is malformed",
				text);
		}
		done += (size_t)n;
	}
	return container_believe(c, facts);
}

/* Starts the process and opens its file. */
static int serve(struct container *c, struct container_server *s,
	struct container_facts *facts, int *fd)
{
	int ends[2];
	int mount = fuse_file_mount(s->device, false);
	if (mount < 0)
		return mount;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		close(mount);
		return error_errno("cannot make a pipe");
	}
	s->facts = ends[1];
	pid_t parent = getpid();
	c->server = fork();
	if (c->server == 0)
		_exit(become_server(s, parent));
	int r = c->server < 0 ? error_errno("cannot fork") : 0;
	close(ends[1]);
	/* Without our copy the file's readers fail when the process is gone. */
	close(s->device);
	s->device = -1;
	if (r == 0)
		r = read_facts(c, ends[0], facts);
	close(ends[0]);
	if (r < 0) {
		close(mount);
		return r;
	}
	*fd = fuse_file_open(mount, false);
	return *fd < 0 ? *fd : 0;
}

static int start(struct container *c, int *fd, struct container_facts *facts)
{
	struct container_server s = {.kind = c->kind,
		.n_files = c->n_segments,
		.device = open("/dev/fuse", O_RDWR | O_CLOEXEC)};
	struct file *files = calloc(c->n_segments, sizeof *files);
	int r = s.device < 0 ? error_errno("/dev/fuse: cannot open") : 0;
	c->damage = mmap(NULL, sizeof *c->damage, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->damage == MAP_FAILED)
		c->damage = NULL;
	if (r == 0 && (!c->damage || !files))
		r = error_memory();
	for (size_t i = 0; r == 0 && i < c->n_segments; i++)
		files[i] = c->segments[i].evidence.file;
	s.files = files;
	s.damage = c->damage;
	if (r == 0)
		r = serve(c, &s, facts, fd);
	if (s.device >= 0)
		close(s.device);
	free(files);
	return r;
}

/* ---- opening -------------------------------------------------------------------------
 */

/* Each segment is a descriptor. */
static void allow_descriptors(size_t n)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < n + OTHER_FDS) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_segments(
	struct container *c, const struct segments *segments, struct examination *e)
{
	int r = 0;
	c->segments = calloc(segments->n_paths, sizeof *c->segments);
	e->segments = calloc(segments->n_paths, sizeof *e->segments);
	if (!c->segments || !e->segments)
		return error_memory();
	allow_descriptors(segments->n_paths);
	for (size_t i = 0; r == 0 && i < segments->n_paths; i++) {
		struct exhibit *x = &c->segments[c->n_segments++];
		*x = EXHIBIT_NONE;
		x->only_hashed = true;
		e->segments[e->n_segments].role = "segment";
		r = evidence_open(&x->evidence, segments->paths[i],
			&e->segments[e->n_segments++], &e->report);
		if (r == 0)
			r = interrupt_check();
	}
	return r;
}

int container_open(struct container *c, enum container_kind kind,
	const struct segments *segments, struct evidence *media,
	struct examined_file *record, struct examination *e)
{
	struct container_facts facts = {0};
	int fd = -1;
	*c = (struct container){.kind = kind};
	*media = EVIDENCE_CLOSED;
	record->backing_type =
		kind == CONTAINER_EWF ? "an EWF container" : "split segments";
	record->path = strdup(segments->paths[0]);
	int r = record->path ? open_segments(c, segments, e) : error_memory();
	if (r == 0)
		r = start(c, &fd, &facts);
	if (r < 0)
		return error_context(r, "%s", segments->paths[0]);
	r = file_from_fd(&media->file, fd, segments->paths[0]);
	media->record = record;
	media->is_served = true;
	e->acquisition = facts.acquisition;
	return r < 0 ? r : evidence_state(media, &record->before);
}

/* ---- the end -------------------------------------------------------------------------
 */

static void report_damage_places(
	struct container *c, uint64_t size, struct report *report)
{
	uint64_t n = atomic_load(&c->damage->n);
	struct ranges bad = {0};
	struct place place = {.area = "image"};
	uint64_t listed = n < CONTAINER_DAMAGE_MAX ? n : CONTAINER_DAMAGE_MAX;
	for (uint64_t i = 0; i < listed; i++) {
		uint64_t offset = c->damage->places[i].offset;
		uint64_t bytes = c->damage->places[i].size;
		if (bytes == 0 || offset >= size || ranges_have(&bad, offset))
			continue;
		if (bytes > size - offset)
			bytes = size - offset;
		if (ranges_add(&bad, offset, bytes) < 0)
			break;
		ranges_sort(&bad);
	}
	for (size_t i = 0; i < bad.n_items && i < DAMAGE_SHOWN; i++) {
		place.offset = bad.items[i].first;
		place.size = bad.items[i].count;
		report_fault(report, STATUS_CONTENT, "container", &place,
			"is not what its checksums in the container say, and is shown as "
			"zeros");
	}
	place.offset = place.size = 0;
	if (bad.n_items > DAMAGE_SHOWN || n > listed)
		report_fault(report, STATUS_CONTENT, "container", &place,
			"is damaged in more places than the %d that are listed",
			DAMAGE_SHOWN);
	if (n == 0)
		report_good(report, "container", &place,
			"every chunk that was read is what its checksum says");
	ranges_free(&bad);
}

static void compare_stored(const struct examined_file *media, struct examination *e)
{
	const struct acquisition *a = &e->acquisition;
	const struct file_digests *d = &media->last;
	const struct place place = {.area = "image"};
	if (!a->has_md5 && !a->has_sha1) {
		report_uncovered(&e->report, "stored-hash", &place,
			"the container has no digest of its content");
		return;
	}
	if (!d->done || !d->interop) {
		report_uncovered(&e->report, "stored-hash", &place,
			"was not hashed as the container's digests want it");
		return;
	}
	const struct {
		bool has, same;
		const char *name;
	} digests[] = {{a->has_md5, memcmp(a->md5, d->md5, sizeof a->md5) == 0, "MD5"},
		{a->has_sha1, memcmp(a->sha1, d->sha1, sizeof a->sha1) == 0, "SHA-1"}};
	for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
		if (digests[i].has && digests[i].same)
			report_good(&e->report, "stored-hash", &place,
				"has the %s that the container stores", digests[i].name);
		else if (digests[i].has)
			report_fault(&e->report, STATUS_CONTENT, "stored-hash", &place,
				"has another %s than the container stores: it is not "
				"what "
				"was acquired",
				digests[i].name);
	}
}

/* What a process that is about to be gone leaves behind is a reading that failed. */
static void await_end(struct container *c, const struct examined_file *media)
{
	for (unsigned i = 0; i < END_TRIES; i++) {
		if (!container_lives(c) || media->last.done || interrupt_check() < 0)
			return;
		usleep(END_WAIT_US);
	}
}

void container_compare(
	struct container *c, const struct examined_file *media, struct examination *e)
{
	const struct place place = {.area = "image"};
	char text[80];
	if (c->kind == CONTAINER_NONE || !c->damage)
		return;
	await_end(c, media);
	if (c->server < 0 && media->before.inode) {
		died(c, text, sizeof text);
		report_fault(&e->report, STATUS_FORMAT, "container", &place,
			"the process that reads the container %s: the container is "
			"malformed",
			text);
	}
	if (c->kind != CONTAINER_EWF || !media->before.inode)
		return;
	report_damage_places(c, e->acquisition.media_size, &e->report);
	compare_stored(media, e);
	if (e->acquisition.n_read_errors)
		report_note(&e->report, "container", &place,
			"%ju places could not be read when it was acquired",
			(uintmax_t)e->acquisition.n_read_errors);
}

void container_close(struct container *c)
{
	if (c->server > 0) {
		kill(c->server, SIGKILL);
		while (waitpid(c->server, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (c->damage)
		munmap(c->damage, sizeof *c->damage);
	for (size_t i = 0; i < c->n_segments; i++)
		exhibit_close(&c->segments[i]);
	free(c->segments);
	*c = CONTAINER_CLOSED;
}
