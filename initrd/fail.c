/* SPDX-License-Identifier: MIT */
#include "initrd/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static enum policy_failure action = FAILURE_POWEROFF;
static int log_fd = -1;   /* for notes; the kernel limits their rate per descriptor */
static int alarm_fd = -1; /* for the one line that must come through */
static pid_t watcher;

uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void fail_action(enum policy_failure new_action)
{
	action = new_action;
}

/* A line must be one write; control characters would make it two lines, or worse. */
static void put_line(int fd, const char *prefix, const char *text)
{
	char line[900];
	size_t prefix_size = strlen(prefix);
	snprintf(line, sizeof line - 1, "%s%s", prefix, text);
	size_t size = strlen(line);
	for (size_t i = prefix_size; i < size; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	line[size++] = '\n';
	while (write(fd, line, size) < 0 && errno == EINTR)
		;
}

void note(const char *format, ...)
{
	char text[800];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (log_fd >= 0)
		put_line(log_fd, "<6>cairn: ", text);
}

/* The panic that the policy may ask for: a watching process cannot just exit. */
static void crash(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "c", 1) == 1)
		close(fd);
}

_Noreturn void fail_now(const char *sentence)
{
	/* Level 0 is shown whatever `quiet` or loglevel= say; let loglevel=0 not hide it.
	 */
	klogctl(8 /* SYSLOG_ACTION_CONSOLE_LEVEL */, NULL, 4);
	if (alarm_fd >= 0)
		put_line(alarm_fd, "<0>cairn: boot stopped: ", sentence);
	else
		put_line(STDERR_FILENO, "cairn: boot stopped: ", sentence);
	if (action == FAILURE_POWEROFF)
		reboot(RB_POWER_OFF);
	if (action == FAILURE_REBOOT)
		reboot(RB_AUTOBOOT);
	if (action == FAILURE_PANIC)
		crash();
	/* Without sysrq (or its /proc, already moved) there is the panic of PID 1's end.
	 */
	if (action == FAILURE_PANIC && getpid() == 1)
		_exit(1);
	/* The action failed: at least nothing goes on. */
	reboot((int)RB_HALT_SYSTEM);
	_exit(1);
}

static void on_signal(int number)
{
	char text[] = "the init was hit by signal 00";
	text[sizeof text - 3] = (char)('0' + number / 10 % 10);
	text[sizeof text - 2] = (char)('0' + number % 10);
	fail_now(text);
}

void fail_prepare(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS,
		SIGTRAP, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	struct sigaction sa = {.sa_handler = on_signal};
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &sa, NULL);
	log_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	alarm_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
}

int fail_watch(unsigned seconds)
{
	watcher = fork();
	if (watcher < 0)
		return error_errno("cannot start the watchdog");
	if (watcher > 0)
		return 0;
	struct timespec left = {.tv_sec = (time_t)seconds};
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
	char text[64];
	snprintf(text, sizeof text, "time-out: no real init after %u s", seconds);
	fail_now(text);
}

void fail_unwatch(void)
{
	if (watcher <= 0)
		return;
	kill(watcher, SIGKILL);
	while (waitpid(watcher, NULL, 0) < 0 && errno == EINTR)
		;
	watcher = 0;
}
