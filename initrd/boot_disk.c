/* SPDX-License-Identifier: MIT */
#include "initrd/boot_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "initrd/compose/mounts.h"
#include "initrd/fail.h"
#include "initrd/modules.h"
#include "initrd/plan/drivers.h"
#include "initrd/plan/loader.h"

/* There where the kernel can reach the firmware's variables. */
#define EFIVARS "/sys/firmware/efi/efivars"

/* The size of the variable, if it is there; at most SIZE, which is more than it has. */
static ssize_t read_variable(uint8_t *data, size_t size)
{
	int dir = mount_make("efivarfs", "efivarfs", NULL,
		MOUNT_RO | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC);
	if (dir < 0) {
		note("%s", error_text());
		return -1;
	}
	/* Never attached: it goes with its descriptor. */
	int fd = openat(dir, LOADER_PARTITION, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, data, size);
	if (n < 0 && errno != ENOENT)
		note("the EFI variable " LOADER_PARTITION " cannot be read: %s",
			strerror(errno));
	if (fd >= 0)
		close(fd);
	close(dir);
	return n;
}

bool boot_disk_read(uint8_t uuid[16])
{
	uint8_t data[256];
	if (access(EFIVARS, F_OK) < 0)
		return false;
	if (modules_load_for(DRIVERS_EFIVARS) < 0)
		note("%s", error_text());
	ssize_t n = read_variable(data, sizeof data);
	if (n < 0)
		return false;
	bool good = loader_partition(span_of(data, (size_t)n), uuid);
	if (!good)
		note("the EFI variable " LOADER_PARTITION " is malformed: passed over");
	return good;
}
