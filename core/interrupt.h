/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_INTERRUPT_H
#define CAIRN_CORE_INTERRUPT_H

/*
 * SIGINT, SIGTERM and SIGHUP as errors: a program that caught them comes back from what
 * it was doing with -EINTR, so that everything is taken back the usual way, and ends with
 * status 128 + N.
 */

/* From now on the signals are noted instead of ending the process. */
void interrupt_catch(void);

/* 0, or -EINTR (recorded with status 128 + N) once a signal came. */
int interrupt_check(void);

#endif
