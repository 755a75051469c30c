/* SPDX-License-Identifier: MIT */

/*
 * The real init of the boot tests: says that it runs and what it sees, in lines of
 * "MARKER name: value", and powers off. It leaves nothing to the shell or to libraries.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void say(const char *name, const char *value)
{
	printf("MARKER %s: %s\n", name, value);
}

static void say_file(const char *name, const char *path)
{
	char line[4096];
	FILE *f = fopen(path, "r");
	if (!f)
		say(name, strerror(errno));
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		say(name, line);
	}
	if (f)
		fclose(f);
}

static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads all of a file: what an EIO in one file looks like to a program. */
static void say_read(const char *path)
{
	static char bytes[65536];
	ssize_t n = -1;
	long total = 0, start = now_ms();
	int fd = open(path, O_RDONLY);
	while (fd >= 0 && (n = read(fd, bytes, sizeof bytes)) > 0)
		total += n;
	printf("MARKER read %s: %s, %ld bytes in %ld ms\n", path,
		n < 0 ? strerror(errno) : "good", total, now_ms() - start);
	if (fd >= 0)
		close(fd);
}

static void say_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	printf("MARKER write %s: %s\n", path, fd < 0 ? strerror(errno) : "good");
	if (fd >= 0)
		close(fd);
}

static void say_directory(const char *path)
{
	DIR *d = opendir(path);
	printf("MARKER list %s:", path);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' || e->d_name[1] > '.')
			printf(" %s", e->d_name);
	printf("\n");
	if (d)
		closedir(d);
}

/* One file in a tar archive (POSIX.1, ustar): what `cairn boot --collect` takes out. */
static void collect(const char *device)
{
	static char archive[512 + 1024 + 1024] = "hello";
	unsigned sum = 0;
	snprintf(archive + 100, 8, "%07o", 0644);
	snprintf(archive + 124, 12, "%011o", 1024);
	memset(archive + 148, ' ', 8);
	archive[156] = '0';
	memcpy(archive + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)archive[i];
	snprintf(archive + 148, 8, "%06o", sum);
	memset(archive + 512, 'x', 1024);
	int fd = open(device, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, archive, sizeof archive);
	printf("MARKER collect: %s\n",
		n > 0 && fsync(fd) == 0 ? "good" : strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* The disks that `cairn boot` added: serial number, read-only flag, first bytes. */
static void say_disks(void)
{
	char path[64], serial[32], first[8];
	for (char letter = 'a'; letter <= 'z'; letter++) {
		snprintf(path, sizeof path, "/sys/block/vd%c/serial", letter);
		FILE *f = fopen(path, "r");
		if (!f)
			return;
		memset(serial, 0, sizeof serial);
		if (fread(serial, 1, sizeof serial - 1, f) == 0)
			serial[0] = 0;
		fclose(f);
		snprintf(path, sizeof path, "/sys/block/vd%c/ro", letter);
		f = fopen(path, "r");
		int read_only = f ? fgetc(f) : EOF;
		if (f)
			fclose(f);
		snprintf(path, sizeof path, "/dev/vd%c", letter);
		int fd = open(path, O_RDONLY);
		if (!strcmp(serial, "cairn-collect"))
			collect(path);
		else if (serial[0] && pread(fd, first, 8, 512) == 8)
			printf("MARKER disk %s: %s, %.8s\n", serial,
				read_only == '1' ? "read-only" : "writable", first);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct stat st;
	char link[64] = "";
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("MARKER up: pid %d, argc %d, %s\n", (int)getpid(), argc, argv[0]);
	say_file("state", "/run/cairn/state.json");
	say_file("mount", "/proc/mounts");
	say_file("pcr11", "/sys/class/tpm/tpm0/pcr-sha256/11");
	say_directory("/");
	say_directory("/proc/self/fd");
	say_directory("/run/cairn/certificates");
	say("extra", lstat("/.extra", &st) == 0 ? "there" : "gone");
	say_write("/written");
	say_write("/usr/written");
	if (readlink("/bin", link, sizeof link - 1) > 0)
		say("bin", link);
	say_read("/usr/data");
	say_disks();
	say("end", "all was said");
	reboot(RB_POWER_OFF);
	return 0;
}
