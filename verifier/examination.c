/* SPDX-License-Identifier: MIT */
#include "verifier/examination.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "core/hex.h"

static void file_free(struct examined_file *f)
{
	free(f->path);
	free(f->first.pieces);
	free(f->last.pieces);
}

void examination_free(struct examination *e)
{
	for (size_t i = 0; i < EXAMINED_FILES; i++)
		file_free(&e->files[i]);
	for (size_t i = 0; i < e->n_segments; i++)
		file_free(&e->segments[i]);
	free(e->segments);
	free(e->areas);
	free(e->mount_options);
	free(e->replay_options);
	report_free(&e->report);
	event_log_free(&e->log);
	*e = (struct examination){0};
}

const char *view_name(enum view_kind kind)
{
	static const char *const names[] = {[VIEW_NONE] = "none",
		[VIEW_SEALED] = "sealed memory",
		[VIEW_VERIFIED] = "verifying file",
		[VIEW_FIRST_READ] = "file checked against its first reads"};
	return names[kind];
}

const char *area_describe(const char *type)
{
	static const char *const words[][2] = {{"", "nothing that is known"},
		{"ambiguous", "signs of several file systems"},
		{"BitLocker", "BitLocker, encrypted"}, {"crypto_LUKS", "LUKS, encrypted"},
		{"LVM2_member", "a physical volume of LVM"},
		{"LVM1_member", "a physical volume of LVM"},
		{"linux_raid_member", "a member of a RAID array (md)"},
		{"DM_verity_hash", "a hash tree of dm-verity"},
		{"jbd", "the journal of another file system"},
		{"ewf", "an EWF container (E01)"}, {"ewf2", "an EWF container (Ex01)"},
		{"ewf-logical", "an EWF container of files (L01)"},
		{"qcow2", "a QEMU disk (qcow2)"}, {"vmdk", "a VMware disk (VMDK)"},
		{"vhdx", "a Hyper-V disk (VHDX)"}, {"vfat", "a FAT file system"},
		{"ntfs", "an NTFS file system"}, {"swap", "swap space"},
		{"zfs_member", "a member of a ZFS pool"}};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i][0], type) == 0)
			return words[i][1];
	return type;
}

bool area_was_shown(const struct examination *e, const struct examined_area *area)
{
	return e->mount_options && area->number == e->partition;
}

const char *examination_time(struct timespec t, char text[EXAMINATION_TIME])
{
	struct tm tm = {0};
	char seconds[29] = ""; /* of any year */
	gmtime_r(&t.tv_sec, &tm);
	strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, EXAMINATION_TIME, "%s.%09ldZ", seconds, t.tv_nsec);
	return text;
}

/* ---- JSON ----------------------------------------------------------------------------
 */

static json_object *state_json(const struct file_state *s)
{
	char text[EXAMINATION_TIME];
	json_object *o = json_object_new_object();
	snprintf(text, sizeof text, "%u:%u", major(s->device), minor(s->device));
	json_add_text(o, "device", text);
	json_add_number(o, "inode", s->inode);
	json_add_number(o, "size", s->size);
	json_add_number(o, "blocks", s->blocks);
	snprintf(text, sizeof text, "%04o", s->mode & 07777);
	json_add_text(o, "mode", text);
	json_add_number(o, "uid", s->uid);
	json_add_number(o, "gid", s->gid);
	json_add_number(o, "links", s->n_links);
	json_add_text(o, "atime", examination_time(s->atime, text));
	json_add_text(o, "mtime", examination_time(s->mtime, text));
	json_add_text(o, "ctime", examination_time(s->ctime, text));
	return o;
}

static json_object *pieces_json(const struct file_digests *d)
{
	json_object *list = json_object_new_array();
	for (uint64_t i = 0; i < d->n_pieces; i++) {
		json_object *piece = json_object_new_object();
		uint64_t end = (i + 1) * d->piece_size;
		json_add_number(piece, "first", i * d->piece_size);
		json_add_number(piece, "last", (end < d->bytes ? end : d->bytes) - 1);
		json_add_hex(piece, "sha256", d->pieces[i], sizeof d->pieces[i]);
		json_append(list, piece);
	}
	return list;
}

