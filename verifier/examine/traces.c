/* SPDX-License-Identifier: MIT */
#include "verifier/examine/traces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A ring of this many pages, a power of two, holds hundreds of events. */
#define RING_PAGES 8

struct trace_ring {
	struct perf_event_mmap_page *head; /* the first page; data follow */
	size_t size;                       /* of the mapping, bytes */
	uint64_t data_offset, data_size;
};

/* ---- opening -------------------------------------------------------------------------
 */

/* tracefs, mounted nowhere. Returns a descriptor or -1. */
static int open_tracefs(void)
{
	int mount = -1, fs = fsopen("tracefs", FSOPEN_CLOEXEC);
	if (fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (fs >= 0)
		close(fs);
	return mount;
}

/* The number of a tracepoint, 0 if there is none of that name. */
static uint64_t tracepoint(int tracefs, const char *name)
{
	char path[80], text[24] = "";
	snprintf(path, sizeof path, "events/%s/id", name);
	int fd = openat(tracefs, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	return n > 0 ? strtoull(text, NULL, 10) : 0;
}

/* An event on one processor; with samples (PID and raw data), or only counted; without a
 * filter it is not yet enabled. */
static int open_event(uint64_t id, int processor, bool samples, const char *filter)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof attr,
		.config = id,
		.sample_period = samples,
		.sample_type = samples ? PERF_SAMPLE_TID | PERF_SAMPLE_RAW : 0,
		.disabled = !filter,
		.wakeup_events = samples};
	int fd = id == 0 ? -1
			 : (int)syscall(SYS_perf_event_open, &attr, -1, processor, -1,
				   PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0 && filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int map_ring(struct trace_ring *ring, int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	ring->size = (RING_PAGES + 1) * page;
	ring->head = mmap(NULL, ring->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring->head == MAP_FAILED) {
		ring->head = NULL;
		return -1;
	}
	ring->data_offset = page;
	ring->data_size = RING_PAGES * page;
	return 0;
}

/* Listens on all processors that are there; false if it cannot on one of them. */
static bool listen_to_ioctls(struct traces *t, int tracefs, size_t n)
{
	char filter[120];
	uint64_t id = tracepoint(tracefs, "syscalls/sys_enter_ioctl");
	snprintf(filter, sizeof filter, "cmd == %u || cmd == %u || cmd == %u",
		LOOP_SET_STATUS, LOOP_SET_STATUS64, LOOP_CHANGE_FD);
	for (size_t i = 0; i < n; i++) {
		int fd = open_event(id, (int)i, true, filter);
		/* A processor that is switched off. */
		if (fd < 0 && errno == ENODEV && id)
			continue;
		if (fd < 0)
			return false;
		t->polls[t->n_rings] = (struct pollfd){.fd = fd, .events = POLLIN};
		if (map_ring(&t->rings[t->n_rings++], fd) < 0)
			return false;
	}
	return true;
}

static void drop(struct traces *t)
{
	for (size_t i = 0; i < t->n_rings; i++) {
		if (t->rings[i].head)
			munmap(t->rings[i].head, t->rings[i].size);
		close(t->polls[i].fd);
		if (t->writes[i] > 0)
			close(t->writes[i]);
	}
	free(t->rings);
	free(t->polls);
	free(t->writes);
	t->rings = NULL;
	t->polls = NULL;
	t->writes = NULL;
	t->n_rings = 0;
}

static void *start(void *argument)
{
	struct traces *t = argument;
	long n = sysconf(_SC_NPROCESSORS_CONF);
	size_t count = n > 0 ? (size_t)n : 1;
	int tracefs = open_tracefs();
	t->rings = calloc(count, sizeof *t->rings);
	t->polls = calloc(count, sizeof *t->polls);
	t->writes = calloc(count, sizeof *t->writes);
	if (tracefs < 0 || !t->rings || !t->polls || !t->writes ||
		!listen_to_ioctls(t, tracefs, count))
		drop(t);
	/* Its filter waits for the device. */
	uint64_t id = t->n_rings ? tracepoint(tracefs, "block/block_rq_issue") : 0;
	for (size_t i = 0; i < t->n_rings; i++)
		t->writes[i] = open_event(id, (int)i, false, NULL);
	if (tracefs >= 0)
		close(tracefs);
	return NULL;
}

void traces_start(struct traces *t)
{
	*t = (struct traces){0};
	t->starting = pthread_create(&t->thread, NULL, start, t) == 0;
}

void traces_wait(struct traces *t, struct report *report)
{
	const struct place place = {.area = "loop devices"};
	if (t->starting)
		pthread_join(t->thread, NULL);
	t->starting = false;
	if (t->n_rings == 0)
		report_uncovered(report, "traces", &place,
			"the kernel's tracepoints cannot be listened to: settings that "
			"are changed and put back within 5 ms would not be seen");
}

void traces_count_writes(struct traces *t, dev_t device)
{
	char filter[80];
	/* The kernel's own encoding of device numbers: 20 bits of minor. */
	snprintf(filter, sizeof filter, "dev == %u && (rwbs ~ \"*W*\" || rwbs ~ \"*D*\")",
		major(device) << 20 | minor(device));
	for (size_t i = 0; i < t->n_rings; i++)
		if (t->writes[i] >= 0 &&
			(ioctl(t->writes[i], PERF_EVENT_IOC_SET_FILTER, filter) < 0 ||
				ioctl(t->writes[i], PERF_EVENT_IOC_ENABLE, 0) < 0)) {
			close(t->writes[i]);
			t->writes[i] = -1;
		}
}

/* ---- looking -------------------------------------------------------------------------
 */

/* The kernel's struct perf_event_header and, after it, PERF_SAMPLE_TID and _RAW. */
struct sample {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint32_t raw_size;
	/* include/trace/events: 8 bytes common to all, the number of the call, arguments
	 */
	uint8_t raw[32];
} __attribute__((packed));

#define RAW_FD 16

static void command_name(uint32_t pid, char name[32])
{
	char path[32];
	snprintf(path, sizeof path, "/proc/%u/comm", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, name, 31);
	if (fd >= 0)
		close(fd);
	name[n > 0 ? n : 0] = 0;
	name[strcspn(name, "\n")] = 0;
}

/* What was asked for since the last look. */
struct requests {
	unsigned ours, unknown;
	struct buffer *who;
};

/* Whether the call was about one of DEVICES, if its process can still be asked. */
static void count_request(struct requests *r, const struct sample *s,
	const dev_t *devices, size_t n_devices)
{
	char path[64], name[32];
	struct stat st;
	snprintf(path, sizeof path, "/proc/%u/fd/%u", s->pid, get_le32(s->raw + RAW_FD));
	if (stat(path, &st) < 0) {
		r->unknown++;
		return;
	}
	for (size_t i = 0; i < n_devices; i++)
		if (S_ISBLK(st.st_mode) && st.st_rdev == devices[i]) {
			command_name(s->pid, name);
			buffer_printf(r->who, "%sprocess %u (%s)",
				r->who->size ? ", " : "", s->pid, name);
			r->ours++;
		}
}

/* SIZE bytes at POSITION of the ring, which may wrap around. */
static void copy_out(
	const struct trace_ring *ring, uint64_t position, void *out, size_t size)
{
	const uint8_t *data = (const uint8_t *)ring->head + ring->data_offset;
	for (size_t i = 0; i < size; i++)
		((uint8_t *)out)[i] = data[(position + i) & (ring->data_size - 1)];
}

static void drain(struct requests *r, struct trace_ring *ring, const dev_t *devices,
	size_t n_devices)
{
	uint64_t head = __atomic_load_n(&ring->head->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->head->data_tail;
	while (tail < head) {
		struct sample s = {0};
		copy_out(ring, tail, &s.header, sizeof s.header);
		size_t size = s.header.size < sizeof s ? s.header.size : sizeof s;
		if (size < sizeof s.header)
			break;
		copy_out(ring, tail, &s, size);
		tail += s.header.size;
		if (s.header.type == PERF_RECORD_LOST) {
			buffer_printf(r->who, "%sso many that some were lost",
				r->who->size ? ", " : "");
			r->ours++;
		} else if (s.header.type == PERF_RECORD_SAMPLE) {
			count_request(r, &s, devices, n_devices);
		}
	}
	__atomic_store_n(&ring->head->data_tail, head, __ATOMIC_RELEASE);
}

unsigned traces_look(struct traces *t, const dev_t *devices, size_t n_devices,
	struct buffer *who, unsigned *unknown)
{
	struct requests r = {.who = who};
	for (size_t i = 0; i < t->n_rings; i++)
		drain(&r, &t->rings[i], devices, n_devices);
	*unknown = r.unknown;
	return r.ours;
}

bool traces_counts(const struct traces *t)
{
	for (size_t i = 0; i < t->n_rings; i++)
		if (t->writes[i] < 0)
			return false;
	return t->n_rings > 0;
}

uint64_t traces_writes(const struct traces *t)
{
	uint64_t sum = 0, count;
	for (size_t i = 0; i < t->n_rings; i++)
		if (t->writes[i] >= 0 &&
			read(t->writes[i], &count, sizeof count) == sizeof count)
			sum += count;
	return sum;
}

void traces_close(struct traces *t)
{
	if (t->starting)
		pthread_join(t->thread, NULL);
	t->starting = false;
	drop(t);
}
