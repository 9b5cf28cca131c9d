/* Constant look-ups: four bytes to four bytes, in one or two probes. */
#include "lane.h"

enum { SLOTS = 2048 };

static uint32_t slot_of(uint32_t key) { return (key * 2654435769u) >> 21; }

static void put(Table *table, uint32_t key, uint32_t value)
{
    uint32_t slot = slot_of(key);
    while (table->used[slot] && table->keys[slot] != key)
        slot = (slot + 1) % SLOTS;
    table->used[slot] = true;
    table->keys[slot] = key;
    table->values[slot] = value;
}

bool table_find(const Table *table, uint32_t key, uint32_t *value)
{
    for (uint32_t slot = slot_of(key); table->used[slot]; slot = (slot + 1) % SLOTS)
        if (table->keys[slot] == key) {
            *value = table->values[slot];
            return true;
        }
    return false;
}

/* Takes bytes offset..offset+4 of keys and values that are key_bytes long; what lies around them must be the same in all. */
int table_fill(Table *table, PyObject *pairs, Py_ssize_t key_bytes, Py_ssize_t offset)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    memset(table, 0, sizeof *table);
    if (!PyDict_Check(pairs) || PyDict_GET_SIZE(pairs) > SLOTS / 2) {
        PyErr_SetString(PyExc_ValueError, "a dictionary of at most 1024 entries expected");
        return -1;
    }
    while (PyDict_Next(pairs, &at, &key, &value)) {
        uint32_t from, to;
        if (!PyBytes_Check(key) || !PyBytes_Check(value) || PyBytes_GET_SIZE(key) != key_bytes ||
            PyBytes_GET_SIZE(value) != key_bytes) {
            PyErr_SetString(PyExc_ValueError, "keys and values of one length expected");
            return -1;
        }
        memcpy(&from, PyBytes_AS_STRING(key) + offset, 4);
        memcpy(&to, PyBytes_AS_STRING(value) + offset, 4);
        put(table, from, to);
    }
    return 0;
}
