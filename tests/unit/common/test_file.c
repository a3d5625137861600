// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/file in a scratch folder of their own: whole or absent, full disk, taken
// names, cut files.
#include "tests/unit/common/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/file.h"

static int enter_scratch(void **state)
{
	char name[] = "test_file.XXXXXX";
	const char *tmp = getenv("TMPDIR");

	if (chdir(tmp != NULL ? tmp : "/tmp") != 0 || mkdtemp(name) == NULL || chdir(name) != 0)
		return -1;
	*state = mem_strdup(name);
	return 0;
}

static int leave_scratch(void **state)
{
	int rc = chdir("..");

	rc |= rmdir(*state); // fails when a test left something
	free(*state);
	return rc;
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void assert_file(const char *path, const char *text)
{
	struct err e = {0};
	struct buf b;

	assert_ok(file_read_all(path, 1000, &b, &e), e);
	assert_int_equal(b.size, strlen(text));
	if (b.size > 0)
		assert_memory_equal(b.data, text, b.size);
	buf_free(&b);
}

static void test_read_all(void **state)
{
	struct err e = {0};
	struct buf b;

	(void)state;
	put_file("a", "12345");
	assert_ok(file_read_all("a", 5, &b, &e), e);
	assert_int_equal(b.size, 5);
	assert_memory_equal(b.data, "12345", 5);
	buf_free(&b);
	assert_fails(file_read_all("a", 4, &b, &e), e, ERR_LIMIT,
		     "a: larger than the limit of 4 bytes");
	assert_null(b.data);
	buf_free(&b);
	assert_fails(file_read_all("none", 4, &b, &e), e, ERR_NOT_FOUND,
		     "none: cannot open for reading: No such file or directory");
	assert_int_equal(e.sys_errno, ENOENT);
	assert_fails(file_read_all("a/b", 4, &b, &e), e, ERR_NOT_FOUND,
		     "a/b: cannot open for reading: Not a directory");
	assert_fails(file_read_all(".", 4, &b, &e), e, ERR_IO,
		     ".: cannot read: Is a directory");
	put_file("a", "");
	assert_file("a", "");
	unlink("a");
}

// Larger than one read step, and of a file that does not know its size.
static void test_read_all_long(void **state)
{
	struct err e = {0};
	struct file_out out;
	struct buf b;
	size_t i;

	(void)state;
	assert_ok(file_out_open(&out, "long", &e), e);
	for (i = 0; i < 50000; i++) {
		uint8_t le[4];

		store_le32(le, (uint32_t)i);
		assert_ok(file_out_write(&out, le, sizeof(le), &e), e);
	}
	assert_true(out.size == 200000);
	assert_ok(file_out_commit(&out, false, &e), e);
	assert_ok(file_read_all("long", MIB, &b, &e), e);
	assert_int_equal(b.size, 200000);
	for (i = 0; i < 50000; i++)
		assert_int_equal(load_le32(b.data + 4 * i), i);
	buf_free(&b);
	unlink("long");
	if (file_exists("/proc/self/status")) {
		assert_ok(file_read_all("/proc/self/status", MIB, &b, &e), e);
		assert_true(b.size > 10);
		buf_free(&b);
	}
}

static void test_file_in(void **state)
{
	struct err e = {0};
	struct file_in f;
	char out[8] = "";

	(void)state;
	put_file("in", "0123456789");
	assert_ok(file_in_open(&f, "in", &e), e);
	assert_true(f.size == 10);
	assert_ok(file_in_read_at(&f, 3, out, 4, &e), e);
	assert_memory_equal(out, "3456", 4);
	assert_ok(file_in_read_at(&f, 10, out, 0, &e), e);
	assert_fails(file_in_read_at(&f, 8, out, 5, &e), e, ERR_FORMAT,
		     "in: ends at byte 10, 3 more needed: truncated copy?");
	assert_true(e.offset == 10);
	assert_int_equal(file_in_read_at(&f, UINT64_MAX, out, 5, &e), ERR_FORMAT);
	assert_string_equal(
		e.text,
		"in: no file has 5 bytes at offset 18446744073709551615: damaged index?");
	// shrinks after the open
	assert_int_equal(truncate("in", 5), 0);
	assert_fails(file_in_read_at(&f, 3, out, 4, &e), e, ERR_FORMAT,
		     "in: ends at byte 5, 2 more needed: truncated copy?");
	assert_true(e.offset == 5);
	assert_int_equal(file_in_read_at(&f, 3, out, 4, NULL), ERR_FORMAT);
	file_in_close(&f);
	file_in_close(&f);
	assert_int_equal(f.fd, -1);
	unlink("in");

	assert_fails(file_in_open(&f, "in", &e), e, ERR_NOT_FOUND,
		     "in: cannot open for reading: No such file or directory");
	assert_int_equal(f.fd, -1);
	assert_fails(file_in_open(&f, ".", &e), e, ERR_IO, ".: not a regular file");
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_fails(file_in_open(&f, "pipe", &e), e, ERR_IO, "pipe: not a regular file");
	unlink("pipe");
}

static void test_whole_or_absent(void **state)
{
	struct err e = {0};
	struct file_out f;

	(void)state;
	assert_ok(file_out_open(&f, "./out", &e), e);
	assert_ok(file_out_write(&f, "half", 4, &e), e);
	assert_false(file_exists("out"));
	assert_file("out.part", "half");
	file_out_abort(&f);
	assert_false(file_exists("out"));
	assert_false(file_exists("out.part"));
	file_out_abort(&f); // null state

	put_file("out.part", "left over by a run that was cut off");
	assert_ok(file_out_open(&f, "./out", &e), e);
	assert_ok(file_out_write(&f, "who", 3, &e), e);
	assert_ok(file_out_write(&f, "le", 2, &e), e);
	assert_true(f.size == 5);
	assert_ok(file_out_commit(&f, false, &e), e);
	assert_int_equal(f.fd, -1);
	assert_null(f.path);
	assert_file("out", "whole");
	assert_false(file_exists("out.part"));
	file_out_abort(&f);
	assert_file("out", "whole");
	unlink("out");
}

static void test_left_and_reopened(void **state)
{
	struct err e = {0};
	struct file_out f;

	(void)state;
	assert_ok(file_out_open(&f, "out", &e), e);
	assert_ok(file_out_write(&f, "good, bad", 9, &e), e);
	file_out_leave(&f);
	file_out_leave(&f); // null state
	assert_file("out.part", "good, bad");
	assert_ok(file_out_reopen(&f, "out", 4, &e), e);
	assert_true(f.size == 4);
	assert_ok(file_out_write(&f, "!", 1, &e), e);
	assert_ok(file_out_commit(&f, false, &e), e);
	assert_file("out", "good!");
	assert_int_equal(file_out_reopen(&f, "out", 0, &e), ERR_EXISTS);

	// Its writer was stopped between link() and unlink(): the .part is the same file.
	assert_int_equal(link("out", "out.part"), 0);
	assert_ok(file_write_all("out", "new", 3, true, &e), e);
	assert_file("out", "new");
	assert_int_equal(link("out", "out.part"), 0);
	assert_ok(file_out_replace(&f, "out", &e), e);
	assert_file("out", "new");
	file_out_abort(&f);
	unlink("out");
	assert_fails(file_out_reopen(&f, "out", 0, &e), e, ERR_NOT_FOUND,
		     "out.part: cannot open for writing: No such file or directory");
}

// What another process gets when it asks for the lock: 'o' for OK, 'h' for held by parent.
static char other_process_asks(pid_t parent)
{
	char answer = 0, want[64];
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		struct file_lock l = {0};
		struct err e = {0};
		enum status s = file_lock_take(&l, "lock", &e);

		snprintf(want, sizeof(want), "lock: in use by process %ld on ", (long)parent);
		answer = s == OK					     ? 'o'
			 : s == ERR_EXISTS && strstr(e.text, want) == e.text ? 'h'
									     : '?';
		if (write(ends[1], &answer, 1) != 1)
			_exit(1);
		_exit(0); // without a release: the lock ends with the process
	}
	assert_true(pid > 0);
	assert_int_equal(read(ends[0], &answer, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ends[0]);
	close(ends[1]);
	return answer;
}

static void test_lock(void **state)
{
	struct file_lock l = {0};
	struct err e = {0};

	(void)state;
	file_lock_release(&l); // null state
	assert_int_equal(other_process_asks(getpid()), 'o');
	assert_true(file_exists("lock")); // stale, and no obstacle
	assert_ok(file_lock_take(&l, "lock", &e), e);
	assert_int_equal(other_process_asks(getpid()), 'h');
	file_lock_release(&l);
	assert_false(file_exists("lock"));
	assert_int_equal(other_process_asks(getpid()), 'o');
	unlink("lock");
	assert_fails(file_lock_take(&l, "no/lock", &e), e, ERR_NOT_FOUND,
		     "no/lock: cannot open the lock file: No such file or directory");
}

static void test_taken_names(void **state)
{
	static const char taken[] =
		"out: exists already (never overwritten; choose another name or remove it)";
	struct err e = {0};
	struct file_out f;

	(void)state;
	put_file("out", "old");
	assert_fails(file_out_open(&f, "out", &e), e, ERR_EXISTS, taken);
	file_out_abort(&f);
	assert_false(file_exists("out.part"));
	unlink("out");

	// taken between open and commit: refused, or replaced when asked for
	assert_ok(file_out_open(&f, "out", &e), e);
	put_file("out", "other");
	assert_fails(file_out_commit(&f, false, &e), e, ERR_EXISTS, taken);
	assert_int_equal(f.fd, -1);
	assert_file("out", "other");
	assert_false(file_exists("out.part"));
	unlink("out");
	assert_ok(file_out_open(&f, "out", &e), e);
	assert_ok(file_out_write(&f, "mine", 4, &e), e);
	put_file("out", "other");
	assert_ok(file_out_commit(&f, true, &e), e);
	assert_file("out", "mine");
	unlink("out");

	assert_int_equal(symlink("nowhere", "out"), 0); // a name that leads nowhere is taken
	assert_fails(file_out_open(&f, "out", &e), e, ERR_EXISTS, taken);
	unlink("out");

	assert_fails(file_out_open(&f, "no/out", &e), e, ERR_NOT_FOUND,
		     "no/out.part: cannot open for writing: No such file or directory");
	file_out_abort(&f);
}

// The .part leads to /dev/full, where every write fails as on a full disk.
static void test_full_disk(void **state)
{
	struct err e = {0};
	struct file_out f;

	(void)state;
	if (!file_exists("/dev/full"))
		skip();
	assert_int_equal(symlink("/dev/full", "out.part"), 0);
	assert_ok(file_out_open(&f, "out", &e), e);
	assert_fails(file_out_write(&f, "x", 1, &e), e, ERR_IO,
		     "out: cannot write at byte 0: No space left on device");
	assert_int_equal(e.sys_errno, ENOSPC);
	assert_true(e.offset == 0 && f.size == 0);
	file_out_abort(&f);
	assert_false(file_exists("out"));
	assert_false(file_exists("out.part"));

	assert_int_equal(symlink("/dev/full", "out.part"), 0);
	assert_fails(file_write_all("out", "x", 1, true, &e), e, ERR_IO,
		     "out: cannot write at byte 0: No space left on device");
	assert_false(file_exists("out"));
	assert_false(file_exists("out.part"));
	assert_true(file_exists("/dev/full"));

	// a sync that fails (EINVAL here) leaves nothing in place either
	assert_int_equal(symlink("/dev/full", "out.part"), 0);
	assert_ok(file_out_open(&f, "out", &e), e);
	assert_fails(file_out_commit(&f, false, &e), e, ERR_IO,
		     "out: cannot sync: Invalid argument");
	assert_int_equal(f.fd, -1);
	assert_false(file_exists("out"));
	assert_false(file_exists("out.part"));
}

static void test_commit_rename_fails(void **state)
{
	struct err e = {0};
	struct file_out f;

	(void)state;
	assert_ok(file_out_open(&f, "out", &e), e);
	assert_int_equal(mkdir("out", 0700), 0);
	assert_fails(file_out_commit(&f, true, &e), e, ERR_IO,
		     "out.part: cannot rename to out: Is a directory");
	assert_false(file_exists("out.part"));
	assert_int_equal(rmdir("out"), 0);
}

static void test_write_all(void **state)
{
	struct err e = {0};

	(void)state;
	assert_ok(file_write_all("w", "one", 3, false, &e), e);
	assert_file("w", "one");
	assert_fails(file_write_all("w", "two", 3, false, &e), e, ERR_EXISTS,
		     "w: exists already (never overwritten; choose another name or remove it)");
	assert_file("w", "one");
	assert_ok(file_write_all("w", "", 0, true, &e), e);
	assert_file("w", "");
	unlink("w");
	assert_ok(file_write_all("w", "new", 3, true, &e), e); // nothing to replace is fine
	assert_file("w", "new");
	assert_false(file_exists("w.part"));
	unlink("w");
}

static void test_folders(void **state)
{
	struct err e = {0};
	uint64_t bytes = 0;
	bool empty = false;

	(void)state;
	assert_ok(file_make_dir("d", &e), e);
	assert_ok(file_make_dir("d", &e), e);
	assert_ok(file_dir_is_empty("d", &empty, &e), e);
	assert_true(empty);
	put_file("d/.hidden", "");
	assert_ok(file_dir_is_empty("d", &empty, &e), e);
	assert_false(empty);
	assert_fails(file_make_dir("d/.hidden", &e), e, ERR_EXISTS,
		     "d/.hidden: exists already and is not a folder");
	assert_fails(file_make_dir("x/y", &e), e, ERR_NOT_FOUND,
		     "x/y: the folder that it shall be in does not exist; make that first "
		     "(mkdir -p)");
	assert_fails(file_dir_is_empty("x", &empty, &e), e, ERR_NOT_FOUND,
		     "x: cannot list the folder: No such file or directory");
	assert_ok(file_free_bytes("d", &bytes, &e), e);
	assert_fails(file_free_bytes("x", &bytes, &e), e, ERR_NOT_FOUND,
		     "x: cannot ask the free space: No such file or directory");
	unlink("d/.hidden");
	rmdir("d");
}

static void test_path_join(void **state)
{
	static const char *const cases[][3] = {
		{"a", "b", "a/b"},
		{"a/", "b", "a/b"},
		{"/", "b", "/b"},
		{"", "b", "b"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		char *path = path_join(cases[i][0], cases[i][1]);

		assert_string_equal(path, cases[i][2]);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_all),
		cmocka_unit_test(test_read_all_long),
		cmocka_unit_test(test_file_in),
		cmocka_unit_test(test_whole_or_absent),
		cmocka_unit_test(test_left_and_reopened),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_taken_names),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_commit_rename_fails),
		cmocka_unit_test(test_write_all),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_path_join),
	};

	return cmocka_run_group_tests_name("file", tests, enter_scratch, leave_scratch);
}
