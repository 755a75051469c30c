/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_UNCOVERED_H
#define CAIRN_VERIFIER_EXAMINE_UNCOVERED_H

#include "verifier/examination.h"

/* What an examination says nothing about, and says so: added to E's report. */

/* What no check of ours can see, whatever happens. */
void uncovered_limits(struct examination *e);

/* What is in the image, of SIZE bytes, and was not looked into, each by its name. */
void uncovered_areas(struct examination *e, uint64_t size);

#endif