static void digests_json(json_object *file, const char *key, const struct file_digests *d)
{
	if (!d->done) {
		json_add_text(file, key, NULL);
		return;
	}
	json_object *o = json_object_new_object();
	json_add_number(o, "bytes", d->bytes);
	json_add_hex(o, "sha256", d->sha256, sizeof d->sha256);
	if (d->interop) {
		json_add_hex(o, "md5", d->md5, sizeof d->md5);
		json_add_hex(o, "sha1", d->sha1, sizeof d->sha1);
	}
	if (d->piece_size)
		json_add(o, "pieces", pieces_json(d));
	json_add(file, key, o);
}

static json_object *file_json(const struct examined_file *f)
{
	json_object *o = json_object_new_object();
	json_add_text(o, "role", f->role);
	json_add_bytes(o, "path", span_of(f->path, strlen(f->path)));
	json_add_text(o, "backing", f->backing_type);
	json_add_number(o, "offset", f->offset);
	json_add_number(o, "size", f->size);
	json_add_text(o, "view", view_name(f->view));
	json_add_text(o, "loop", f->loop[0] ? f->loop : NULL);
	json_add_number(o, "diskSequence", f->diskseq);
	json_add_number(o, "verifiedBytes", f->verified);
	json_add(o, "before", state_json(&f->before));
	json_add(o, "after", state_json(&f->after));
	if (f->first.done) {
		json_add_number(o, "merkleBlockSize", f->first.block_size);
		json_add_hex(o, "merkleRoot", f->first.merkle_root,
			sizeof f->first.merkle_root);
	}
	digests_json(o, "digestsBefore", &f->first);
	digests_json(o, "digestsAfter", &f->last);
	return o;
}

static void add_given(json_object *o, const char *key, const char *text)
{
	if (text)
		json_add_bytes(o, key, span_of(text, strlen(text)));
	else
		json_add_text(o, key, NULL);
}

static json_object *custody_json(const struct custody *c)
{
	json_object *o = json_object_new_object();
	add_given(o, "case", c->case_number);
	add_given(o, "evidence", c->evidence);
	add_given(o, "examiner", c->examiner);
	add_given(o, "notes", c->notes);
	return o;
}

/* A word of a command line, with U+FFFD for what is not UTF-8. */
static void append_word(json_object *list, const char *word)
{
	json_object *holder = json_object_new_object(), *text = NULL;
	json_add_bytes(holder, "word", span_of(word, strlen(word)));
	json_object_object_get_ex(holder, "word", &text);
	json_append(list, json_object_get(text));
	json_object_put(holder);
}

static json_object *words_json(const char *first, const char *const *argv)
{
	json_object *list = json_object_new_array();
	if (first)
		append_word(list, first);
	for (size_t i = 0; argv && argv[i]; i++)
		append_word(list, argv[i]);
	return list;
}

static json_object *environment_json(const struct examination *e)
{
	json_object *o = json_object_new_object();
	json_add_text(o, "system", e->kernel.sysname);
	json_add_text(o, "release", e->kernel.release);
	json_add_text(o, "version", e->kernel.version);
	json_add_text(o, "machine", e->kernel.machine);
	json_add_text(o, "host", e->kernel.nodename);
	json_add_number(o, "uid", e->uid);
	json_add(o, "commandLine", words_json("cairn", e->invocation));
	return o;
}

static json_object *areas_json(const struct examination *e)
{
	json_object *list = json_object_new_array();
	for (size_t i = 0; i < e->n_areas; i++) {
		const struct examined_area *a = &e->areas[i];
		json_object *o = json_object_new_object();
		json_add_number(o, "partition", a->number);
		json_add_number(o, "offset", a->offset);
		json_add_number(o, "size", a->size);
		json_add_text(o, "type", a->type[0] ? a->type : NULL);
		json_add_text(o, "name", a->name[0] ? a->name : NULL);
		json_add_bool(o, "shown", area_was_shown(e, a));
		json_append(list, o);
	}
	return list;
}

