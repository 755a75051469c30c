/* SPDX-License-Identifier: MIT */
/*
 * The guest of test_boot_verb: an init that says what the tests wait for. Words of the
 * kernel command line tell it what to do: "disk" tries to write to the disk, "echo"
 * answers a line, "crash" ends (the kernel then panics), "hang" waits for ever; else it
 * powers off.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COMPRESSED 4 /* MODULE_INIT_COMPRESSED_FILE */

static void write_to_disk(void)
{
	int module = open("/module", O_RDONLY);
	syscall(SYS_finit_module, module, "", COMPRESSED);
	mkdir("/dev", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	for (int i = 0; i < 200 && access("/dev/vda", F_OK); i++)
		usleep(20000);
	int disk = open("/dev/vda", O_RDWR);
	int ok = disk >= 0 && pwrite(disk, "scribble", 8, 0) == 8 && fsync(disk) == 0;
	printf("guest: writing %s\n", ok ? "worked" : "was refused");
}

int main(void)
{
	char words[1024] = "", line[100];
	setvbuf(stdout, NULL, _IONBF, 0);
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	int f = open("/proc/cmdline", O_RDONLY);
	if (read(f, words, sizeof words - 1) < 0)
		return 1;
	printf("\033[1mguest:\033[0m up\n");
	if (strstr(words, "disk"))
		write_to_disk();
	if (strstr(words, "echo") && fgets(line, sizeof line, stdin))
		printf("guest: heard %s\n", line);
	if (strstr(words, "crash"))
		return 1;
	while (strstr(words, "hang"))
		pause();
	sync();
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_POWER_OFF, NULL);
	return 0;
}
