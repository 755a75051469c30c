/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_CONFINE_H
#define CAIRN_CORE_CONFINE_H

/*
 * From now on the process, all threads it has and will have, can read what is open, use
 * memory, start threads, write to what is open for writing, take files that another
 * process opens for it (core/descriptor.h), and end: nothing else. No
 * file can be opened by name, no program started, no memory made executable, and there is
 * no way back. To be called when everything is open, before anything hostile is parsed.
 *
 * -EPERM, STATUS_FAILED if the kernel cannot do it: what needs it must not go on then.
 * Does nothing under valgrind, which could not work so.
 */
int confine(void);

/*
 * The same, but for a library that opens its files itself: by any name, for reading, and
 * alarm(2) ends it. What is to be read should be all that is below its root directory.
 */
int confine_to_root(void);

#endif
