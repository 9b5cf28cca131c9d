/* Streams: plain hits on kept connections: one epoll for all of them, one receive and one send for each that has spoken.
 *
 * A connection is watched from its acceptance on. What comes whole and is a plain hit is answered here. Whatever else comes
 * ends the watching: the connection is handed back with the bytes not answered and the bytes the kernel did not take, and
 * asyncio goes on with it. So nothing here ever waits, buffers or times anything but the time of the last word.
 */
#include "streams.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <structmember.h>
#include <sys/epoll.h>
#include <unistd.h>

static int streams_init(Streams *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *versions, *operations, *remembered, *memo;
    Py_ssize_t most_question_bytes;
    if (!PyArg_ParseTuple(args, "OOOnO", &versions, &operations, &remembered, &most_question_bytes,
                          &memo))
        return -1;
    if (self->received != NULL) {
        PyErr_SetString(PyExc_ValueError, "lane: made twice");
        return -1;
    }
    if (words_fill(&self->words, versions, operations, remembered, most_question_bytes) < 0 ||
        memo_read(memo, &self->memo) < 0)
        return -1;
    self->received = malloc(RECEIVE_BYTES);
    self->answers = malloc(SEND_BYTES);
    if (self->received == NULL || self->answers == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

static PyObject *streams_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Streams *self = (Streams *)type->tp_alloc(type, 0);
    if (self != NULL)
        self->epoll = -1;
    return (PyObject *)self;
}

static int streams_traverse(Streams *self, visitproc visit, void *arg)
{
    for (int fd = 0; fd < self->room; fd++)
        Py_VISIT(self->watched[fd].peer);
    Py_VISIT(self->left);
    return 0;
}

static int streams_clear(Streams *self)
{
    for (int fd = 0; fd < self->room; fd++)
        Py_CLEAR(self->watched[fd].peer);
    Py_CLEAR(self->memo);
    Py_CLEAR(self->left);
    self->count = 0;
    return 0;
}

static void streams_dealloc(Streams *self)
{
    PyObject_GC_UnTrack(self);
    streams_clear(self);
    if (self->epoll >= 0)
        close(self->epoll);
    free(self->watched);
    free(self->received);
    free(self->answers);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static bool is_watched(const Streams *self, int fd)
{
    return fd >= 0 && fd < self->room && self->watched[fd].peer != NULL;
}

static void unwatch(Streams *self, int fd)
{
    epoll_ctl(self->epoll, EPOLL_CTL_DEL, fd, NULL);
    Py_CLEAR(self->watched[fd].peer);
    self->count--;
}

/* Ends the watching of a connection whose turn was over. */
static int hand_back(Streams *self, Turn *turn, bool is_gone, PyObject **list)
{
    PyObject *entry;
    unwatch(self, turn->fd);
    if (*list == NULL && (*list = PyList_New(0)) == NULL)
        return -1;
    if (is_gone)
        entry = Py_BuildValue("(iOy)", turn->fd, Py_None, "");
    else
        entry = Py_BuildValue("(iy#N)", turn->fd, (const char *)turn->data + turn->at, turn->size - turn->at,
                              turn->unsent ? Py_NewRef(turn->unsent) : PyBytes_FromStringAndSize("", 0));
    int result = entry == NULL ? -1 : PyList_Append(*list, entry);
    Py_XDECREF(entry);
    return result;
}

/* Hands back a connection of which an exception may be set: it is kept for after that. */
static void end_turn(Streams *self, Turn *turn, bool is_gone, PyObject **list)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    turn->failed |= hand_back(self, turn, is_gone, list) < 0;
    if (type != NULL)
        PyErr_Restore(type, value, trace);
}

/* One receive for every connection that has something to say. An exception ends it; the connection it came from is handed
   back with the next call, as are those before it, so that no word and nobody is lost. */
static PyObject *serve(Streams *self, View *view, const Http *http, double now_s)
{
    struct epoll_event events[EVENTS];
    PyObject *handed_back = self->left;
    self->left = NULL;
    int ready = epoll_wait(self->epoll, events, EVENTS, 0);
    for (int i = 0; i < ready; i++) {
        Turn turn = {.fd = events[i].data.fd, .data = self->received};
        if (!is_watched(self, turn.fd))
            continue;
        turn.size = recv(turn.fd, self->received, RECEIVE_BYTES, MSG_DONTWAIT);
        if (turn.size < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        bool is_gone = turn.size <= 0;
        if (!is_gone) {
            self->watched[turn.fd].last_s = now_s;
            if (view != NULL)
                answer_native(self, &turn, view);
            else
                answer_http(self, &turn, http);
            flush(self, &turn);
        }
        if (is_gone || turn.is_over || turn.failed)
            end_turn(self, &turn, is_gone, &handed_back);
        Py_XDECREF(turn.unsent);
        if (turn.failed) {
            self->left = handed_back;
            return NULL;
        }
    }
    if (handed_back == NULL)
        Py_RETURN_NONE;
    return handed_back;
}

/* methods */

PyDoc_STRVAR(native_doc,
"serve_native(hosted, get, snapshot, remembered, now_s, serial, expiration_s, /)\n--\n\n"
"Answer whoever has spoken; None, or [(descriptor, bytes not answered, bytes not sent)] of connections that are not\n"
"watched any more; instead of the bytes None when the peer is gone. After an exception, call any of the two again.");

static PyObject *streams_serve_native(Streams *self, PyObject *const *args, Py_ssize_t count)
{
    View view;
    return view_read(args, count, self->memo, &view) < 0 ? NULL : serve(self, &view, NULL, view.now_s);
}

PyDoc_STRVAR(http_doc,
"serve_http(heads, hit, answer, now_s, /)\n--\n\n"
"The same for HTTP: heads[everything behind the target] is True where hit(target) may answer a GET; answer(data, peer)\n"
"answers all of it, or None.");

static PyObject *streams_serve_http(Streams *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4 || !PyDict_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "heads, hit, answer, now_s expected");
        return NULL;
    }
    Http http = {.heads = args[0], .hit = args[1], .answer = args[2]};
    double now_s = PyFloat_AsDouble(args[3]);
    return PyErr_Occurred() ? NULL : serve(self, NULL, &http, now_s);
}

