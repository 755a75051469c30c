/* SPDX-License-Identifier: MIT */
#include "verifier/examine/tree_check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/confine.h"
#include "core/interrupt.h"
#include "verifier/examine/tree_findings.h"
#include "verifier/payload.h"

/* How often the trip-wires are looked at. */
#define TICK_MS 50

/* What the process may allocate. */
#define MEMORY_MAX ((rlim_t)4 << 30)

/* ---- the process that parses ------------------------------------------------------- */

/* Whether there is no tree yet, as in the slot that the next version will go to. */
static bool is_empty(const struct file *f, const struct place *verity)
{
	uint64_t at;
	return verity->size >= VERITY_SUPERBLOCK_SIZE &&
	       disk_find_nonzero(f, verity->offset, VERITY_SUPERBLOCK_SIZE, &at) == 1;
}

/* The first of what is wrong with a superblock. */
static void tell_unusable(
	const struct payload *p, const struct report *structure, struct report *report)
{
	for (size_t i = 0; i < structure->n_findings; i++)
		if (structure->findings[i].kind == FINDING_FAULT) {
			report_fault(report, STATUS_UNCHECKED, "tree", &p->data,
				"cannot be held to its hash tree: %s",
				structure->findings[i].text);
			return;
		}
	report->incomplete = true;
}

static void check_set(const struct disk *disk, const struct disk_set *set, bool skip,
	struct report *report)
{
	static const struct verify_options options = {.no_signature = true};
	AUTO_REPORT structure = {0};
	struct payload p;
	payload_init(&p, disk, set);
	payload_find_appended(&p);
	if (!p.data.size || !p.verity.size)
		return;
	payload_check_structure(&p, &structure);
	if (is_empty(disk->file, &p.verity))
		report_uncovered(report, "tree", &p.data, "its hash tree is empty");
	else if (!p.has_tree)
		tell_unusable(&p, &structure, report);
	else if (!*p.claimed)
		report_uncovered(report, "tree", &p.data,
			"nothing says what the root hash of its hash tree is");
	else if (skip)
		report_uncovered(report, "tree", &p.data,
			"was not held to its hash tree: the first hash was left out, as "
			"asked");
	else
		payload_check_tree(&p, &options, report);
}

static void check_all(const struct file *f, bool skip, struct report *report)
{
	AUTO_DISK disk = {0};
	if (confine() < 0) {
		report_error(report, "tree", &(struct place){.area = "image"}, f->name);
		return;
	}
	/* Without a partition table there is no set; others say what is there. */
	if (disk_open(&disk, f) < 0)
		return;
	for (size_t i = 0; i < disk.n_sets; i++)
		check_set(&disk, &disk.sets[i], skip, report);
}

/* All but A, B and what goes to people: other files are open for writing here. */
static bool keep_only(int a, int b)
{
	unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
	int none = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool good = none >= 0 && low > STDERR_FILENO && dup2(none, STDIN_FILENO) >= 0 &&
		    dup2(none, STDOUT_FILENO) >= 0;
	if (good && low > 3)
		good = close_range(3, low - 1, 0) == 0;
	if (good && high > low + 1)
		good = close_range(low + 1, high - 1, 0) == 0;
	return good && close_range(high + 1, ~0U, 0) == 0;
}

static int be_checker(const struct file *f, bool skip, int to, pid_t parent)
{
	AUTO_REPORT report = {0};
	BUFFER text = {0};
	const struct rlimit limit = {MEMORY_MAX, MEMORY_MAX};
	const struct file pipe = {.fd = to};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "cairn-tree");
	if (getppid() != parent || setrlimit(RLIMIT_DATA, &limit) < 0 ||
		!keep_only(f->fd, pipe.fd))
		return 1;
	check_all(f, skip, &report);
	if (tree_findings_print(&report, &text) < 0)
		return 1;
	for (size_t done = 0; done < text.size;) {
		ssize_t n = write(pipe.fd, text.data + done, text.size - done);
		if (n < 0 && errno != EINTR)
			return 1;
		done += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

/* ---- the process that believes nothing --------------------------------------------- */

/* Returns 1 when there is no more. */
static int receive_some(int from, struct buffer *text)
{
	static uint8_t data[65536];
	struct pollfd p = {.fd = from, .events = POLLIN};
	if (poll(&p, 1, TICK_MS) <= 0)
		return 0;
	ssize_t n = read(from, data, sizeof data);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return error_errno("cannot read from a pipe");
	if ((size_t)n > TREE_FINDINGS_MAX - text->size)
		return error_format("findings: more than they may be");
	return n == 0 ? 1 : buffer_append(text, data, (size_t)n);
}

/* Negative in *TICKED if it was the tick that ended it. */
static int receive(
	int from, const struct exhibit_tick *tick, struct buffer *text, int *ticked)
{
	int r = 0;
	while (r == 0) {
		*ticked = tick->run(tick->context);
		if (*ticked == 0)
			*ticked = interrupt_check();
		r = *ticked < 0 ? *ticked : receive_some(from, text);
	}
	return r < 0 ? r : 0;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void tell(int r, struct span text, const struct file *f, struct report *report)
{
	if (r == 0)
		r = tree_findings_take(text, f->size, report);
	if (r < 0)
		report_fault(report, STATUS_UNCHECKED, "tree",
			&(struct place){.area = "image"},
			"the process that looks for hash trees in it did not come to its "
			"end (%s)",
			error_text());
}

int tree_check(const struct file *f, bool skip, const struct exhibit_tick *tick,
	struct report *report)
{
	BUFFER text = {0};
	int ends[2], ticked = 0;
	int r = pipe2(ends, O_CLOEXEC) < 0 ? error_errno("cannot make a pipe") : 0;
	if (r == 0) {
		pid_t parent = getpid(), pid = fork();
		if (pid == 0)
			_exit(be_checker(f, skip, ends[1], parent));
		r = pid < 0 ? error_errno("cannot fork") : 0;
		close(ends[1]);
		if (r == 0)
			r = receive(ends[0], tick, &text, &ticked);
		if (pid > 0)
			end(pid);
		close(ends[0]);
	}
	if (ticked == 0)
		tell(r, buffer_span(&text), f, report);
	return ticked;
}
