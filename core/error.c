/* SPDX-License-Identifier: MIT */
#include "core/error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct error_record current;
static _Thread_local bool recorded;

void error_defuse(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* U+0080 to U+009F */
			p[0] = p[1] = '?';
	}
}

static void record(enum status status, const char *format, va_list args)
{
	/* Formatted aside first: the arguments may point into the current record. */
	struct error_record next = {.status = status};
	vsnprintf(next.text, sizeof next.text, format, args);
	error_defuse(next.text);
	current = next;
	recorded = true;
}

int error_set(enum status status, int err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	record(status, format, args);
	va_end(args);
	return err > 0 ? -err : -EIO;
}

int error_errno(const char *format, ...)
{
	int err = errno;
	va_list args;
	va_start(args, format);
	record(STATUS_FAILED, format, args);
	va_end(args);
	size_t used = strlen(current.text);
	snprintf(current.text + used, sizeof current.text - used, ": %s", strerror(err));
	return err > 0 ? -err : -EIO;
}

int error_usage(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	record(STATUS_USAGE, format, args);
	va_end(args);
	return -EINVAL;
}

int error_format(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	record(STATUS_FORMAT, format, args);
	va_end(args);
	return -EINVAL;
}

int error_memory(void)
{
	return error_set(STATUS_FAILED, ENOMEM, "out of memory");
}

int error_context(int err, const char *format, ...)
{
	char context[512];
	va_list args;
	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	enum status status = error_status();
	struct error_record old;
	error_take(&old);
	error_set(status, EIO, "%s: %s", context, recorded ? old.text : strerror(-err));
	return err;
}

const char *error_text(void)
{
	return recorded ? current.text : "";
}

enum status error_status(void)
{
	return recorded ? current.status : STATUS_FAILED;
}

void error_clear(void)
{
	recorded = false;
}

void error_take(struct error_record *record_out)
{
	*record_out = current;
	if (!recorded)
		*record_out = (struct error_record){.status = STATUS_FAILED};
}

void error_put(const struct error_record *record_in)
{
	current = *record_in;
	recorded = true;
}

enum status status_worse(enum status a, enum status b)
{
	static const enum status order[] = {STATUS_CHANGED, STATUS_TRUST, STATUS_CONTENT,
		STATUS_FORMAT, STATUS_UNCHECKED, STATUS_DIFFERS, STATUS_TIMEOUT,
		STATUS_FAILED};
	for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a != STATUS_GOOD ? a : b;
}
