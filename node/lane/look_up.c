/* The public values of an identifier in any spelling: split, fold, one dictionary look-up, one get.
 *
 * The same as LmdbReader.stored and protocols/record.py:public_offset:
 *
 *   key     u32 authority id · folded suffix (above 440 bytes Python has to make it)
 *   stored  u8 format · u8 flags · 20 bytes · 4 checksum [· u16 + spelling] [· u32 + sealed values] · public values
 */
#include "lane.h"

enum { SPELLING = 1, SEALED = 2, DELETED = 4 };
enum { BODY_OFFSET = 26, LONGEST_PLAIN_SUFFIX_BYTES = 440, MOST_PREFIX_BYTES = 256 };

static const char PREFIX_AUTHORITY[] = "0.NA";

static uint8_t folded(uint8_t byte) { return byte >= 'a' && byte <= 'z' ? byte - 32 : byte; }

static void fold(uint8_t *to, const uint8_t *from, Py_ssize_t size)
{
    for (Py_ssize_t i = 0; i < size; i++)
        to[i] = folded(from[i]);
}

int view_read(PyObject *const *args, Py_ssize_t count, Memo *memo, View *view)
{
    if (count != 7) {
        PyErr_SetString(PyExc_TypeError,
                        "hosted, get, snapshot, remembered, now_s, serial, expiration_s expected");
        return -1;
    }
    view->hosted = args[0];
    view->get = args[1];
    view->snapshot = PyLong_AsUnsignedLongLongMask(args[2]);
    view->memo = memo;
    view->remembered = args[3];
    view->now_s = PyFloat_AsDouble(args[4]);
    view->serial = (uint16_t)PyLong_AsUnsignedLongMask(args[5]);
    view->expiration_s = (uint32_t)PyLong_AsUnsignedLongMask(args[6]);
    view->prefix_bytes = -1;
    view->place = NULL;
    if (!PyDict_Check(view->hosted)) {
        PyErr_SetString(PyExc_TypeError, "hosted: a dictionary expected");
        return -1;
    }
    return PyErr_Occurred() ? -1 : 0;
}

/* The entry of a prefix, borrowed; NULL when it is not hosted here, or with an exception. */
static PyObject *place_of(View *view, const uint8_t *prefix, Py_ssize_t size)
{
    uint8_t upper[MOST_PREFIX_BYTES];
    fold(upper, prefix, size);
    if (size == view->prefix_bytes && memcmp(upper, view->prefix, (size_t)size) == 0)
        return view->place;
    PyObject *key = PyBytes_FromStringAndSize((const char *)upper, size);
    if (key == NULL)
        return NULL;
    PyObject *place = PyDict_GetItemWithError(view->hosted, key);
    Py_DECREF(key);
    if (size <= (Py_ssize_t)sizeof view->prefix && !PyErr_Occurred()) {
        memcpy(view->prefix, upper, (size_t)size);
        view->prefix_bytes = size;
        view->place = place;
    }
    return place;
}

/* Where the public values lie in a stored form; false when it is none that Python would answer from at once. */
static bool find_public(PyObject *stored, const uint8_t **public_, Py_ssize_t *public_bytes)
{
    static const uint8_t no_values[4];
    if (!PyBytes_Check(stored))
        return false;
    const uint8_t *at = (const uint8_t *)PyBytes_AS_STRING(stored);
    Py_ssize_t size = PyBytes_GET_SIZE(stored), offset = BODY_OFFSET;
    if (size < BODY_OFFSET + 4 || at[1] & DELETED)
        return false;
    if (at[1] & SPELLING)
        offset += 2 + ((Py_ssize_t)at[offset] << 8 | at[offset + 1]);
    if (at[1] & SEALED) {
        if (offset + 4 > size)
            return false;
        offset += 4 + ((Py_ssize_t)at[offset] << 24 | (Py_ssize_t)at[offset + 1] << 16 |
                       (Py_ssize_t)at[offset + 2] << 8 | at[offset + 3]);
    }
    if (offset + 4 > size)
        return false;
    *public_ = at + offset;
    *public_bytes = size - offset;
    return *public_bytes != 4 || memcmp(*public_, no_values, 4) != 0;
}

/* FOUND hands over what keeps the values alive in *owner: a reference, or NULL for what lies in the memo till the next one. */
Found look_up(View *view, const Question *question, uint64_t hash, PyObject **owner,
              const uint8_t **public_, Py_ssize_t *public_bytes)
{
    const uint8_t *spelling = question->handle;
    Py_ssize_t size = question->handle_bytes;
    *owner = NULL;
    if (view->memo != NULL &&
        memo_find(view->memo, hash, spelling, size, view->snapshot, public_, public_bytes))
        return FOUND;
    const uint8_t *slash = memchr(spelling, '/', (size_t)size);
    const uint8_t *prefix = slash ? spelling : (const uint8_t *)PREFIX_AUTHORITY;
    const uint8_t *suffix = slash ? slash + 1 : spelling;
    Py_ssize_t prefix_bytes = slash ? slash - spelling : (Py_ssize_t)sizeof PREFIX_AUTHORITY - 1;
    Py_ssize_t suffix_bytes = spelling + size - suffix;
    if (prefix_bytes > MOST_PREFIX_BYTES || suffix_bytes > LONGEST_PLAIN_SUFFIX_BYTES)
        return OTHER;
    PyObject *place = place_of(view, prefix, prefix_bytes);
    if (place == NULL)
        return PyErr_Occurred() ? FAILED : ABSENT;
    PyObject *start = PyTuple_GET_ITEM(place, 0);
    Py_ssize_t start_bytes = PyBytes_GET_SIZE(start);
    PyObject *key = PyBytes_FromStringAndSize(NULL, start_bytes + suffix_bytes);
    if (key == NULL)
        return FAILED;
    uint8_t *at = (uint8_t *)PyBytes_AS_STRING(key);
    memcpy(at, PyBytes_AS_STRING(start), (size_t)start_bytes);
    if (PyTuple_GET_ITEM(place, 1) == Py_True)
        fold(at + start_bytes, suffix, suffix_bytes);
    else
        memcpy(at + start_bytes, suffix, (size_t)suffix_bytes);
    PyObject *stored = PyObject_CallOneArg(view->get, key);
    Py_DECREF(key);
    if (stored == NULL)
        return FAILED;
    if (stored == Py_None) {
        Py_DECREF(stored);
        return ABSENT;
    }
    if (!find_public(stored, public_, public_bytes)) {
        Py_DECREF(stored);
        return OTHER;
    }
    if (view->memo != NULL)
        memo_keep(view->memo, hash, spelling, size, view->snapshot, *public_, *public_bytes);
    *owner = stored;
    return FOUND;
}

Found look_up_remembered(View *view, const Question *question, PyObject **owner,
                         const uint8_t **public_, Py_ssize_t *public_bytes)
{
    PyObject *spelling =
        PyBytes_FromStringAndSize((const char *)question->handle, question->handle_bytes);
    PyObject *now_s = PyFloat_FromDouble(view->now_s);
    PyObject *values = NULL;
    if (spelling != NULL && now_s != NULL)
        values = PyObject_CallFunctionObjArgs(view->remembered, spelling, now_s, NULL);
    Py_XDECREF(spelling);
    Py_XDECREF(now_s);
    if (values == NULL)
        return FAILED;
    if (!PyBytes_Check(values)) {
        Py_DECREF(values);
        return OTHER;
    }
    *public_ = (const uint8_t *)PyBytes_AS_STRING(values);
    *public_bytes = PyBytes_GET_SIZE(values);
    *owner = values;
    return FOUND;
}
