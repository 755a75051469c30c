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
	say("extra", lstat("/.extra", &st) == 0 ? "there" : "gone");
	say_write("/written");
	say_write("/usr/written");
	if (readlink("/bin", link, sizeof link - 1) > 0)
		say("bin", link);
	say_read("/usr/data");
	say("end", "all was said");
	reboot(RB_POWER_OFF);
	return 0;
}
