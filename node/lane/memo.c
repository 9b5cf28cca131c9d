/* Memo: public values by spelling, for as long as the store's snapshot is the one they were looked up in.
 *
 * A look-up in the store touches four pages that are in nobody's cache; a memo touches two lines. It needs no word from the
 * feed: an entry carries the number of its snapshot, and any commit makes another number. What is found with an old number
 * is looked up again and written over in place.
 *
 *   buckets  four ways of (hash, place); place 0 = asked for once, and kept when asked for again
 *   ring     u64 snapshot · u32 values' bytes · u16 spelling's bytes · u16 room / 8 · spelling · values
 *
 * The ring is written round and round; a place is its distance from the first byte ever written, plus 1, and is over when
 * the ring has come round to it. All is bounded by the bytes given at the start, and taken from the system as it is used.
 */
#include "lane.h"

#include <stddef.h>
#include <stdlib.h>
#include <structmember.h>

enum { WAYS = 4, RING_BYTES_A_BUCKET = 512, MOST_SPELLING_BYTES = 256, MOST_PUBLIC_BYTES = 2048 };
enum { REPLACE_ONE_IN = 8 }; /* of those asked for once: who walks through everything must not push out who comes back */

typedef struct {
    uint64_t hash, place;
} Way;

typedef struct {
    uint64_t snapshot;
    uint32_t public_bytes;
    uint16_t spelling_bytes, room;
} Entry;

struct Memo {
    PyObject_HEAD
    Way *ways;
    uint8_t *ring;
    uint64_t bucket_mask, ring_bytes, written, secret;
    uint32_t turn;
    unsigned long long hits;
};

