/* SPDX-License-Identifier: MIT */
#include "initrd/compose/tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TAG_NO_SESSIONS 0x8001
#define TAG_SESSIONS    0x8002
#define OWNER           0x40000001 /* TPM_RH_OWNER */
#define PASSWORD        0x40000009 /* TPM_RS_PW */
#define ALG_SHA256      0x000b
#define COUNTER_SIZE    8

#define CC_NV_UNDEFINE_SPACE 0x122
#define CC_NV_DEFINE_SPACE   0x12a
#define CC_NV_INCREMENT      0x134
#define CC_NV_READ           0x14e
#define CC_NV_READ_PUBLIC    0x169

/* TPM_RC_HANDLE of the first handle: there is no such index. */
#define RC_NO_HANDLE 0x18b

#define HEADER_SIZE  10
#define MESSAGE_SIZE 4096 /* no answer to these commands is longer */
#define TIMEOUT_MS   30000

/* A command while it is put together, or an answer while it is read. */
struct message {
	uint8_t bytes[MESSAGE_SIZE];
	size_t size; /* of the command; of the answer */
	size_t at;   /* read so far */
	bool good;   /* nothing was read beyond the end */
};

static void put16(struct message *m, unsigned value)
{
	m->bytes[m->size++] = (uint8_t)(value >> 8);
	m->bytes[m->size++] = (uint8_t)value;
}

static void put32(struct message *m, uint32_t value)
{
	put_be32(m->bytes + m->size, value);
	m->size += 4;
}

static uint32_t get(struct message *m, size_t bytes)
{
	uint32_t value = 0;
	if (bytes > m->size - m->at) {
		m->good = false;
		m->at = m->size;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | m->bytes[m->at++];
	return value;
}

static void start(struct message *m, unsigned tag, uint32_t command)
{
	m->size = m->at = 0;
	m->good = true;
	put16(m, tag);
	put32(m, 0); /* the size, once it is known */
	put32(m, command);
}

/* One authorization with the empty password. */
static void put_authorization(struct message *m)
{
	put32(m, 9);
	put32(m, PASSWORD);
	put16(m, 0); /* no nonce */
	m->bytes[m->size++] = 0;
	put16(m, 0); /* no password */
}

static int broken(const struct tpm *tpm)
{
	return error_set(
		STATUS_FAILED, EIO, "%s: the TPM gave no sound answer", tpm->name);
}

/* A device gives the whole answer at once, a socket perhaps in pieces. */
static int receive(const struct tpm *tpm, struct message *m)
{
	size_t wanted = HEADER_SIZE;
	m->size = m->at = 0;
	while (m->size < wanted) {
		struct pollfd p = {.fd = tpm->fd, .events = POLLIN};
		if (poll(&p, 1, TIMEOUT_MS) != 1)
			return error_set(STATUS_TIMEOUT, ETIMEDOUT,
				"%s: the TPM does not answer", tpm->name);
		ssize_t n = read(tpm->fd, m->bytes + m->size, sizeof m->bytes - m->size);
		if (n < 0)
			return error_errno("%s: cannot read", tpm->name);
		m->size += (size_t)n;
		if (m->size >= HEADER_SIZE)
			wanted = get_be32(m->bytes + 2);
		if (n == 0 || wanted < HEADER_SIZE || wanted > sizeof m->bytes)
			return broken(tpm);
	}
	return m->size == wanted ? 0 : broken(tpm);
}

/* Sends M and makes it the answer. Returns the TPM's response code, or a negative errno.
 */
static int transmit(const struct tpm *tpm, struct message *m)
{
	put_be32(m->bytes + 2, (uint32_t)m->size);
	ssize_t n = write(tpm->fd, m->bytes, m->size);
	if (n < 0 || (size_t)n != m->size)
		return error_errno("%s: cannot write", tpm->name);
	int r = receive(tpm, m);
	if (r < 0)
		return r;
	m->at = 2 + 4;
	uint32_t code = get(m, 4);
	return code <= 0xffff ? (int)code : broken(tpm);
}

static int refused(const struct tpm *tpm, int code, const char *what)
{
	if (code < 0)
		return code;
	return error_set(STATUS_FAILED, EIO, "%s: the TPM cannot %s: response code 0x%x",
		tpm->name, what, (unsigned)code);
}

static int connect_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path)
		return error_set(STATUS_FAILED, ENAMETOOLONG, "%s: too long", path);
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	int r = error_errno("%s: cannot connect", path);
	if (fd >= 0)
		close(fd);
	return r;
}

