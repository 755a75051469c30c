/* SPDX-License-Identifier: MIT */
/*
 * measure COMMAND...: runs it with its standard output discarded and prints, as JSON, the
 * seconds it took, its user and system seconds and its peak memory in KiB. A program of
 * its own, since the peak that the kernel reports begins with the memory of whoever
 * starts the command.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	double start = now();
	pid_t child = fork();
	if (child == 0) {
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	int status;
	struct rusage u;
	if (child < 0 || wait4(child, &status, 0, &u) < 0)
		return 1;
	double wall = now() - start;
	printf("{\"wall\": %.6f, \"user\": %.6f, \"system\": %.6f, \"memory\": %ld}\n",
		wall, seconds(u.ru_utime), seconds(u.ru_stime), u.ru_maxrss);
	return status == 0 ? 0 : 1;
}