static int memo_init(Memo *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    unsigned long long most_bytes, secret;
    if (!PyArg_ParseTuple(args, "KK", &most_bytes, &secret))
        return -1;
    if (self->ring != NULL || most_bytes < 1 << 16 || most_bytes > (1ULL << 40)) {
        PyErr_SetString(PyExc_ValueError, "lane: a number is out of range, or made twice");
        return -1;
    }
    uint64_t buckets = 1;
    while (buckets * 2 * (RING_BYTES_A_BUCKET + sizeof(Way) * WAYS) <= most_bytes)
        buckets *= 2;
    self->bucket_mask = buckets - 1;
    self->ring_bytes = (most_bytes - buckets * sizeof(Way) * WAYS) & ~(uint64_t)7;
    self->secret = secret;
    self->ways = calloc(buckets * WAYS, sizeof(Way));
    self->ring = malloc(self->ring_bytes);
    if (self->ways == NULL || self->ring == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* A Memo out of Python's hands, kept by a reference; None = NULL. */
int memo_read(PyObject *memo, Memo **to)
{
    if (memo != Py_None && !Py_IS_TYPE(memo, &MemoType)) {
        PyErr_SetString(PyExc_TypeError, "memo: a Memo or None expected");
        return -1;
    }
    *to = memo == Py_None ? NULL : (Memo *)Py_NewRef(memo);
    return 0;
}

static void memo_dealloc(Memo *self)
{
    free(self->ways);
    free(self->ring);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Keyed, so that nobody can choose spellings that meet in one bucket; who could would only have them looked up. */
uint64_t memo_hash(const Memo *memo, const uint8_t *spelling, Py_ssize_t size)
{
    uint64_t hash = memo->secret ^ ((uint64_t)size * 0x9e3779b97f4a7c15ULL);
    for (; size > 0; spelling += 8, size -= 8) {
        uint64_t word = 0;
        memcpy(&word, spelling, size < 8 ? (size_t)size : 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
        hash ^= hash >> 32;
    }
    return hash * 0xc4ceb9fe1a85ec53ULL | 1; /* never 0, which is an empty way */
}

static Way *bucket_of(const Memo *memo, uint64_t hash)
{
    return memo->ways + (hash >> 20 & memo->bucket_mask) * WAYS;
}

void memo_prefetch(const Memo *memo, uint64_t hash) { __builtin_prefetch(bucket_of(memo, hash)); }

static bool is_live(const Memo *memo, const Way *way)
{
    return way->place != 0 && way->place - 1 + memo->ring_bytes >= memo->written;
}

static Entry *entry_at(const Memo *memo, const Way *way)
{
    return (Entry *)(memo->ring + (way->place - 1) % memo->ring_bytes);
}

static uint8_t *spelling_of(Entry *entry) { return (uint8_t *)(entry + 1); }

static Entry *find(const Memo *memo, uint64_t hash, const uint8_t *spelling, Py_ssize_t size)
{
    const Way *way = bucket_of(memo, hash);
    for (int i = 0; i < WAYS; i++, way++) {
        if (way->hash != hash || !is_live(memo, way))
            continue;
        Entry *entry = entry_at(memo, way);
        if (entry->spelling_bytes == size && memcmp(spelling_of(entry), spelling, (size_t)size) == 0)
            return entry;
    }
    return NULL;
}

/* The values, which stay where they are until the next memo_keep. */
bool memo_find(Memo *memo, uint64_t hash, const uint8_t *spelling, Py_ssize_t size, uint64_t snapshot,
               const uint8_t **public_, Py_ssize_t *public_bytes)
{
    Entry *entry = find(memo, hash, spelling, size);
    if (entry == NULL || entry->snapshot != snapshot)
        return false;
    *public_ = spelling_of(entry) + size;
    *public_bytes = entry->public_bytes;
    memo->hits++;
    return true;
}

/* The way in which an identifier's place is to be written down; NULL = not this time. */
static Way *choose_way(Memo *memo, uint64_t hash)
{
    Way *bucket = bucket_of(memo, hash), *free_way = NULL;
    for (Way *way = bucket; way < bucket + WAYS; way++) {
        if (way->hash == hash)
            return way;
        if (free_way == NULL && !is_live(memo, way))
            free_way = way;
    }
    if (free_way == NULL && memo->turn++ % REPLACE_ONE_IN == 0)
        free_way = bucket + memo->turn / REPLACE_ONE_IN % WAYS;
    if (free_way != NULL)
        *free_way = (Way){.hash = hash};
    return NULL;
}

/* Where an entry of so many bytes begins; those of the ring's end that are too few are left. */
static uint64_t take_room(Memo *memo, uint64_t bytes)
{
    uint64_t left = memo->ring_bytes - memo->written % memo->ring_bytes;
    if (left < bytes)
        memo->written += left;
    uint64_t place = memo->written + 1;
    memo->written += bytes;
    return place;
}

void memo_keep(Memo *memo, uint64_t hash, const uint8_t *spelling, Py_ssize_t size, uint64_t snapshot,
               const uint8_t *public_, Py_ssize_t public_bytes)
{
    if (size > MOST_SPELLING_BYTES || public_bytes > MOST_PUBLIC_BYTES)
        return;
    uint64_t bytes = (sizeof(Entry) + (uint64_t)size + (uint64_t)public_bytes + 7) & ~(uint64_t)7;
    Entry *entry = find(memo, hash, spelling, size);
    if (entry == NULL || (uint64_t)entry->room * 8 < bytes) {
        Way *way = choose_way(memo, hash);
        if (way == NULL)
            return;
        way->place = take_room(memo, bytes);
        entry = entry_at(memo, way);
        entry->room = (uint16_t)(bytes / 8);
    }
    entry->snapshot = snapshot;
    entry->spelling_bytes = (uint16_t)size;
    entry->public_bytes = (uint32_t)public_bytes;
    memcpy(spelling_of(entry), spelling, (size_t)size);
    memcpy(spelling_of(entry) + size, public_, (size_t)public_bytes);
}

static PyMemberDef members[] = {
    {"hits", T_ULONGLONG, offsetof(Memo, hits), READONLY, "Look-ups that the store was spared."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject MemoType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "node.lane._lane.Memo",
    .tp_doc = "Memo(most_bytes, secret): public values by spelling, of one snapshot of the store.",
    .tp_basicsize = sizeof(Memo),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)memo_init,
    .tp_dealloc = (destructor)memo_dealloc,
    .tp_members = members,
};
