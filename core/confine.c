/* SPDX-License-Identifier: MIT */
#include "core/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <openssl/crypto.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#include "core/error.h"

static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(fadvise64),
	SCMP_SYS(close),
	SCMP_SYS(recvmsg), /* files that another process has opened */
	/* To what was opened for it: output, and files in memory. */
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(ftruncate),
	SCMP_SYS(memfd_create),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sysinfo),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(tgkill),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* What a terminal and a block device are asked. */
static const unsigned long requests[] = {TCGETS, TIOCGWINSZ, BLKSSZGET, BLKGETSIZE64};

static int allow_some(scmp_filter_ctx filter)
{
	/* Memory, but none that can be executed; threads, but no processes. */
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp thread =
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	/* fstat, as libc does it. */
	const struct scmp_arg_cmp itself = SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH);
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_exec);
	if (r == 0)
		r = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, thread);
	/* Its arguments are in memory, where no filter sees them; libc then uses clone.
	 */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0)
		r = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, itself);
	for (size_t i = 0; r == 0 && i < sizeof requests / sizeof requests[0]; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1(SCMP_CMP_EQ, requests[i]));
	return r;
}

/* Files by name: looked at, and opened so that nothing can be changed or made. */
static int allow_opening(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp reading = SCMP_A2(SCMP_CMP_MASKED_EQ,
		O_ACCMODE | O_CREAT | O_TRUNC | __O_TMPFILE, O_RDONLY);
	static const int calls[] = {
		SCMP_SYS(newfstatat), SCMP_SYS(alarm), SCMP_SYS(setitimer)};
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, reading);
	for (size_t i = 0; r == 0 && i < sizeof calls / sizeof calls[0]; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}

static int confine_with(bool opening)
{
	if (RUNNING_ON_VALGRIND)
		return 0;
	/* It reads its configuration when it is first used. */
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? 0 : -ENOMEM;
	for (size_t i = 0; i < sizeof allowed / sizeof allowed[0] && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = allow_some(filter);
	if (r == 0 && opening)
		r = allow_opening(filter);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r < 0)
		return error_set(STATUS_FAILED, EPERM,
			"cannot confine the process: the kernel lacks seccomp filters");
	return 0;
}

int confine(void)
{
	return confine_with(false);
}

int confine_to_root(void)
{
	return confine_with(true);
}