static json_object *command_json(const struct examination *e)
{
	json_object *o = json_object_new_object();
	json_add(o, "argv", words_json(NULL, e->argv));
	json_add_bool(o, "ran", e->ran);
	if (e->ran)
		json_add_number(o, "status", (uint64_t)e->command_status);
	return o;
}

static json_object *log_json(const struct event_log *log)
{
	json_object *o = json_object_new_object();
	json_add_number(o, "lines", log->head.n_lines);
	json_add_hex(o, "sha256", log->head.sha256, sizeof log->head.sha256);
	return o;
}

void examination_json(const struct examination *e, json_object *document)
{
	char text[EXAMINATION_TIME];
	json_object *files = json_object_new_array();
	json_add(document, "custody", custody_json(&e->custody));
	json_add(document, "environment", environment_json(e));
	json_add_text(document, "start", examination_time(e->start, text));
	json_add_text(document, "end", examination_time(e->end, text));
	json_add_number(document, "setupMicroseconds", e->setup_us);
	json_add_number(document, "teardownMicroseconds", e->teardown_us);
	json_add_number(document, "partition", e->partition);
	json_add_text(document, "fileSystem", e->file_system[0] ? e->file_system : NULL);
	json_add_text(document, "mountOptions", e->mount_options);
	json_add_text(document, "replayOptions", e->replay_options);
	if (e->replay_options)
		json_add_number(document, "replayWritten", e->replay_written);
	json_add(document, "command", command_json(e));
	for (size_t i = 0; i < EXAMINED_FILES; i++)
		if (e->files[i].path)
			json_append(files, file_json(&e->files[i]));
	for (size_t i = 0; i < e->n_segments; i++)
		if (e->segments[i].path)
			json_append(files, file_json(&e->segments[i]));
	json_add(document, "files", files);
	if (e->acquisition.format[0])
		json_add(document, "acquisition", acquisition_json(&e->acquisition));
	json_add(document, "areas", areas_json(e));
	json_add(document, "log", log_json(&e->log));
	report_json(&e->report, document);
}

/* ---- text ----------------------------------------------------------------------------
 */

static int digest_text(
	struct buffer *text, const char *label, const void *digest, size_t size)
{
	char hex[2 * 32 + 1];
	return buffer_printf(text, "  %-16s %s\n", label, hex_encode(digest, size, hex));
}

static int digests_text(
	struct buffer *text, const char *when, const struct file_digests *d)
{
	char label[24];
	if (!d->done)
		return buffer_printf(text, "  %-16s not computed\n", when);
	snprintf(label, sizeof label, "SHA-256 %s", when);
	int r = digest_text(text, label, d->sha256, sizeof d->sha256);
	snprintf(label, sizeof label, "SHA-1 %s", when);
	if (r == 0 && d->interop)
		r = digest_text(text, label, d->sha1, sizeof d->sha1);
	snprintf(label, sizeof label, "MD5 %s", when);
	if (r == 0 && d->interop)
		r = digest_text(text, label, d->md5, sizeof d->md5);
	return r;
}

static int file_text(struct buffer *text, const struct examined_file *f)
{
	char time[EXAMINATION_TIME];
	BUFFER path = {0};
	int r = buffer_printf(&path, "%s", f->path);
	if (r < 0)
		return r;
	error_defuse((char *)path.data);
	r = buffer_printf(text, "%s: %s\n  %-16s %ju bytes, inode %ju, on %s\n", f->role,
		buffer_text(&path), "file", (uintmax_t)f->before.size,
		(uintmax_t)f->before.inode, f->backing_type[0] ? f->backing_type : "?");
	/* What a container holds has no times: its segments have. */
	bool has_times = f->before.ctime.tv_sec != 0;
	if (r == 0 && has_times)
		r = buffer_printf(text, "  %-16s %s\n", "modified",
			examination_time(f->before.mtime, time));
	if (r == 0 && has_times)
		r = buffer_printf(text, "  %-16s %s\n", "changed",
			examination_time(f->before.ctime, time));
	if (r == 0 && f->view != VIEW_NONE)
		r = buffer_printf(text, "  %-16s %ju bytes from offset %ju, by %s, %s\n",
			"shown", (uintmax_t)f->size, (uintmax_t)f->offset,
			view_name(f->view), f->loop);
	if (r == 0)
		r = digests_text(text, "before", &f->first);
	return r < 0 ? r : digests_text(text, "after", &f->last);
}

