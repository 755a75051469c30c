/* SPDX-License-Identifier: MIT */
#include "core/progress.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"

#define BAR_WIDTH 40

static bool silenced;
static char bar_label[64]; /* "": no bar is shown */
static uint64_t bar_total;
static atomic_uint_fast64_t bar_done;
static atomic_int bar_shown; /* per mille on the screen */

void progress_silence(bool silent)
{
	silenced = silent;
}

static void erase(void)
{
	if (bar_label[0])
		fputs("\r\033[K", stderr);
}

void progress_note(const char *format, ...)
{
	if (silenced)
		return;
	erase();
	va_list args;
	va_start(args, format);
	fputs("cairn: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

static void draw(int per_mille)
{
	static const char hashes[BAR_WIDTH + 1] =
		"########################################";
	int filled = per_mille * BAR_WIDTH / 1000;
	fprintf(stderr, "\r%-24s [%.*s%*s] %3d %%", bar_label, filled, hashes,
		BAR_WIDTH - filled, "", per_mille / 10);
	fflush(stderr);
}

void progress_begin(const char *label, uint64_t total)
{
	bool shown = !silenced && total && isatty(STDERR_FILENO);
	snprintf(bar_label, sizeof bar_label, "%s", shown ? label : "");
	error_defuse(bar_label); /* it may be a file's name */
	bar_total = total;
	atomic_store(&bar_done, 0);
	atomic_store(&bar_shown, 0);
	if (bar_label[0])
		draw(0);
}

void progress_add(uint64_t done)
{
	if (!bar_label[0])
		return;
	uint64_t sum = atomic_fetch_add(&bar_done, done) + done;
	int per_mille =
		sum >= bar_total ? 1000 : (int)((double)sum * 1000 / (double)bar_total);
	int shown = atomic_load(&bar_shown);
	/* The thread that moves the figure on draws it; the others go on working. */
	if (per_mille >= shown + 5 &&
		atomic_compare_exchange_strong(&bar_shown, &shown, per_mille))
		draw(per_mille);
}

void progress_end(void)
{
	erase();
	bar_label[0] = 0;
}
