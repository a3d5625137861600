// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program under test: lets the n-th call of a kind fail, or end the program
// there. Only calls on files below one folder count, and allocations. Environment:
//
//   FAULT=KIND:N     KIND one of
//                    malloc   the N-th allocation returns NULL
//                    open write fsync rename   the N-th such call fails (rename: link too)
//                    short    the N-th write writes half, the next ones fail
//                    any      the N-th call of any kind fails
//                    kill     SIGKILL before the N-th call of any kind
//                    power    as kill, and what was not synced by then is lost: bytes behind
//                             the last fsync of a file, names made or removed since the last
//                             fsync of their folder; when N is never reached, at exit
//   FAULT_DIR=PATH   the folder, spelled as the program spells it
//   FAULT_HIT=PATH   a file that is made when the fault happens
//   FAULT_KEEP=1     power: of the names, the last change reached the disk before the others
//   FAULT_NOLINK=1   link() always fails, as on file systems without hard links
//
// N counts from 1.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FDS 256
#define NAMES 64
#define PATH_SIZE 512

enum kind { MALLOC, OPEN, WRITE, FSYNC, RENAME, SHORT, ANY, KILL, POWER, KINDS };

static const char *const kind_name[KINDS] = {"malloc", "open", "write", "fsync", "rename",
					     "short",  "any",  "kill",	"power"};

// One line for each change of a name since the last fsync of the folder.
struct change {
	bool made;	      // else removed
	char path[PATH_SIZE]; // the name
	char keep[PATH_SIZE]; // of a removed one: where its file is kept
};

static struct {
	bool ready, broken, no_link, keep_last;
	enum kind kind;
	long n;
	char dir[PATH_SIZE];
	const char *hit;
	atomic_long count;
	// For power: size of each open file when it was last synced.
	char path[FDS][PATH_SIZE];
	off_t synced[FDS];
	struct change change[NAMES];
	int changes, kept;
} f;

// What was closed without a sync since.
static struct {
	char path[PATH_SIZE];
	off_t synced;
} lost[FDS];
static int losses;

__attribute__((constructor)) static void start(void)
{
	const char *fault = getenv("FAULT"), *dir = getenv("FAULT_DIR");
	const char *colon = fault != NULL ? strchr(fault, ':') : NULL;

	if (colon == NULL || dir == NULL)
		return;
	f.kind = KINDS;
	for (int k = 0; k < KINDS; k++) {
		if (strlen(kind_name[k]) == (size_t)(colon - fault) &&
		    strncmp(kind_name[k], fault, (size_t)(colon - fault)) == 0)
			f.kind = (enum kind)k;
	}
	f.n = atol(colon + 1);
	f.hit = getenv("FAULT_HIT");
	f.keep_last = getenv("FAULT_KEEP") != NULL;
	f.no_link = getenv("FAULT_NOLINK") != NULL;
	snprintf(f.dir, sizeof(f.dir), "%s", dir);
	f.ready = f.kind != KINDS;
}

static void mark_hit(void)
{
	if (f.hit != NULL)
		syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, f.hit, O_CREAT | O_WRONLY, 0600));
}

static bool below(const char *path)
{
	size_t size = strlen(f.dir);

	return f.ready && strncmp(path, f.dir, size) == 0 &&
	       (path[size] == '/' || path[size] == '\0');
}

static bool tracked(int fd)
{
	return f.ready && fd >= 0 && fd < FDS && f.path[fd][0] != '\0';
}

// ---- Power cut -------------------------------------------------------------------------------

static void cut(const char *path, off_t size)
{
	struct stat s;

	if (stat(path, &s) == 0 && s.st_size > size && truncate(path, size) != 0)
		abort();
}

static void lose_power(void)
{
	for (int fd = 0; fd < FDS; fd++) {
		if (f.path[fd][0] != '\0' && f.synced[fd] >= 0)
			cut(f.path[fd], f.synced[fd]);
	}
	for (int i = 0; i < losses; i++)
		cut(lost[i].path, lost[i].synced);
	for (int i = f.changes - 1 - f.keep_last; i >= 0; i--) {
		const struct change *c = &f.change[i];

		if (c->made)
			syscall(SYS_unlink, c->path);
		else
			syscall(SYS_rename, c->keep, c->path);
	}
}

// A file has another name now: what it lost is lost under that.
static void moved(const char *from, const char *to)
{
	for (int i = 0; i < losses; i++) {
		if (strcmp(lost[i].path, from) == 0)
			snprintf(lost[i].path, PATH_SIZE, "%s", to);
	}
}

__attribute__((destructor)) static void finish(void)
{
	if (f.ready && f.kind == POWER)
		lose_power();
}

static void note_change(bool made, const char *path)
{
	struct change *c = &f.change[f.changes];

	if (f.kind != POWER || !below(path))
		return;
	if (f.changes == NAMES)
		abort();
	c->made = made;
	snprintf(c->path, sizeof(c->path), "%s", path);
	if (!made) {
		snprintf(c->keep, sizeof(c->keep), "%.400s.kept.%d", f.dir, f.kept++);
		syscall(SYS_link, path, c->keep);
	}
	f.changes++;
}

