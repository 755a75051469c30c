/* SPDX-License-Identifier: MIT */
#include "verifier/examine/events.h"

#include "core/hex.h"

static void log_words(struct examination *e, const char *event, const char *first,
	const char *const *argv)
{
	BUFFER words = {0};
	int r = first ? buffer_printf(&words, "%s", first) : 0;
	for (size_t i = 0; r == 0 && argv && argv[i]; i++)
		r = buffer_printf(&words, "%s%s", words.size ? " " : "", argv[i]);
	if (r < 0)
		e->log.incomplete = true;
	event_log_add(&e->log, event, "%s", buffer_text(&words));
}

void events_begin(struct examination *e)
{
	const struct custody *c = &e->custody;
	const char *const fields[][2] = {{"case", c->case_number},
		{"evidence", c->evidence}, {"examiner", c->examiner},
		{"notes", c->notes}};
	event_log_add(&e->log, "begin", "cairn %s, on %s %s %s, host %s, by user %u",
		CAIRN_VERSION, e->kernel.sysname, e->kernel.release, e->kernel.machine,
		e->kernel.nodename, e->uid);
	log_words(e, "called", "cairn", e->invocation);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (fields[i][1])
			event_log_add(
				&e->log, "custody", "%s: %s", fields[i][0], fields[i][1]);
	e->report.log = &e->log;
}

static void opened(struct examination *e, const struct examined_file *f)
{
	char time[EXAMINATION_TIME];
	if (f->path)
		event_log_add(&e->log, "opened",
			"%s: %s: %ju bytes, inode %ju, modified %s", f->role, f->path,
			(uintmax_t)f->before.size, (uintmax_t)f->before.inode,
			examination_time(f->before.mtime, time));
}

void events_opened(struct examination *e)
{
	for (size_t i = 0; i < EXAMINED_FILES; i++)
		opened(e, &e->files[i]);
	for (size_t i = 0; i < e->n_segments; i++)
		opened(e, &e->segments[i]);
}

void events_hashed(struct event_log *log, const struct examined_file *f,
	const struct file_digests *d, const char *when)
{
	char hex[2 * 32 + 1];
	if (log && d->done)
		event_log_add(log, "hashed", "%s, %s: %ju bytes, SHA-256 %s", f->role,
			when, (uintmax_t)d->bytes,
			hex_encode(d->sha256, sizeof d->sha256, hex));
}

void events_shown(struct examination *e)
{
	for (size_t i = 0; i < EXAMINED_FILES; i++) {
		const struct examined_file *f = &e->files[i];
		if (f->loop[0])
			event_log_add(&e->log, "shown",
				"%s: %ju bytes from offset %ju: %s, %s", f->role,
				(uintmax_t)f->size, (uintmax_t)f->offset,
				view_name(f->view), f->loop);
	}
}

void events_run(struct examination *e)
{
	log_words(e, "run", NULL, e->argv);
}

void events_ran(struct examination *e)
{
	if (e->ran)
		event_log_add(&e->log, "ran", "status %d", e->command_status);
	else
		event_log_add(&e->log, "ran", "not to its end");
}

void events_end(struct examination *e)
{
	event_log_add(&e->log, EVENT_LOG_END, "status %d", (int)e->report.status);
}
