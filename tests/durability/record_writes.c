/* Preloaded into a registrar process: writes down everything that reaches the store's file, and when it became durable.
 *
 * Journal entry (little-endian): u64 time_ns (CLOCK_MONOTONIC, taken after the call), u8 kind, u64 offset, u32 length, bytes.
 * Kinds: 'W' a write that only the page cache has, 'D' a write through a descriptor with O_DSYNC (durable when it returns),
 * 'S' an fdatasync or fsync (every 'W' before it is durable). Only the file named data.mdb counts.
 *
 * RECORD_WRITES names the journal. WITHOUT_SYNC=1 turns every sync into nothing and hides O_DSYNC: the build
 * that a durability test must catch.
 *
 * Faults, each at the n-th call (from 1) on data.mdb; 0 or unset = never:
 *   KILL_BEFORE_CALL, KILL_AFTER_CALL   SIGKILL to the process itself around the n-th call, writes and syncs counted together
 *   FAIL_SYNC_AT                        the n-th sync fails with FAIL_ERRNO (default EIO) and flushes nothing
 *   FAIL_WRITE_AT                       the n-th write fails with FAIL_ERRNO and writes nothing
 *   FAIL_DIRECT_AT                      the same, counting only writes through O_DSYNC: LMDB's meta page, which makes a
 *                                       transaction count
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FDS = 1024 };
static signed char is_store[MAX_FDS]; /* 0 unknown, 1 yes, -1 no; reset by open */
static int journal = -1;
static int without_sync;
static long kill_before, kill_after, fail_sync_at, fail_write_at, fail_direct_at;
static int fail_errno;
static long calls, syncs, writes, directs; /* on data.mdb so far; the store has one writing thread */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_close)(int);

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

__attribute__((constructor)) static void start(void) {
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_close = dlsym(RTLD_NEXT, "close");
    kill_before = number("KILL_BEFORE_CALL", 0), kill_after = number("KILL_AFTER_CALL", 0);
    fail_sync_at = number("FAIL_SYNC_AT", 0), fail_write_at = number("FAIL_WRITE_AT", 0);
    fail_direct_at = number("FAIL_DIRECT_AT", 0);
    fail_errno = (int)number("FAIL_ERRNO", EIO);
    const char *path = getenv("RECORD_WRITES");
    without_sync = getenv("WITHOUT_SYNC") != NULL;
    if (path) journal = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int counts(int fd) {
    if (fd < 0 || fd >= MAX_FDS) return 0;
    if (is_store[fd] == 0) {
        char link[64], path[4096];
        strcpy(link, "/proc/self/fd/");
        char digits[12];
        int n = 0, rest = fd;
        do digits[n++] = (char)('0' + rest % 10); while (rest /= 10);
        char *at = link + strlen(link);
        while (n) *at++ = digits[--n];
        *at = 0;
        ssize_t size = readlink(link, path, sizeof path - 1);
        path[size < 0 ? 0 : size] = 0;
        const char *name = strrchr(path, '/');
        is_store[fd] = name && strcmp(name, "/data.mdb") == 0 ? 1 : -1;
    }
    return is_store[fd] == 1;
}

/* Before a call on the store's file; nonzero = the call fails instead, errno is set. */
static int begin(int fd, int is_sync) {
    if (++calls == kill_before) kill(getpid(), SIGKILL);
    int fails = is_sync ? ++syncs == fail_sync_at : ++writes == fail_write_at;
    if (!is_sync && (fcntl(fd, F_GETFL) & O_DSYNC) && ++directs == fail_direct_at) fails = 1;
    if (fails) errno = fail_errno;
    return fails;
}
static void end(void) {
    if (calls == kill_after) kill(getpid(), SIGKILL);
}

static void note(char kind, uint64_t offset, const struct iovec *parts, int count, size_t length) {
    if (journal < 0) return;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    uint32_t size = (uint32_t)length;
    char *entry = malloc(21 + length), *at = entry;
    if (!entry) abort();
    memcpy(at, &time_ns, 8), at += 8;
    *at++ = kind;
    memcpy(at, &offset, 8), at += 8;
    memcpy(at, &size, 4), at += 4;
    for (int i = 0; i < count && length; i++) {
        size_t part = parts[i].iov_len < length ? parts[i].iov_len : length;
        memcpy(at, parts[i].iov_base, part), at += part, length -= part;
    }
    pthread_mutex_lock(&lock);
    if (real_write(journal, entry, (size_t)(at - entry)) != at - entry) abort();
    pthread_mutex_unlock(&lock);
    free(entry);
}

static char kind_of(int fd) { return !without_sync && (fcntl(fd, F_GETFL) & O_DSYNC) ? 'D' : 'W'; }

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    if (!counts(fd)) return real_pwritev(fd, parts, count, offset);
    if (begin(fd, 0)) return -1;
    ssize_t size = real_pwritev(fd, parts, count, offset);
    if (size > 0) note(kind_of(fd), (uint64_t)offset, parts, count, (size_t)size);
    end();
    return size;
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return pwritev64(fd, parts, count, offset); }

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    if (!counts(fd)) return real_pwrite(fd, data, length, offset);
    if (begin(fd, 0)) return -1;
    ssize_t size = real_pwrite(fd, data, length, offset);
    struct iovec part = {(void *)data, length};
    if (size > 0) note(kind_of(fd), (uint64_t)offset, &part, 1, (size_t)size);
    end();
    return size;
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!counts(fd)) return real_writev(fd, parts, count);
    if (begin(fd, 0)) return -1;
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t size = real_writev(fd, parts, count);
    if (size > 0) note(kind_of(fd), (uint64_t)offset, parts, count, (size_t)size);
    end();
    return size;
}
ssize_t write(int fd, const void *data, size_t length) {
    if (!counts(fd)) return real_write(fd, data, length);
    if (begin(fd, 0)) return -1;
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t size = real_write(fd, data, length);
    struct iovec part = {(void *)data, length};
    if (size > 0) note(kind_of(fd), (uint64_t)offset, &part, 1, (size_t)size);
    end();
    return size;
}

static int sync_with(int (*real)(int), int fd) {
    if (!counts(fd)) return real(fd);
    if (begin(fd, 1)) return -1;
    int result = without_sync ? 0 : real(fd);
    if (result == 0 && !without_sync) note('S', 0, NULL, 0, 0);
    end();
    return result;
}
int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }
int fsync(int fd) { return sync_with(real_fsync, fd); }

int close(int fd) {
    if (fd >= 0 && fd < MAX_FDS) is_store[fd] = 0;
    return real_close(fd);
}