int tpm_open(struct tpm *tpm, const char *path)
{
	struct stat st;
	*tpm = (struct tpm){.fd = -1, .name = path};
	if (stat(path, &st) < 0)
		return errno == ENOENT
			       ? error_set(STATUS_FAILED, ENOENT, "there is no TPM")
			       : error_errno("%s: cannot look at", path);
	if (S_ISSOCK(st.st_mode))
		tpm->fd = connect_socket(path);
	else if (!S_ISCHR(st.st_mode))
		return error_format("%s: is no TPM", path);
	else if ((tpm->fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY)) < 0)
		return error_errno("%s: cannot open", path);
	return tpm->fd < 0 ? tpm->fd : 0;
}

void tpm_close(struct tpm *tpm)
{
	if (tpm->fd >= 0)
		close(tpm->fd);
	tpm->fd = -1;
}

int tpm_nv_public(const struct tpm *tpm, uint32_t index, struct tpm_nv *nv)
{
	struct message m;
	start(&m, TAG_NO_SESSIONS, CC_NV_READ_PUBLIC);
	put32(&m, index);
	int code = transmit(tpm, &m);
	if (code == RC_NO_HANDLE)
		return 1;
	if (code != 0)
		return refused(tpm, code, "describe an NV index");
	get(&m, 2); /* the size of what follows up to the name */
	bool same = get(&m, 4) == index;
	bool sha256 = get(&m, 2) == ALG_SHA256;
	nv->attributes = get(&m, 4);
	bool no_policy = get(&m, 2) == 0;
	nv->data_size = get(&m, 2);
	nv->plain = sha256 && no_policy;
	return m.good && same ? 0 : broken(tpm);
}

int tpm_nv_read_counter(const struct tpm *tpm, uint32_t index, uint64_t *value)
{
	struct message m;
	start(&m, TAG_SESSIONS, CC_NV_READ);
	put32(&m, index); /* who authorizes: the index itself */
	put32(&m, index);
	put_authorization(&m);
	put16(&m, COUNTER_SIZE);
	put16(&m, 0); /* offset */
	int code = transmit(tpm, &m);
	if (code != 0)
		return refused(tpm, code, "read the counter");
	get(&m, 4); /* the size of the parameters */
	bool whole = get(&m, 2) == COUNTER_SIZE;
	*value = (uint64_t)get(&m, 4) << 32;
	*value |= get(&m, 4);
	return m.good && whole ? 0 : broken(tpm);
}

int tpm_nv_increment(const struct tpm *tpm, uint32_t index)
{
	struct message m;
	start(&m, TAG_SESSIONS, CC_NV_INCREMENT);
	put32(&m, index);
	put32(&m, index);
	put_authorization(&m);
	int code = transmit(tpm, &m);
	return code ? refused(tpm, code, "raise the counter") : 0;
}

int tpm_nv_define_counter(const struct tpm *tpm, uint32_t index, unsigned attributes)
{
	struct message m;
	start(&m, TAG_SESSIONS, CC_NV_DEFINE_SPACE);
	put32(&m, OWNER);
	put_authorization(&m);
	put16(&m, 0);  /* no password for the index */
	put16(&m, 14); /* the size of what follows */
	put32(&m, index);
	put16(&m, ALG_SHA256);
	put32(&m, attributes);
	put16(&m, 0); /* no policy */
	put16(&m, COUNTER_SIZE);
	int code = transmit(tpm, &m);
	return code ? refused(tpm, code, "make a counter") : 0;
}

int tpm_nv_undefine(const struct tpm *tpm, uint32_t index)
{
	struct message m;
	start(&m, TAG_SESSIONS, CC_NV_UNDEFINE_SPACE);
	put32(&m, OWNER);
	put32(&m, index);
	put_authorization(&m);
	int code = transmit(tpm, &m);
	return code ? refused(tpm, code, "delete a counter") : 0;
}
