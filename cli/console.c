/* SPDX-License-Identifier: MIT */
#include "cli/console.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LINE_LIMIT 16384u /* a line longer than this is searched in parts */
#define QUIT_KEY   0x1d   /* Ctrl-] */
#define PANIC      "Kernel panic - not syncing: "

/* What OVMF says when an image is not signed by a key it knows, and when it gives up. */
#define DENIED  "Access Denied"
#define NOTHING "No bootable option"

/* Where the scanner is: terminals' escape sequences are no text. */
enum escape {
	PLAIN,
	ESCAPE,
	SEQUENCE,
};

struct state {
	struct console *console;
	struct buffer line; /* the current one, without escape sequences */
	enum escape escape;
	bool seen, typed_quit, input_open;
	bool denied, nothing; /* by firmware */
	bool in_line;         /* what was passed on does not end with a newline */
	char panic[120];      /* why the guest's kernel panicked, "" if it did not */
	int signals;          /* signalfd */
	int signaled;         /* the signal that came, or 0 */
	int64_t deadline;
	bool raw;
	struct termios saved;
	sigset_t mask;
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void search(struct state *s)
{
	const struct console *c = s->console;
	if (c->expect && regexec(c->expect, buffer_text(&s->line), 0, NULL, 0) == 0)
		s->seen = true;
	s->denied = s->denied || (c->firmware && strstr(buffer_text(&s->line), DENIED));
	s->nothing =
		s->nothing || (c->firmware && strstr(buffer_text(&s->line), NOTHING));
	const char *panic = strstr(buffer_text(&s->line), PANIC);
	if (panic)
		snprintf(s->panic, sizeof s->panic, "%s", panic + strlen(PANIC));
}

static int scan_byte(struct state *s, uint8_t byte)
{
	if (s->escape == ESCAPE) {
		s->escape = byte == '[' ? SEQUENCE : PLAIN;
	} else if (s->escape == SEQUENCE) {
		if (byte >= 0x40 && byte <= 0x7e)
			s->escape = PLAIN;
	} else if (byte == 0x1b) {
		s->escape = ESCAPE;
	} else if (byte == '\n' || s->line.size >= LINE_LIMIT) {
		search(s);
		s->line.size = 0;
	} else if (byte >= ' ' || byte == '\t') {
		return buffer_append(&s->line, &byte, 1);
	}
	return 0;
}

static int write_all(int fd, const char *name, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno("%s: cannot write", name);
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Returns 0, 1 at the end of the stream, or a negative errno. */
static int pass_output(struct state *s)
{
	uint8_t bytes[4096];
	ssize_t n = read(s->console->guest->output, bytes, sizeof bytes);
	if (n < 0)
		return errno == EINTR ? 0
				      : error_errno("%s: cannot read the serial line",
						s->console->name);
	if (n == 0)
		return 1;
	int r = write_all(1, "standard output", bytes, (size_t)n);
	s->in_line = bytes[n - 1] != '\n';
	for (ssize_t i = 0; r == 0 && i < n; i++)
		r = scan_byte(s, bytes[i]);
	if (r == 0)
		search(s); /* a prompt ends without a newline */
	return r;
}

static int pass_input(struct state *s)
{
	uint8_t bytes[256];
	ssize_t n = read(0, bytes, sizeof bytes);
	if (n <= 0) {
		s->input_open = n < 0 && errno == EINTR;
		return 0;
	}
	const uint8_t *quit = s->raw ? memchr(bytes, QUIT_KEY, (size_t)n) : NULL;
	s->typed_quit = quit != NULL;
	size_t size = quit ? (size_t)(quit - bytes) : (size_t)n;
	/* A guest that is gone is noticed by its output. */
	if (write_all(s->console->input, "serial line", bytes, size) < 0)
		s->input_open = false;
	return 0;
}

/* Whether the guest's input takes a whole chunk now, so that writing cannot block. */
static bool guest_listens(const struct state *s)
{
	struct pollfd p = {.fd = s->console->input, .events = POLLOUT};
	return s->input_open && poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static int wait_ms(const struct state *s, bool listens)
{
	int64_t left = s->deadline < 0 ? -1 : s->deadline - now_ms();
	if (s->deadline >= 0 && left < 0)
		left = 0;
	/* A guest that does not listen now is asked again soon. */
	if (s->input_open && !listens && (left < 0 || left > 50))
		left = 50;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

/* One turn. Returns 0 to go on, 1 when there is nothing more to wait for. */
static int turn(struct state *s)
{
	bool listens = guest_listens(s);
	struct pollfd fds[] = {
		{.fd = s->console->guest->output, .events = POLLIN},
		{.fd = s->signals, .events = POLLIN},
		{.fd = listens ? 0 : -1, .events = POLLIN},
	};
	int n = poll(fds, 3, wait_ms(s, listens)), r = 0;
	if (n < 0)
		return errno == EINTR ? 0 : error_errno("poll");
	struct signalfd_siginfo info;
	if (fds[1].revents && read(s->signals, &info, sizeof info) == sizeof info)
		s->signaled = (int)info.ssi_signo;
	if (fds[0].revents)
		r = pass_output(s);
	if (r == 0 && fds[2].revents)
		r = pass_input(s);
	if (r == 0 && (s->seen || s->signaled || s->typed_quit))
		return 1;
	if (r == 0 && s->nothing && s->denied)
		return error_set(STATUS_TRUST, EKEYREJECTED,
			"%s: Secure Boot does not let it start", s->console->name);
	if (r == 0 && s->nothing)
		return error_set(STATUS_FAILED, ENOENT,
			"%s: the firmware found nothing to boot", s->console->name);
	if (r == 0 && s->deadline >= 0 && now_ms() >= s->deadline)
		return error_set(STATUS_TIMEOUT, ETIMEDOUT, "%s: %s%s%s within %d s",
			s->console->name,
			s->console->expect ? "the guest did not say '" : "it did not end",
			s->console->expect ? s->console->pattern : "",
			s->console->expect ? "'" : "", s->console->timeout_ms / 1000);
	return r;
}

static void take_over(struct state *s)
{
	sigset_t caught;
	sigemptyset(&caught);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGHUP);
	sigaddset(&caught, SIGQUIT);
	sigprocmask(SIG_BLOCK, &caught, &s->mask);
	s->signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
	s->input_open = s->console->input >= 0;
	if (s->input_open && isatty(0) && tcgetattr(0, &s->saved) == 0) {
		struct termios raw = s->saved;
		cfmakeraw(&raw);
		s->raw = tcsetattr(0, TCSADRAIN, &raw) == 0;
	}
}

static void give_back(struct state *s)
{
	if (s->raw)
		tcsetattr(0, TCSADRAIN, &s->saved);
	if (s->signals >= 0)
		close(s->signals);
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
	buffer_free(&s->line);
}

/* The guest ended by itself: was that what was wanted? */
static int judge(struct state *s)
{
	const struct console *c = s->console;
	int r = process_finish(c->guest, 10000);
	if (r < 0)
		return error_context(r, "%s", c->name);
	if (s->panic[0])
		return error_set(STATUS_FAILED, EIO,
			"%s: the guest's kernel panicked: %s", c->name, s->panic);
	if (c->expect)
		return error_set(STATUS_FAILED, EIO,
			"%s: the guest ended without saying '%s'", c->name, c->pattern);
	return 0;
}

int console_run(struct console *c)
{
	struct state s = {.console = c, .signals = -1, .deadline = -1};
	if (c->timeout_ms >= 0)
		s.deadline = now_ms() + c->timeout_ms;
	take_over(&s);
	int r = s.signals < 0 ? error_errno("signalfd") : 0;
	while (r == 0)
		r = turn(&s);
	if (r > 0)
		r = s.signaled               ? 128 + s.signaled
		    : s.seen || s.typed_quit ? 0
					     : judge(&s);
	process_kill(c->guest);
	if (s.in_line && write_all(1, "standard output", (const uint8_t *)"\n", 1) < 0 &&
		r == 0)
		r = -EIO;
	give_back(&s);
	return r;
}
