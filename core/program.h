/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_PROGRAM_H
#define CAIRN_CORE_PROGRAM_H

/* How every program of the project begins and ends: the frame of its main(). */

/*
 * Makes sure that 0, 1 and 2 are open: the first image opened would get the number of a
 * standard output that is closed, and the results would be written into it. What was
 * closed can be neither read nor written. SIGPIPE is ignored.
 */
void program_begin(void);

/*
 * R is 0, a positive enum status, or a negative errno with the sentence recorded: it is
 * said on stderr, after NAME. Returns the exit status: STATUS_FAILED or worse where not
 * all of the results reached standard output.
 */
int program_end(const char *name, int r);

#endif
