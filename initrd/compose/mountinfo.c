/* SPDX-License-Identifier: MIT */
#include "initrd/compose/mountinfo.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

#define MOUNTINFO     "/proc/self/mountinfo"
#define MOUNTINFO_MAX (64 << 20)

/* "\040" and the like, as proc(5) has them. In place. */
static void unescape(char *s)
{
	char *to = s;
	for (; *s; s++, to++) {
		*to = *s;
		if (*s == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
			s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
				     (s[3] - '0'));
			s += 3;
		}
	}
	*to = 0;
}

/*
 * id parent major:minor root POINT options [optional...] - TYPE SOURCE super-options
 */
static bool parse_line(char *line, struct mountinfo_line *m)
{
	char *words[6], *save = NULL, *word = strtok_r(line, " ", &save);
	size_t n = 0;
	for (; word && n < 6; word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	while (word && strcmp(word, "-") != 0)
		word = strtok_r(NULL, " ", &save);
	char *type = word ? strtok_r(NULL, " ", &save) : NULL;
	char *source = type ? strtok_r(NULL, " ", &save) : NULL;
	if (n < 6 || !source)
		return false;
	unescape(words[4]);
	unescape(type);
	unescape(source);
	*m = (struct mountinfo_line){
		atoi(words[0]), atoi(words[1]), words[4], type, source};
	return true;
}

int mountinfo_read(struct mountinfo *m)
{
	*m = (struct mountinfo){.n = 0};
	int fd = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(MOUNTINFO ": cannot open");
	int r = file_slurp_fd(fd, MOUNTINFO, MOUNTINFO_MAX, &m->text);
	close(fd);
	if (r < 0)
		return r;
	size_t lines = 0;
	for (size_t i = 0; i < m->text.size; i++)
		lines += m->text.data[i] == '\n';
	m->items = calloc(lines + 1, sizeof m->items[0]);
	if (!m->items)
		return error_memory();
	char *save = NULL, *line = strtok_r((char *)m->text.data, "\n", &save);
	for (; line && m->n < lines; line = strtok_r(NULL, "\n", &save))
		if (parse_line(line, &m->items[m->n]))
			m->n++;
	return 0;
}

void mountinfo_free(struct mountinfo *m)
{
	free(m->items);
	buffer_free(&m->text);
	*m = (struct mountinfo){.n = 0};
}

const struct mountinfo_line *mountinfo_by_id(const struct mountinfo *m, int id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].id == id)
			return &m->items[i];
	return NULL;
}

/* Of several at one place each is the parent of the one that hides it. */
const struct mountinfo_line *mountinfo_top(const struct mountinfo *m, const char *path)
{
	for (size_t i = 0; i < m->n; i++) {
		bool hidden = strcmp(m->items[i].point, path) != 0;
		for (size_t j = 0; !hidden && j < m->n; j++)
			hidden = m->items[j].parent == m->items[i].id && i != j &&
				 !strcmp(m->items[j].point, path);
		if (!hidden)
			return &m->items[i];
	}
	return NULL;
}

int mountinfo_id_of(int fd)
{
	char path[48];
	BUFFER text = {0};
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	int info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -1;
	int r = file_slurp_fd(info, path, 65536, &text);
	close(info);
	const char *line = r < 0 ? NULL : strstr(buffer_text(&text), "mnt_id:");
	return line ? atoi(line + strlen("mnt_id:")) : -1;
}
