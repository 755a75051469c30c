/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_JUNIT_H
#define CAIRN_VERIFIER_JUNIT_H

#include "verifier/report.h"

/*
 * A report as JUnit XML, which CI services show: each check is a test case, classname the
 * check's word (docs/verify-json.md), name its place. A check that could not run is an
 * error, any other fault a failure; notes and what is uncovered are text of the suite.
 * NAME is the image, SECONDS how long it took. Appends to XML.
 */
int report_junit(
	const struct report *r, const char *name, double seconds, struct buffer *xml);

#endif
