/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_TREE_FINDINGS_H
#define CAIRN_VERIFIER_EXAMINE_TREE_FINDINGS_H

#include "verifier/report.h"

/*
 * Findings on their way from the process that parsed the evidence, which may be the
 * evidence's by now: lines of JSON, and a last one without which they are not all.
 */

/* Bytes of all lines together. */
#define TREE_FINDINGS_MAX ((size_t)32 << 20)

/*
 * Appends the findings of R to TEXT. What there is no room for is counted in a fault of
 * its own; it keeps its class, as R's status does.
 */
int tree_findings_print(const struct report *r, struct buffer *text);

/*
 * Adds those in TEXT, which is trusted in nothing, to REPORT: offsets lie inside SIZE
 * bytes, and checks and statuses are those that a hash tree can give. -EINVAL,
 * STATUS_FORMAT at the first that is not so.
 */
int tree_findings_take(struct span text, uint64_t size, struct report *report);

#endif
