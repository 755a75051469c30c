/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_PROGRESS_H
#define CAIRN_CORE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What a long run says on stderr: a bar while it lasts, on a terminal only. One bar at a
 * time per process; progress_add may be called from any thread.
 */

/* --quiet: no bars and no progress_note lines. */
void progress_silence(bool silent);

/* One line for people, on stderr ("cairn: " before it), unless silenced. */
void progress_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Starts a bar for TOTAL units of work (bytes, mostly). LABEL must outlive it. */
void progress_begin(const char *label, uint64_t total);
void progress_add(uint64_t done);
void progress_end(void);

#endif
