/* SPDX-License-Identifier: MIT */
#include "verifier/examine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int memory_make(struct memory *s, const char *name, uint64_t size)
{
	*s = MEMORY_NONE;
	if (size > SIZE_MAX / 2)
		return error_memory();
	s->size = (size_t)size;
	s->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->fd < 0 || ftruncate(s->fd, (off_t)size) < 0)
		return error_errno("cannot get %ju bytes of memory", (uintmax_t)size);
	if (s->size == 0)
		return 0;
	s->data = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (s->data == MAP_FAILED) {
		s->data = NULL;
		return error_errno("cannot map %ju bytes of memory", (uintmax_t)size);
	}
	return 0;
}

int memory_seal(struct memory *s)
{
	const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	if (s->data)
		munmap(s->data, s->size);
	s->data = NULL;
	if (fcntl(s->fd, F_ADD_SEALS, seals) < 0 ||
		(fcntl(s->fd, F_GET_SEALS) & seals) != seals)
		return error_errno("cannot seal memory");
	s->is_sealed = true;
	if (s->size == 0)
		return 0;
	s->data = mmap(NULL, s->size, PROT_READ, MAP_PRIVATE, s->fd, 0);
	if (s->data == MAP_FAILED) {
		s->data = NULL;
		return error_errno("cannot map sealed memory");
	}
	return 0;
}

void memory_free(struct memory *s)
{
	if (s->data)
		munmap(s->data, s->size);
	if (s->fd > 0)
		close(s->fd);
	*s = MEMORY_NONE;
}

uint64_t memory_room(void)
{
	BUFFER text = {0};
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -1 : file_slurp_fd(fd, "/proc/meminfo", 65536, &text);
	if (fd >= 0)
		close(fd);
	const char *line = r < 0 ? NULL : strstr(buffer_text(&text), "MemAvailable:");
	return line ? strtoull(line + 13, NULL, 10) * 1024 : 0;
}
