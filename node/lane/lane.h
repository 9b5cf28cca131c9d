/* What the files of the lane share: the hot path of a worker with fewer system calls and fewer objects.
 *
 * Python decides everything (tables, limits, who is exempt); C repeats what Python would do for plain questions only, and
 * hands everything else back untouched. node/lane/README.md says what belongs here.
 */
#ifndef BIAOJIE_LANE_H
#define BIAOJIE_LANE_H

#define PY_SSIZE_T_CLEAN
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* table.c: constant look-ups made from Python dictionaries of equally long bytes */

typedef struct {
    uint32_t keys[2048], values[2048];
    bool used[2048];
} Table;

int table_fill(Table *table, PyObject *pairs, Py_ssize_t key_bytes, Py_ssize_t offset);
bool table_find(const Table *table, uint32_t key, uint32_t *value);

/* question.c: the two ends of the hot path (the rules are those of protocols/handle/fast.py) */

enum { HANDLE_OFFSET = 48, TAIL_BYTES = 12, SDK_TAIL_BYTES = 16, CREDENTIAL_BYTES = 4 };

typedef struct {
    Table versions;     /* bytes 0-3 of a question -> of its answer */
    Table operations;   /* op flags of a question -> of its answer */
    Table remembered;   /* the same where a cache may answer */
    Py_ssize_t most_bytes;
} Words;

typedef struct {
    const uint8_t *handle;
    uint32_t handle_bytes;
    uint32_t version, flags; /* of the answer, as they lie */
    const uint8_t *message;
} Question;

int words_fill(Words *words, PyObject *versions, PyObject *operations, PyObject *remembered,
               Py_ssize_t most_bytes);
bool question_read(const Words *words, const uint8_t *message, Py_ssize_t size, Question *question);
bool question_may_be_remembered(const Words *words, Question *question);
Py_ssize_t answer_bytes(const Question *question, Py_ssize_t public_bytes);
void answer_write(uint8_t *to, const Question *question, const uint8_t *public_,
                  Py_ssize_t public_bytes, uint16_t serial, uint32_t expiration_s);

/* memo.c: what was looked up in the present snapshot */

typedef struct Memo Memo;

uint64_t memo_hash(const Memo *memo, const uint8_t *spelling, Py_ssize_t size);
void memo_prefetch(const Memo *memo, uint64_t hash);
bool memo_find(Memo *memo, uint64_t hash, const uint8_t *spelling, Py_ssize_t size, uint64_t snapshot,
               const uint8_t **public_, Py_ssize_t *public_bytes);
void memo_keep(Memo *memo, uint64_t hash, const uint8_t *spelling, Py_ssize_t size, uint64_t snapshot,
               const uint8_t *public_, Py_ssize_t public_bytes);

/* look_up.c: the public values of a stored record */

typedef struct {
    PyObject *hosted;     /* dict: folded prefix -> (first bytes of the key, is folding) */
    PyObject *get;        /* the store's snapshot: key -> stored form or None */
    uint64_t snapshot;    /* its number */
    Memo *memo;           /* or NULL */
    PyObject *remembered; /* (spelling, now) -> public values another node told, or None */
    double now_s;
    uint16_t serial;
    uint32_t expiration_s;
    uint8_t prefix[64]; /* the last one looked up and where it lies: bursts ask for few */
    Py_ssize_t prefix_bytes;
    PyObject *place;
} View;

typedef enum { FOUND, ABSENT, OTHER, FAILED } Found;

Found look_up(View *view, const Question *question, uint64_t hash, PyObject **owner,
              const uint8_t **public_, Py_ssize_t *public_bytes);
Found look_up_remembered(View *view, const Question *question, PyObject **owner,
                         const uint8_t **public_, Py_ssize_t *public_bytes);
int view_read(PyObject *const *args, Py_ssize_t count, Memo *memo, View *view);
int memo_read(PyObject *memo, Memo **to);

/* sources.c: what is known of who asks; a token bucket for each */

enum { SOURCE_IS_FREE = 1, SOURCE_MAY_RECURSE = 2, SOURCE_IS_PROVEN = 4 };

typedef struct Sources Sources;

Sources *sources_new(double rate_per_s, double burst, uint32_t most, uint64_t secret);
void sources_free(Sources *sources);
/* The flags that `ask` (a callable: host -> int) gave, -1 when the source is over its rate, -2 when `ask` raised. */
int sources_take(Sources *sources, const struct sockaddr_storage *address, PyObject *ask,
                 double now_s);
PyObject *address_tuple(const struct sockaddr_storage *address);

extern PyTypeObject UdpType, StreamsType, MemoType;

#endif
