/* SPDX-License-Identifier: MIT */
#include "cli/tpm.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/descriptor.h"

/* swtpm's control channel: a command's number, big-endian, first (swtpm_ioctls(3)). */
#define CONTROL_CAPABILITY 0x01u
#define CONTROL_SHUTDOWN   0x03u
#define CONTROL_SET_DATAFD 0x10u
#define CONTROL_MAX        4096
#define ANSWER_MS          5000

/* ---- the channel between QEMU and swtpm ------------------------------------------- */

/*
 * Each command is answered before the next. The one that would end swtpm is answered
 * here: what was measured is asked for afterwards.
 */
static void pass_all(const struct tpm *t)
{
	uint8_t message[CONTROL_MAX];
	const uint8_t good[4] = {0};
	int fd, none;
	for (;;) {
		ssize_t n = descriptor_receive(t->relay, message, sizeof message, &fd);
		if (n <= 0)
			return;
		bool ends = n >= 4 && get_be32(message) == CONTROL_SHUTDOWN;
		bool passed = ends || descriptor_send(t->control, message, (size_t)n, fd);
		if (fd >= 0)
			close(fd);
		if (passed && !ends)
			n = descriptor_receive(
				t->control, message, sizeof message, &none);
		if (!passed || n <= 0 ||
			!descriptor_send(t->relay, ends ? good : message,
				ends ? sizeof good : (size_t)n, -1))
			return;
	}
}

/* QEMU must not wait for what no longer answers. */
static void *pass_on(void *context)
{
	const struct tpm *t = context;
	pass_all(t);
	shutdown(t->relay, SHUT_RDWR);
	return NULL;
}

/* The thread must not take the signals that console_run waits for. */
static int start_relay(struct tpm *t)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&t->thread, NULL, pass_on, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	t->running = err == 0;
	return err ? error_set(STATUS_FAILED, err, "cannot start a thread: %s",
			     strerror(err))
		   : 0;
}

/* Reads exactly SIZE bytes, within a time. */
static bool hear(int from, void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		struct pollfd p = {.fd = from, .events = POLLIN};
		if (poll(&p, 1, ANSWER_MS) != 1)
			return false;
		ssize_t n = read(from, (uint8_t *)data + done, size - done);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* ---- starting and ending ---------------------------------------------------------- */

static int start_swtpm(struct tpm *t, int end)
{
	char control[64], state[64];
	const int fds[] = {end, t->state.fd};
	snprintf(control, sizeof control, "type=unixio,clientfd=%d", end);
	snprintf(state, sizeof state, "backend-uri=file:///proc/self/fd/%d", t->state.fd);
	const char *const argv[] = {"swtpm", "socket", "--tpm2", "--ctrl", control,
		"--tpmstate", state, NULL};
	const struct process p = {.argv = argv,
		.keep_fds = fds,
		.n_keep_fds = 2,
		.stdin_fd = -1,
		.stdout_fd = -1};
	int r = process_start(&p, &t->swtpm);
	return r < 0 ? error_context(r, "--tpm needs the package swtpm") : 0;
}

/* Whether it came up: it answers a question, with 8 bytes of flags. */
static int ask_swtpm(struct tpm *t)
{
	const uint8_t command[4] = {0, 0, 0, CONTROL_CAPABILITY};
	uint8_t answer[8];
	if (descriptor_send(t->control, command, sizeof command, -1) &&
		hear(t->control, answer, sizeof answer))
		return 0;
	int r = process_finish(&t->swtpm, 1000);
	return r < 0 ? error_context(r, "--tpm")
		     : error_set(STATUS_FAILED, EIO, "--tpm: swtpm ended at once");
}

int tpm_start(struct tpm *t)
{
	int control[2], guest[2];
	*t = TPM_NONE;
	int r = file_in_memory(&t->state, "the TPM's state", span_of("", 0));
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) < 0)
		return error_errno("socketpair");
	t->control = control[0];
	r = start_swtpm(t, control[1]);
	close(control[1]);
	if (r == 0)
		r = ask_swtpm(t);
	if (r == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, guest) < 0)
		r = error_errno("socketpair");
	if (r == 0) {
		t->relay = guest[0];
		t->guest = guest[1];
		r = start_relay(t);
	}
	if (r < 0)
		tpm_stop(t);
	return r;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void tpm_handed_over(struct tpm *t)
{
	close_end(&t->guest);
}

/* With both ends of QEMU's channel gone the thread ends. */
static void end_relay(struct tpm *t)
{
	close_end(&t->guest);
	if (t->running)
		pthread_join(t->thread, NULL);
	t->running = false;
	close_end(&t->relay);
}

void tpm_stop(struct tpm *t)
{
	/* A thread that waits for swtpm's answer is let go by its end. */
	process_kill(&t->swtpm);
	end_relay(t);
	close_end(&t->control);
	file_close(&t->state);
}

/* ---- asking it -------------------------------------------------------------------- */

static int silent(void)
{
	return error_set(STATUS_FAILED, EIO, "swtpm: does not answer as it should");
}

/* A channel for commands. swtpm has one at a time: QEMU's must be seen to be closed. */
static int open_channel(const struct tpm *t, int *channel)
{
	const uint8_t command[4] = {0, 0, 0, CONTROL_SET_DATAFD};
	uint8_t answer[4];
	const struct timespec pause = {.tv_nsec = 20000000};
	for (int tries = 0; tries < 50; tries++) {
		int ends[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
			return error_errno("socketpair");
		bool said =
			descriptor_send(t->control, command, sizeof command, ends[1]) &&
			hear(t->control, answer, sizeof answer);
		close(ends[1]);
		if (said && get_be32(answer) == 0) {
			*channel = ends[0];
			return 0;
		}
		close(ends[0]);
		if (!said)
			break;
		nanosleep(&pause, NULL);
	}
	return silent();
}

/* TPM2_PCR_Read of one PCR of the bank of SHA-256 (TPM 2.0 Library, part 3, 22.4). */
int tpm_read_pcr(struct tpm *t, unsigned pcr, uint8_t value[32])
{
	uint8_t command[20] = {0x80, 0x01, 0, 0, 0, sizeof command, 0, 0, 0x01, 0x7e, 0,
		0, 0, 1, 0, 0x0b, 3};
	/* Header, update counter, selection; one digest of 32 bytes. */
	uint8_t answer[30 + 32];
	int channel = -1;
	command[17 + pcr / 8] = (uint8_t)(1u << pcr % 8);
	end_relay(t);
	int r = open_channel(t, &channel);
	if (r < 0)
		return r;
	bool heard = descriptor_send(channel, command, sizeof command, -1) &&
		     hear(channel, answer, sizeof answer);
	close(channel);
	if (!heard || get_be32(answer + 2) != sizeof answer ||
		get_be32(answer + 6) != 0 || get_be32(answer + 24) != 1 ||
		answer[28] != 0 || answer[29] != 32)
		return silent();
	memcpy(value, answer + 30, 32);
	return 0;
}
