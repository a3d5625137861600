// SPDX-License-Identifier: Apache-2.0
// The only file calls of the common layer. What is in the files is left to corpus, schema and
// manifest.
#include "common/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define READ_STEP (64 * KIB)

static enum status open_error(struct err *e, int sys_errno, const char *verb, const char *path)
{
	enum status code = sys_errno == ENOENT || sys_errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;

	return err_set_errno(e, code, sys_errno, "%s: cannot %s", path, verb);
}

static int open_retry(const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static ssize_t read_retry(int fd, void *out, size_t size_bytes)
{
	ssize_t n;

	do
		n = read(fd, out, size_bytes);
	while (n < 0 && errno == EINTR);
	return n;
}

// The size is not asked first: /proc and pipes do not know theirs.
static enum status read_to_end(int fd, const char *path, size_t max_bytes, struct buf *b,
			       struct err *e)
{
	uint8_t step[READ_STEP];

	for (;;) {
		ssize_t n = read_retry(fd, step, sizeof(step));

		if (n < 0)
			return err_set_errno(e, ERR_IO, errno, "%s: cannot read", path);
		if (n == 0)
			return OK;
		buf_put(b, step, (size_t)n);
		if (b->failed && !b->no_memory)
			return err_set(e, ERR_LIMIT, "%s: larger than the limit of %zu bytes",
				       path, max_bytes);
		if (b->failed)
			return buf_check(b, path, e);
	}
}

enum status file_read_all(const char *path, size_t max_bytes, struct buf *b, struct err *e)
{
	enum status st;
	int fd;

	buf_init(b, max_bytes);
	fd = open_retry(path, O_RDONLY, 0);
	if (fd < 0)
		return open_error(e, errno, "open for reading", path);
	st = read_to_end(fd, path, max_bytes, b, e);
	close(fd);
	if (st != OK)
		buf_free(b);
	return st;
}

enum status file_in_open(struct file_in *f, const char *path, struct err *e)
{
	struct stat s;

	*f = (struct file_in){.fd = -1, .path = path};
	// O_NONBLOCK: a fifo must not hang the open; regular files do not care.
	f->fd = open_retry(path, O_RDONLY | O_NONBLOCK, 0);
	if (f->fd < 0)
		return open_error(e, errno, "open for reading", path);
	if (fstat(f->fd, &s) != 0) {
		int sys_errno = errno;

		file_in_close(f);
		return err_set_errno(e, ERR_IO, sys_errno, "%s: cannot ask its size", path);
	}
	if (!S_ISREG(s.st_mode)) {
		file_in_close(f);
		return err_set(e, ERR_IO, "%s: not a regular file", path);
	}
	f->size = (uint64_t)s.st_size;
	return OK;
}

static enum status too_short(const struct file_in *f, uint64_t ends_at, uint64_t missing,
			     struct err *e)
{
	enum status st = err_set(
		e, ERR_FORMAT, "%s: ends at byte %llu, %llu more needed: truncated copy?",
		f->path, (unsigned long long)ends_at, (unsigned long long)missing);

	if (e != NULL)
		e->offset = ends_at;
	return st;
}

enum status file_in_read_at(const struct file_in *f, uint64_t offset, void *out,
			    size_t size_bytes, struct err *e)
{
	uint8_t *p = out;
	uint64_t end;
	size_t done = 0;

	if (!u64_add(offset, size_bytes, &end) || end > INT64_MAX)
		return err_set(e, ERR_FORMAT,
			       "%s: no file has %zu bytes at offset %llu: damaged index?",
			       f->path, size_bytes, (unsigned long long)offset);
	if (end > f->size)
		return too_short(f, f->size, end - f->size, e);
	while (done < size_bytes) {
		ssize_t n = pread(f->fd, p + done, size_bytes - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			enum status st =
				err_set_errno(e, ERR_IO, errno, "%s: cannot read at byte %llu",
					      f->path, (unsigned long long)(offset + done));

			if (e != NULL)
				e->offset = offset + done;
			return st;
		}
		if (n == 0) // it shrank since it was opened
			return too_short(f, offset + done, size_bytes - done, e);
		done += (size_t)n;
	}
	return OK;
}

void file_in_close(struct file_in *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

// ---- Locks ---------------------------------------------------------------------------------

#define HOLDER_SIZE 128

static enum status lock_is_held(const struct file_lock *l, struct err *e)
{
	struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char holder[HOLDER_SIZE] = "";
	ssize_t n = pread(l->fd, holder, sizeof(holder) - 1, 0);

	if (n > 0)
		holder[strcspn(holder, "\n")] = '\0';
	else if (fcntl(l->fd, F_GETLK, &other) == 0 && other.l_type != F_UNLCK)
		snprintf(holder, sizeof(holder), "process %ld", (long)other.l_pid);
	return err_set(e, ERR_EXISTS,
		       "%s: in use by %s; let it finish, or end it and go on with --resume",
		       l->path, holder[0] != '\0' ? holder : "another process");
}

// For lock_is_held; the lock does not need it.
static void write_holder(const struct file_lock *l)
{
	char host[64] = "?", text[HOLDER_SIZE];
	int size;

	gethostname(host, sizeof(host) - 1);
	size = snprintf(text, sizeof(text), "process %ld on %s\n", (long)getpid(), host);
	if (ftruncate(l->fd, 0) != 0 || pwrite(l->fd, text, (size_t)size, 0) != size)
		return;
}

static enum status try_lock(struct file_lock *l, bool *stale, struct err *e)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat mine, there;
	enum status st;

	*stale = false;
	l->fd = open_retry(l->path, O_RDWR | O_CREAT, 0666);
	if (l->fd < 0)
		return open_error(e, errno, "open the lock file", l->path);
	if (fcntl(l->fd, F_SETLK, &whole) != 0) {
		st = errno == EACCES || errno == EAGAIN
			     ? lock_is_held(l, e)
			     : err_set_errno(e, ERR_IO, errno, "%s: cannot lock", l->path);
	} else {
		// Its holder may have removed it in between: then it locks nobody out.
		*stale = fstat(l->fd, &mine) != 0 || stat(l->path, &there) != 0 ||
			 mine.st_ino != there.st_ino || mine.st_dev != there.st_dev;
		st = OK;
	}
	if (st != OK || *stale) {
		close(l->fd);
		l->fd = -1;
	}
	return st;
}

enum status file_lock_take(struct file_lock *l, const char *path, struct err *e)
{
	bool stale = true;
	enum status st = OK;

	*l = (struct file_lock){.fd = -1, .path = mem_strdup(path)};
	while (st == OK && stale)
		st = try_lock(l, &stale, e);
	if (st == OK) {
		write_holder(l);
		return OK;
	}
	free(l->path);
	*l = (struct file_lock){.fd = -1};
	return st;
}

void file_lock_release(struct file_lock *l)
{
	if (l->path == NULL)
		return;
	unlink(l->path);
	close(l->fd);
	free(l->path);
	*l = (struct file_lock){.fd = -1};
}

// ---- Writing -------------------------------------------------------------------------------

static enum status exists_error(struct err *e, const char *path)
{
	return err_set(
		e, ERR_EXISTS,
		"%s: exists already (never overwritten; choose another name or remove it)",
		path);
}

// A name that leads nowhere (dangling link) is taken too.
static bool name_is_taken(const char *path)
{
	struct stat s;

	return lstat(path, &s) == 0;
}

char *path_part(const char *path)
{
	size_t size = strlen(path);
	char *part = mem_alloc(size + sizeof(".part"));

	memcpy(part, path, size);
	memcpy(part + size, ".part", sizeof(".part"));
	return part;
}

static enum status open_part(struct file_out *f, const char *path, int flags, struct err *e)
{
	struct stat s;
	enum status st;

	*f = (struct file_out){.fd = -1};
	f->path = mem_strdup(path);
	f->part = path_part(path);
	// A file that is there may be the final one under its other name, when its writer was
	// stopped between link() and unlink(): it is not truncated but makes room.
	if ((flags & O_CREAT) != 0 && lstat(f->part, &s) == 0 && S_ISREG(s.st_mode))
		unlink(f->part);
	f->fd = open_retry(f->part, O_WRONLY | flags, 0666);
	if (f->fd >= 0)
		return OK;
	st = open_error(e, errno, "open for writing", f->part);
	file_out_leave(f);
	return st;
}

enum status file_out_open(struct file_out *f, const char *path, struct err *e)
{
	*f = (struct file_out){.fd = -1};
	if (name_is_taken(path))
		return exists_error(e, path);
	return open_part(f, path, O_CREAT | O_TRUNC, e);
}

enum status file_out_reopen(struct file_out *f, const char *path, uint64_t keep_bytes,
			    struct err *e)
{
	enum status st;

	*f = (struct file_out){.fd = -1};
	if (name_is_taken(path))
		return exists_error(e, path);
	st = open_part(f, path, 0, e);
	if (st != OK)
		return st;
	f->size = keep_bytes;
	if (ftruncate(f->fd, (off_t)keep_bytes) != 0 ||
	    lseek(f->fd, (off_t)keep_bytes, SEEK_SET) < 0) {
		st = err_set_errno(e, ERR_IO, errno, "%s: cannot cut it at byte %llu", f->part,
				   (unsigned long long)keep_bytes);
		file_out_leave(f);
	}
	return st;
}

enum status file_out_replace(struct file_out *f, const char *path, struct err *e)
{
	return open_part(f, path, O_CREAT | O_TRUNC, e);
}

enum status file_out_write(struct file_out *f, const void *data, size_t size_bytes,
			   struct err *e)
{
	const uint8_t *p = data;
	size_t done = 0;

	while (done < size_bytes) {
		ssize_t n = write(f->fd, p + done, size_bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			enum status st =
				err_set_errno(e, ERR_IO, errno, "%s: cannot write at byte %llu",
					      f->path, (unsigned long long)f->size);

			if (e != NULL)
				e->offset = f->size;
			return st;
		}
		done += (size_t)n;
		f->size += (size_t)n;
	}
	return OK;
}

// The rename is durable only once the folder is.
static enum status sync_folder_of(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = mem_strdup(slash == NULL ? "." : path);
	enum status st = OK;
	int fd;

	if (slash != NULL)
		dir[slash == path ? 1 : slash - path] = '\0';
	fd = open_retry(dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		st = err_set_errno(e, ERR_IO, errno, "%s: cannot open the folder to sync it",
				   dir);
	else if (fsync(fd) != 0 &&
		 errno != EINVAL) // EINVAL: this file system has no such thing
		st = err_set_errno(e, ERR_IO, errno, "%s: cannot sync the folder", dir);
	if (fd >= 0)
		close(fd);
	free(dir);
	return st;
}

// rename() replaces silently, link() refuses a taken name at once; file systems without links
// get the check beforehand.
static enum status move_into_place(const struct file_out *f, bool replace, struct err *e)
{
	if (!replace) {
		if (link(f->part, f->path) == 0) {
			unlink(f->part);
			return OK;
		}
		if (errno == EEXIST || name_is_taken(f->path))
			return exists_error(e, f->path);
	}
	if (rename(f->part, f->path) != 0)
		return err_set_errno(e, ERR_IO, errno, "%s: cannot rename to %s", f->part,
				     f->path);
	return OK;
}

enum status file_out_commit(struct file_out *f, bool replace, struct err *e)
{
	enum status st = OK;
	int fd = f->fd;

	assert(fd >= 0 && f->path != NULL && f->part != NULL);
	if (fsync(fd) != 0)
		st = err_set_errno(e, ERR_IO, errno, "%s: cannot sync", f->path);
	f->fd = -1;
	if (close(fd) != 0 && st == OK &&
	    errno != EINTR) // EINTR: closed all the same, and synced before
		st = err_set_errno(e, ERR_IO, errno, "%s: cannot close", f->path);
	if (st == OK)
		st = move_into_place(f, replace, e);
	if (st != OK) {
		file_out_abort(f);
		return st;
	}
	st = sync_folder_of(f->path, e);
	free(f->path);
	free(f->part);
	*f = (struct file_out){.fd = -1};
	return st;
}

void file_out_abort(struct file_out *f)
{
	if (f->part != NULL)
		unlink(f->part);
	file_out_leave(f);
}

void file_out_leave(struct file_out *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f->part);
	*f = (struct file_out){.fd = -1};
}

enum status file_write_all(const char *path, const void *data, size_t size_bytes, bool replace,
			   struct err *e)
{
	struct file_out f;
	enum status st = replace ? open_part(&f, path, O_CREAT | O_TRUNC, e)
				 : file_out_open(&f, path, e);

	if (st != OK)
		return st;
	st = file_out_write(&f, data, size_bytes, e);
	if (st != OK) {
		file_out_abort(&f);
		return st;
	}
	return file_out_commit(&f, replace, e);
}

bool file_exists(const char *path)
{
	struct stat s;

	return stat(path, &s) == 0;
}

enum status file_make_dir(const char *path, struct err *e)
{
	size_t size = strlen(path);
	struct stat s;
	bool is_new = mkdir(path, 0777) == 0;
	int sys_errno = errno;
	char *plain;
	enum status st;

	if (!is_new && stat(path, &s) == 0)
		return S_ISDIR(s.st_mode)
			       ? OK
			       : err_set(e, ERR_EXISTS,
					 "%s: exists already and is not a folder", path);
	if (!is_new && sys_errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND,
			       "%s: the folder that it shall be in does not exist; make that "
			       "first (mkdir -p)",
			       path);
	if (!is_new)
		return open_error(e, sys_errno, "make the folder", path);
	plain = mem_strdup(path);
	while (size > 1 && plain[size - 1] == '/')
		plain[--size] = '\0';
	st = sync_folder_of(plain, e);
	free(plain);
	return st;
}

enum status file_list_dir(const char *path,
			  enum status (*entry)(void *ctx, const char *name, struct err *e),
			  void *ctx, struct err *e)
{
	DIR *dir = opendir(path);
	const struct dirent *found;
	enum status st = OK;

	if (dir == NULL)
		return open_error(e, errno, "list the folder", path);
	while (st == OK) {
		errno = 0;
		found = readdir(dir);
		if (found == NULL) {
			if (errno != 0)
				st = err_set_errno(e, ERR_IO, errno,
						   "%s: cannot list the folder", path);
			break;
		}
		if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
			st = entry(ctx, found->d_name, e);
	}
	closedir(dir);
	return st;
}

static enum status entry_is_there(void *ctx, const char *name, struct err *e)
{
	(void)name;
	(void)e;
	*(bool *)ctx = false;
	return OK;
}

enum status file_dir_is_empty(const char *path, bool *empty, struct err *e)
{
	*empty = true;
	return file_list_dir(path, entry_is_there, empty, e);
}

void file_remove(const char *path)
{
	(void)unlink(path);
}

void file_remove_empty_dir(const char *path)
{
	(void)rmdir(path);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum status file_list(const char *dir, const char *begin, const char *end, char ***names,
		      size_t *count, struct err *e)
{
	size_t begin_size = strlen(begin), end_size = strlen(end), capacity = 0;
	DIR *d = opendir(dir);
	const struct dirent *entry;
	int sys_errno;

	*names = NULL;
	*count = 0;
	if (d == NULL)
		return open_error(e, errno, "list the folder", dir);
	while (errno = 0, (entry = readdir(d)) != NULL) {
		size_t size = strlen(entry->d_name);

		if (size < begin_size + end_size ||
		    strncmp(entry->d_name, begin, begin_size) != 0 ||
		    strcmp(entry->d_name + size - end_size, end) != 0)
			continue;
		if (*count == capacity) {
			capacity = capacity == 0 ? 16 : 2 * capacity;
			*names = mem_realloc(*names, capacity, sizeof(**names));
		}
		(*names)[(*count)++] = mem_strdup(entry->d_name);
	}
	sys_errno = errno;
	closedir(d);
	if (*count > 1)
		qsort(*names, *count, sizeof(**names), compare_names);
	if (sys_errno == 0)
		return OK;
	file_list_free(*names, *count);
	*names = NULL;
	*count = 0;
	return err_set_errno(e, ERR_IO, sys_errno, "%s: cannot list the folder", dir);
}

void file_list_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

enum status file_move(const char *from, const char *to, struct err *e)
{
	if (rename(from, to) != 0)
		return err_set_errno(e, ERR_IO, errno, "%s: cannot rename to %s", from, to);
	return sync_folder_of(to, e);
}

char *path_join(const char *dir, const char *name)
{
	size_t dir_size = strlen(dir), name_size = strlen(name);
	bool slash = dir_size > 0 && dir[dir_size - 1] != '/';
	char *path = mem_alloc(dir_size + slash + name_size + 1);

	memcpy(path, dir, dir_size);
	if (slash)
		path[dir_size] = '/';
	memcpy(path + dir_size + slash, name, name_size + 1);
	return path;
}

enum status file_free_bytes(const char *dir, uint64_t *out, struct err *e)
{
	struct statvfs s;

	if (statvfs(dir, &s) != 0)
		return open_error(e, errno, "ask the free space", dir);
	if (!u64_mul(s.f_bavail, s.f_frsize, out))
		*out = UINT64_MAX;
	return OK;
}