static int reserve(Streams *self, int fd)
{
    if (fd < self->room)
        return 0;
    int room = fd + 256;
    Watched *more = realloc(self->watched, (size_t)room * sizeof *more);
    if (more == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(more + self->room, 0, (size_t)(room - self->room) * sizeof *more);
    self->watched = more;
    self->room = room;
    return 0;
}

PyDoc_STRVAR(add_doc,
"add(descriptor, peer, flags, now_s, /)\n--\n\n"
"Watch a connection (non-blocking, not closed before it is handed back or removed). Raises OSError.");

static PyObject *streams_add(Streams *self, PyObject *args)
{
    int fd, flags;
    PyObject *peer;
    double now_s;
    if (!PyArg_ParseTuple(args, "iOid", &fd, &peer, &flags, &now_s))
        return NULL;
    if (fd < 0 || fd >= MOST_DESCRIPTORS || is_watched(self, fd)) {
        PyErr_SetString(PyExc_ValueError, "add: no descriptor, or one that is watched already");
        return NULL;
    }
    if (reserve(self, fd) < 0)
        return NULL;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
    if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    self->watched[fd] = (Watched){.peer = Py_NewRef(peer), .last_s = now_s, .flags = flags};
    self->count++;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(remove_doc, "remove(descriptor, /)\n--\n\nWatch it no more; True when it was watched.");

static PyObject *streams_remove(Streams *self, PyObject *descriptor)
{
    long fd = PyLong_AsLong(descriptor);
    if (fd == -1 && PyErr_Occurred())
        return NULL;
    if (fd < 0 || fd >= self->room || !is_watched(self, (int)fd))
        Py_RETURN_FALSE;
    unwatch(self, (int)fd);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(silent_doc,
"silent_since(time_s, /)\n--\n\nDescriptors of the connections that have said nothing since then.");

static PyObject *streams_silent_since(Streams *self, PyObject *time)
{
    double since_s = PyFloat_AsDouble(time);
    PyObject *silent = PyErr_Occurred() ? NULL : PyList_New(0);
    for (int fd = 0; silent != NULL && fd < self->room; fd++) {
        if (self->watched[fd].peer == NULL || self->watched[fd].last_s > since_s)
            continue;
        PyObject *number = PyLong_FromLong(fd);
        if (number == NULL || PyList_Append(silent, number) < 0)
            Py_CLEAR(silent);
        Py_XDECREF(number);
    }
    return silent;
}

static PyObject *streams_fileno(Streams *self, PyObject *Py_UNUSED(unused))
{
    return PyLong_FromLong(self->epoll);
}

static PyMethodDef methods[] = {
    {"serve_native", (PyCFunction)(void (*)(void))streams_serve_native, METH_FASTCALL, native_doc},
    {"serve_http", (PyCFunction)(void (*)(void))streams_serve_http, METH_FASTCALL, http_doc},
    {"add", (PyCFunction)streams_add, METH_VARARGS, add_doc},
    {"remove", (PyCFunction)streams_remove, METH_O, remove_doc},
    {"silent_since", (PyCFunction)streams_silent_since, METH_O, silent_doc},
    {"fileno", (PyCFunction)streams_fileno, METH_NOARGS, "The descriptor to wait for."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"count", T_PYSSIZET, offsetof(Streams, count), READONLY, "Connections that are watched."},
    {"hits", T_ULONGLONG, offsetof(Streams, hits), READONLY, "Answers made here from records of this node, or rendered."},
    {"remembered", T_ULONGLONG, offsetof(Streams, remembered), READONLY, "Answers of other nodes."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject StreamsType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "node.lane._lane.Streams",
    .tp_doc = "Streams(versions, operations, remembered_operations, most_question_bytes, memo): plain hits on kept connections.",
    .tp_basicsize = sizeof(Streams),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = streams_new,
    .tp_init = (initproc)streams_init,
    .tp_dealloc = (destructor)streams_dealloc,
    .tp_traverse = (traverseproc)streams_traverse,
    .tp_clear = (inquiry)streams_clear,
    .tp_methods = methods,
    .tp_members = members,
};
