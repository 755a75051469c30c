/* SPDX-License-Identifier: MIT */
/* What the inits of the guests share. */
#ifndef CAIRN_TESTS_VM_MODULES_H
#define CAIRN_TESTS_VM_MODULES_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COMPRESSED 4 /* MODULE_INIT_COMPRESSED_FILE */

/* Says why on the console, which the tests read, and ends the guest. */
static void stop(const char *what)
{
	printf("MARKER stopped: %s: %s\n", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
}

/* What /modules lists, in that order. */
static void load_modules(void)
{
	char name[256];
	FILE *list = fopen("/modules", "r");
	while (list && fscanf(list, "%255s", name) == 1) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		size_t size = strlen(name);
		bool plain = size > 3 && !strcmp(name + size - 3, ".ko");
		if (syscall(SYS_finit_module, fd, "", plain ? 0 : COMPRESSED) < 0 &&
			errno != EEXIST)
			stop(name);
		close(fd);
	}
}

#endif