// The folder is synced: its names are as they are.
static void settle(void)
{
	for (int i = 0; i < f.changes; i++) {
		if (!f.change[i].made)
			syscall(SYS_unlink, f.change[i].keep);
	}
	f.changes = 0;
}

// ---- The one decision --------------------------------------------------------------------

// True when this call is to fail.
static bool fault(enum kind kind)
{
	bool counts = f.ready && (f.kind == kind || (kind != MALLOC && f.kind >= ANY) ||
				  (kind == WRITE && f.kind == SHORT));

	if (!counts || atomic_fetch_add(&f.count, 1) + 1 != f.n)
		return f.broken && kind == WRITE;
	mark_hit();
	if (f.kind == POWER)
		lose_power();
	if (f.kind >= KILL)
		kill(getpid(), SIGKILL);
	if (f.kind == SHORT)
		f.broken = true;
	return true;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// ---- Allocation --------------------------------------------------------------------------

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);

EXPORT void *malloc(size_t size)
{
	if (fault(MALLOC)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	if (fault(MALLOC)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_calloc(count, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	if (fault(MALLOC)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, size);
}

// ---- Files -------------------------------------------------------------------------------

EXPORT int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	struct stat s;
	va_list ap;
	bool is_new;
	int fd;

	if ((flags & O_CREAT) != 0) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (!below(path))
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fault(OPEN)) {
		errno = EMFILE;
		return -1;
	}
	is_new = (flags & O_CREAT) != 0 && lstat(path, &s) != 0;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fd >= 0 && fd < FDS) {
		snprintf(f.path[fd], PATH_SIZE, "%s", path);
		f.synced[fd] = -1;
		if ((flags & O_ACCMODE) != O_RDONLY)
			f.synced[fd] = 0;
		if (is_new)
			note_change(true, path);
	}
	return fd;
}

EXPORT int close(int fd)
{
	bool ours = tracked(fd), fails = ours && fault(ANY);
	struct stat s;

	if (ours && f.kind == POWER && f.synced[fd] >= 0 && fstat(fd, &s) == 0 &&
	    s.st_size > f.synced[fd] && losses < FDS) {
		snprintf(lost[losses].path, PATH_SIZE, "%s", f.path[fd]);
		lost[losses++].synced = f.synced[fd];
	}
	if (ours)
		f.path[fd][0] = '\0';
	if (syscall(SYS_close, fd) != 0)
		return -1;
	if (fails)
		errno = EIO;
	return fails ? -1 : 0;
}

static ssize_t failing_write(int fd, const void *data, size_t size)
{
	if (f.kind == SHORT && f.broken && size > 1 && f.count == f.n) {
		f.count++; // this one is cut short, the next ones fail
		return syscall(SYS_write, fd, data, size / 2);
	}
	errno = ENOSPC;
	return -1;
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
	if (tracked(fd) && fault(WRITE))
		return failing_write(fd, data, size);
	return syscall(SYS_write, fd, data, size);
}

EXPORT ssize_t pread(int fd, void *out, size_t size, off_t at)
{
	if (tracked(fd) && fault(ANY)) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, out, size, at);
}

EXPORT ssize_t read(int fd, void *out, size_t size)
{
	if (tracked(fd) && fault(ANY)) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_read, fd, out, size);
}

EXPORT int ftruncate(int fd, off_t size)
{
	if (tracked(fd) && fault(ANY)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_ftruncate, fd, size);
}

EXPORT int fsync(int fd)
{
	struct stat s;
	int rc;

	if (tracked(fd) && fault(FSYNC)) {
		errno = EIO;
		return -1;
	}
	rc = (int)syscall(SYS_fsync, fd);
	if (rc == 0 && tracked(fd) && fstat(fd, &s) == 0) {
		if (S_ISDIR(s.st_mode))
			settle();
		else
			f.synced[fd] = s.st_size;
	}
	return rc;
}

EXPORT int link(const char *from, const char *to)
{
	int rc;

	if (f.no_link) {
		errno = EPERM;
		return -1;
	}
	if (below(to) && fault(RENAME)) {
		errno = EIO;
		return -1;
	}
	rc = (int)syscall(SYS_link, from, to);
	if (rc == 0) {
		note_change(true, to);
		moved(from, to);
	}
	return rc;
}

EXPORT int rename(const char *from, const char *to)
{
	int rc;

	if (below(to) && fault(RENAME)) {
		errno = EIO;
		return -1;
	}
	note_change(false, from);
	rc = (int)syscall(SYS_rename, from, to);
	if (rc == 0) {
		note_change(true, to);
		moved(from, to);
	}
	return rc;
}

EXPORT int unlink(const char *path)
{
	if (below(path) && fault(ANY)) {
		errno = EIO;
		return -1;
	}
	if (access(path, F_OK) == 0)
		note_change(false, path);
	return (int)syscall(SYS_unlink, path);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
	if (below(path) && fault(ANY)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_mkdir, path, mode);
}

EXPORT int fcntl(int fd, int command, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (tracked(fd) && command == F_SETLK && fault(ANY)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fcntl, fd, command, arg);
}