/* What came from outside, on one line. */
static int given_text(struct buffer *text, const char *before, const char *given)
{
	BUFFER word = {0};
	int r = buffer_printf(&word, "%s", given);
	if (r < 0)
		return r;
	error_defuse((char *)word.data);
	return buffer_printf(text, "%s%s", before, buffer_text(&word));
}

static int words_text(struct buffer *text, const char *const *argv)
{
	int r = 0;
	for (size_t i = 0; r == 0 && argv && argv[i]; i++)
		r = given_text(text, " ", argv[i]);
	return r;
}

static int custody_text(struct buffer *text, const struct examination *e)
{
	const struct custody *c = &e->custody;
	const char *const fields[][2] = {{"case      ", c->case_number},
		{"evidence  ", c->evidence}, {"examiner  ", c->examiner},
		{"notes     ", c->notes}};
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof fields / sizeof fields[0]; i++) {
		if (!fields[i][1])
			continue;
		r = given_text(text, fields[i][0], fields[i][1]);
		if (r == 0)
			r = buffer_printf(text, "\n");
	}
	if (r == 0)
		r = buffer_printf(text,
			"system    %s %s %s, host %s, user %u\ncalled    cairn",
			e->kernel.sysname, e->kernel.release, e->kernel.machine,
			e->kernel.nodename, e->uid);
	if (r == 0)
		r = words_text(text, e->invocation);
	return r < 0 ? r : buffer_printf(text, "\n\n");
}

static int areas_text(struct buffer *text, const struct examination *e)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < e->n_areas; i++) {
		const struct examined_area *a = &e->areas[i];
		r = buffer_printf(text, "partition %u: %ju bytes from offset %ju, %s%s\n",
			a->number, (uintmax_t)a->size, (uintmax_t)a->offset,
			area_describe(a->type),
			area_was_shown(e, a) ? "" : ", not looked into");
	}
	return r;
}

static int command_text(struct buffer *text, const struct examination *e)
{
	int r = buffer_printf(text, "command:");
	if (r == 0)
		r = words_text(text, e->argv);
	if (r == 0 && e->ran)
		return buffer_printf(text, "\n  %-16s %d\n", "status", e->command_status);
	return r < 0 ? r : buffer_printf(text, "\n  was not run to its end\n");
}

static int findings_text(struct buffer *text, const struct examination *e)
{
	char *printed = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&printed, &size);
	if (!out)
		return error_memory();
	report_print(&e->report, e->files[0].path ? e->files[0].path : "-", out);
	int r = fclose(out) ? error_memory() : buffer_append(text, printed, size);
	free(printed);
	return r;
}

int examination_text(const struct examination *e, struct buffer *text)
{
	char start[EXAMINATION_TIME], end[EXAMINATION_TIME];
	int r = buffer_printf(text, "cairn examine %s\nstart     %s\nend       %s\n",
		CAIRN_VERSION, examination_time(e->start, start),
		examination_time(e->end, end));
	if (r == 0)
		r = custody_text(text, e);
	for (size_t i = 0; i < EXAMINED_FILES && r == 0; i++)
		if (e->files[i].path)
			r = file_text(text, &e->files[i]);
	if (r == 0)
		r = acquisition_text(&e->acquisition, text);
	for (size_t i = 0; i < e->n_segments && r == 0; i++)
		if (e->segments[i].path)
			r = file_text(text, &e->segments[i]);
	if (r == 0 && (e->n_areas != 1 || e->areas[0].number))
		r = areas_text(text, e);
	if (r == 0)
		r = buffer_printf(text, "file system: %s%s%s%s%s\n",
			e->file_system[0] ? e->file_system : "not known",
			e->mount_options ? ", mounted with " : ", not mounted",
			e->mount_options ? e->mount_options : "",
			e->replay_options ? "; copy replayed with " : "",
			e->replay_options ? e->replay_options : "");
	if (r == 0)
		r = command_text(text, e);
	if (r == 0)
		r = buffer_printf(text, "\n");
	return r < 0 ? r : findings_text(text, e);
}
