/* SPDX-License-Identifier: MIT */
#include "initrd/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "initrd/modules.h"

/* A JSON string. What we write is ASCII without control characters, but for paths. */
static int add_string(struct buffer *b, const char *text)
{
	int r = buffer_append(b, "\"", 1);
	for (; r == 0 && *text; text++) {
		if (*text == '"' || *text == '\\')
			r = buffer_printf(b, "\\%c", *text);
		else if (*text < ' ' || *text > '~')
			r = buffer_append(b, "?", 1);
		else
			r = buffer_append(b, text, 1);
	}
	return r < 0 ? r : buffer_append(b, "\"", 1);
}

static int add_text(struct buffer *b, const char *key, const char *text)
{
	int r = buffer_printf(b, "  \"%s\": ", key);
	if (r == 0)
		r = add_string(b, text);
	return r < 0 ? r : buffer_append(b, ",\n", 2);
}

static int add_modules(struct buffer *b)
{
	int r = buffer_printf(b, "  \"modules\": [");
	for (size_t i = 0; r == 0 && i < modules_count(); i++) {
		r = buffer_printf(b, i ? ", " : "");
		if (r == 0)
			r = add_string(b, modules_name(i));
	}
	return r < 0 ? r : buffer_printf(b, "],\n");
}

/* Who checked the root hash's signature: we, the kernel, both or nobody. */
static const char *signature(const struct base *base, const struct trust *trust)
{
	if (!trust->root.pin)
		return base->signature;
	return strcmp(base->signature, "kernel") ? "user space" : "user space, kernel";
}

static int add_times(struct buffer *b, const struct state_times *t)
{
	const struct {
		const char *name;
		uint64_t value;
	} times[] = {{"start", t->start}, {"policy", t->policy}, {"modules", t->modules},
		{"found", t->found}, {"mounted", t->mounted}, {"composed", t->composed}};
	int r = buffer_printf(b, "  \"milliseconds\": {");
	for (size_t i = 0; r == 0 && i < sizeof times / sizeof times[0]; i++)
		r = buffer_printf(b, "%s\"%s\": %ju", i ? ", " : "", times[i].name,
			(uintmax_t)times[i].value);
	return r < 0 ? r : buffer_printf(b, "}\n}\n");
}

static int compose(struct buffer *b, const struct state *s)
{
	const struct policy *p = &s->policy;
	const struct base *base = &s->base;
	bool protected = s->trust.state == ROLLBACK_FLOOR;
	const struct pin *pin = s->trust.root.pin;
	const struct {
		const char *key, *value;
	} texts[] = {{"cairn", CAIRN_VERSION},
		{"part", p->part == PART_USR ? "usr" : "root"},
		{"rootHash", p->root_hash}, {"fileSystem", p->fs},
		{"onCorruption", policy_verity_name(p->verity)},
		{"onFailure", policy_failure_name(p->on_failure)},
		{"overlay", policy_overlay_name(p->overlay)}, {"subdirectory", p->subdir},
		{"state", p->state[0] ? p->state : "none"},
		{"statePartition", s->var.partition}, {"persisted", p->persist},
		{"commandLine", p->cmdline == CMDLINE_OPEN ? "open" : "strict"},
		{"init", p->init}, {"bootPartition", base->boot_partition},
		{"disk", base->disk}, {"device", base->node},
		{"dataPartition", base->data}, {"hashPartition", base->hash},
		{"signature", signature(base, &s->trust)},
		{"signer", pin ? pin->fingerprint : ""},
		{"rollback", protected ? "tpm" : "unprotected"}};
	int r = buffer_printf(b, "{\n  \"version\": 1,\n");
	for (size_t i = 0; r == 0 && i < sizeof texts / sizeof texts[0]; i++)
		r = add_text(b, texts[i].key, texts[i].value);
	if (r == 0)
		r = buffer_printf(b,
			"  \"epoch\": %u,\n  \"epochFloor\": %ju,\n  \"extensions\": "
			"%u,\n",
			p->epoch, (uintmax_t)s->trust.floor, s->n_extensions);
	if (r == 0)
		r = add_modules(b);
	return r < 0 ? r : add_times(b, &s->times);
}

int state_save(const struct state *s)
{
	BUFFER text = {0};
	AUTO_FILE f = FILE_CLOSED;
	int r = compose(&text, s);
	if (r < 0)
		return r;
	int fd = -1;
	if (mkdir("/run/cairn", 0755) == 0 || errno == EEXIST)
		fd = open("/run/cairn/state.json",
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno("/run/cairn/state.json: cannot make");
	r = file_from_fd(&f, fd, "/run/cairn/state.json");
	if (r == 0)
		r = file_write(&f, text.data, text.size, 0);
	return r < 0 ? r : trust_save(&s->trust);
}
