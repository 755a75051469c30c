/* SPDX-License-Identifier: MIT */
#include "core/openssl.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

int openssl_error(enum status status, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	/* The first error is the cause, the later ones are its consequences. */
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	ERR_clear_error();
	return error_set(status, status == STATUS_FORMAT ? EINVAL : EIO, "%s%s%s", text,
		reason ? ": " : "", reason ? reason : "");
}
