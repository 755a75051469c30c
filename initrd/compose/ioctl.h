/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_IOCTL_H
#define CAIRN_COMPOSE_IOCTL_H

#include <sys/ioctl.h>

/*
 * The type of ioctl's second parameter: POSIX has int, and so has musl; glibc has
 * unsigned long. The kernel's numbers overflow the former.
 */
#ifdef __GLIBC__
typedef unsigned long ioctl_number;
#else
typedef int ioctl_number;
#endif

#endif
