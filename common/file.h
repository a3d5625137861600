// SPDX-License-Identifier: Apache-2.0
// The only file calls of the common layer: whole reads, exact reads at an offset, and writers
// that are whole or absent: written beside their place as NAME.part, synced, renamed, folder
// synced.
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include "common/buf.h"

// Reads a whole file of at most max_bytes into b (initialised here; caller frees).
// ERR_NOT_FOUND, ERR_IO, ERR_LIMIT.
enum status file_read_all(const char *path, size_t max_bytes, struct buf *b,
			  struct err *e) MUST_CHECK;

struct file_in {
	int fd; // -1: closed
	uint64_t size;
	const char *path; // borrowed
};

enum status file_in_open(struct file_in *f, const char *path, struct err *e) MUST_CHECK;
// Exactly size_bytes at offset, else ERR_FORMAT ("ends at byte N, M more needed: truncated
// copy?").
enum status file_in_read_at(const struct file_in *f, uint64_t offset, void *out,
			    size_t size_bytes, struct err *e) MUST_CHECK;
void file_in_close(struct file_in *f);

// A lock file, held by a write lock of the process on all of it; ends with the process, however
// that ends. Works between machines where the file system's locks do. Null state: path NULL.
struct file_lock {
	int fd;
	char *path; // owned
};

// Creates path when missing. ERR_EXISTS names the process that holds it ("process 123 on
// HOST").
enum status file_lock_take(struct file_lock *l, const char *path, struct err *e) MUST_CHECK;
// Removes the file, then lets go; safe on the null state.
void file_lock_release(struct file_lock *l);

// Sequential writer. Null state: fd -1.
struct file_out {
	int fd;
	uint64_t size; // bytes written
	char *path;    // owned: final name
	char *part;    // owned: NAME.part
};

// ERR_EXISTS when the final name exists. An old .part is removed.
enum status file_out_open(struct file_out *f, const char *path, struct err *e) MUST_CHECK;
// The same, but the final name may be taken: for file_out_commit with replace.
enum status file_out_replace(struct file_out *f, const char *path, struct err *e) MUST_CHECK;
// Goes on behind the first keep_bytes of an old .part; the rest of it is cut off.
enum status file_out_reopen(struct file_out *f, const char *path, uint64_t keep_bytes,
			    struct err *e) MUST_CHECK;
enum status file_out_write(struct file_out *f, const void *data, size_t size_bytes,
			   struct err *e) MUST_CHECK;
// fsync, close, rename to the final name (replace: allow an existing one), fsync of the folder.
// The struct is closed either way.
enum status file_out_commit(struct file_out *f, bool replace, struct err *e) MUST_CHECK;
void file_out_abort(struct file_out *f); // closes and removes the .part; safe on the null state
void file_out_leave(struct file_out *f); // closes and leaves the .part; safe on the null state
// Writes data whole under path, replacing atomically when replace, else ERR_EXISTS.
enum status file_write_all(const char *path, const void *data, size_t size_bytes, bool replace,
			   struct err *e) MUST_CHECK;

bool file_exists(const char *path);
// One level, durable; OK when it is a folder already.
enum status file_make_dir(const char *path, struct err *e) MUST_CHECK;
enum status file_dir_is_empty(const char *path, bool *empty, struct err *e) MUST_CHECK;
// Names in dir that begin and end so, sorted; heap, caller frees with file_list_free.
enum status file_list(const char *dir, const char *begin, const char *end, char ***names,
		      size_t *count, struct err *e) MUST_CHECK;
void file_list_free(char **names, size_t count);
// Renames within a file system, replacing silently, and syncs the folder of `to`.
enum status file_move(const char *from, const char *to, struct err *e) MUST_CHECK;
// Calls entry for every name in the folder but "." and "..", in no order, until one fails.
enum status file_list_dir(const char *path,
			  enum status (*entry)(void *ctx, const char *name, struct err *e),
			  void *ctx, struct err *e) MUST_CHECK;
void file_remove(const char *path);	      // a tidy-up: what cannot be removed stays
void file_remove_empty_dir(const char *path); // the same
// "dir/name"; heap, caller frees.
char *path_join(const char *dir, const char *name);
// "path.part": where a file of that final name is written; heap, caller frees.
char *path_part(const char *path);
enum status file_free_bytes(const char *dir, uint64_t *out, struct err *e) MUST_CHECK;

#endif
