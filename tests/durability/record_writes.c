/* Preloaded into a registrar process: writes down everything that reaches the store's file, and when it became durable.
 *
 * Journal entry (little-endian): u64 time_ns (CLOCK_MONOTONIC, taken after the call), u8 kind, u64 offset, u32 length, bytes.
 * Kinds: 'W' a write that only the page cache has, 'D' a write through a descriptor with O_DSYNC (durable when it returns),
 * 'S' an fdatasync or fsync (every 'W' before it is durable). Only the file named data.mdb counts.
 *
 * RECORD_WRITES names the journal. WITHOUT_SYNC=1 turns every sync into nothing and hides O_DSYNC: the build
 * that a durability test must catch.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
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
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_close)(int);

__attribute__((constructor)) static void start(void) {
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_close = dlsym(RTLD_NEXT, "close");
    const char *path = getenv("RECORD_WRITES");
    without_sync = getenv("WITHOUT_SYNC") != NULL;
    if (path) journal = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int counts(int fd) {
    if (journal < 0 || fd < 0 || fd >= MAX_FDS) return 0;
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

static void note(char kind, uint64_t offset, const struct iovec *parts, int count, size_t length) {
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
    ssize_t size = real_pwritev(fd, parts, count, offset);
    if (size > 0 && counts(fd)) note(kind_of(fd), (uint64_t)offset, parts, count, (size_t)size);
    return size;
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return pwritev64(fd, parts, count, offset); }

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    ssize_t size = real_pwrite(fd, data, length, offset);
    struct iovec part = {(void *)data, length};
    if (size > 0 && counts(fd)) note(kind_of(fd), (uint64_t)offset, &part, 1, (size_t)size);
    return size;
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    off_t offset = counts(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t size = real_writev(fd, parts, count);
    if (size > 0 && counts(fd)) note(kind_of(fd), (uint64_t)offset, parts, count, (size_t)size);
    return size;
}
ssize_t write(int fd, const void *data, size_t length) {
    off_t offset = counts(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t size = real_write(fd, data, length);
    struct iovec part = {(void *)data, length};
    if (size > 0 && counts(fd)) note(kind_of(fd), (uint64_t)offset, &part, 1, (size_t)size);
    return size;
}

int fdatasync(int fd) {
    if (!counts(fd)) return real_fdatasync(fd);
    if (without_sync) return 0;
    int result = real_fdatasync(fd);
    if (result == 0) note('S', 0, NULL, 0, 0);
    return result;
}
int fsync(int fd) {
    if (!counts(fd)) return real_fsync(fd);
    if (without_sync) return 0;
    int result = real_fsync(fd);
    if (result == 0) note('S', 0, NULL, 0, 0);
    return result;
}

int close(int fd) {
    if (fd >= 0 && fd < MAX_FDS) is_store[fd] = 0;
    return real_close(fd);
}
