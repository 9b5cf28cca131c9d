/* Udp: one socket's plain hits, 64 datagrams for two system calls.
 *
 * What is not a plain hit of a source within its rate is handed back with its sender, in the order of arrival; nothing of it
 * was answered or changed, but that its source has spent a token.
 */
#include "lane.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <structmember.h>

enum { DATAGRAMS = 64, RECEIVE_BYTES = 4096 };

typedef struct {
    struct mmsghdr heads[DATAGRAMS];
    struct iovec pieces[DATAGRAMS];
    struct sockaddr_storage addresses[DATAGRAMS];
} Batch;

typedef struct {
    PyObject_HEAD
    int fd;
    Words words;
    Sources *sources;
    Memo *memo;
    PyObject *enter;
    Py_ssize_t most_bytes;
    double amplification;
    uint8_t *received, *answers; /* DATAGRAMS times RECEIVE_BYTES, and times most_bytes */
    Batch in, out;
    Question questions[DATAGRAMS]; /* message is NULL where there is no plain one */
    uint64_t hashes[DATAGRAMS];
    unsigned long long hits, remembered, refused, unsent;
} Udp;

static int udp_init(Udp *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *versions, *operations, *remembered, *enter, *memo;
    double rate_per_s, burst;
    Py_ssize_t most_question_bytes;
    unsigned int most_sources;
    unsigned long long secret;
    if (!PyArg_ParseTuple(args, "iOOOnOddIKndO", &self->fd, &versions, &operations, &remembered,
                          &most_question_bytes, &enter, &rate_per_s, &burst, &most_sources, &secret,
                          &self->most_bytes, &self->amplification, &memo))
        return -1;
    if (self->sources != NULL || self->most_bytes < 64 || self->most_bytes > 65507 ||
        most_sources < 1 || most_sources > 1 << 20) {
        PyErr_SetString(PyExc_ValueError, "lane: a number is out of range, or made twice");
        return -1;
    }
    if (words_fill(&self->words, versions, operations, remembered, most_question_bytes) < 0 ||
        memo_read(memo, &self->memo) < 0)
        return -1;
    self->enter = Py_NewRef(enter);
    self->sources = sources_new(rate_per_s, burst, most_sources, secret);
    self->received = malloc((size_t)DATAGRAMS * RECEIVE_BYTES);
    self->answers = malloc((size_t)DATAGRAMS * (size_t)self->most_bytes);
    if (self->sources == NULL || self->received == NULL || self->answers == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int udp_traverse(Udp *self, visitproc visit, void *arg)
{
    Py_VISIT(self->enter);
    return 0;
}

static int udp_clear(Udp *self)
{
    Py_CLEAR(self->enter);
    Py_CLEAR(self->memo);
    return 0;
}

static void udp_dealloc(Udp *self)
{
    PyObject_GC_UnTrack(self);
    udp_clear(self);
    sources_free(self->sources);
    free(self->received);
    free(self->answers);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static int receive(Udp *self)
{
    Batch *in = &self->in;
    for (int i = 0; i < DATAGRAMS; i++) {
        in->pieces[i] = (struct iovec){self->received + (size_t)i * RECEIVE_BYTES, RECEIVE_BYTES};
        in->heads[i].msg_hdr = (struct msghdr){.msg_name = &in->addresses[i],
                                               .msg_namelen = sizeof in->addresses[i],
                                               .msg_iov = &in->pieces[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(self->fd, in->heads, DATAGRAMS, MSG_DONTWAIT, NULL);
    if (count < 0 && errno != EAGAIN && errno != EINTR)
        self->unsent++; /* an earlier answer was refused by its receiver (ICMP) */
    return count < 0 ? 0 : count;
}

static void send_all(Udp *self, int count)
{
    for (int sent = 0; sent < count;) {
        int taken = sendmmsg(self->fd, self->out.heads + sent, (unsigned)(count - sent), MSG_DONTWAIT);
        if (taken <= 0) {
            self->unsent++; /* the kernel did not take this one; the rest goes on */
            taken = 1;
        }
        sent += taken;
    }
}

/* Reads all questions before the first is answered, so that what they look for is on its way from memory meanwhile. */
static void read_questions(Udp *self, int received)
{
    for (int i = 0; i < received; i++) {
        Question *question = &self->questions[i];
        if (!question_read(&self->words, self->in.pieces[i].iov_base, self->in.heads[i].msg_len, question)) {
            question->message = NULL;
        } else if (self->memo != NULL) {
            self->hashes[i] = memo_hash(self->memo, question->handle, question->handle_bytes);
            memo_prefetch(self->memo, self->hashes[i]);
        }
    }
}

/* Writes the answer to datagram i as number `at` of those to be sent. FOUND when it was written. */
static Found answer(Udp *self, View *view, int i, int at, int flags)
{
    const uint8_t *public_ = NULL;
    Py_ssize_t public_bytes = 0;
    PyObject *owner = NULL;
    Question question = self->questions[i];
    if (question.message == NULL)
        return OTHER;
    Found found = look_up(view, &question, self->hashes[i], &owner, &public_, &public_bytes);
    bool is_remembered = false;
    if (found == ABSENT && flags & SOURCE_MAY_RECURSE &&
        question_may_be_remembered(&self->words, &question)) {
        is_remembered = true;
        found = look_up_remembered(view, &question, &owner, &public_, &public_bytes);
    }
    if (found != FOUND)
        return found;
    Py_ssize_t needed = answer_bytes(&question, public_bytes);
    if (needed > self->most_bytes ||
        (!(flags & SOURCE_IS_PROVEN) && (double)needed > self->amplification * (double)self->in.heads[i].msg_len)) {
        Py_XDECREF(owner);
        return OTHER; /* Python knows whether the address is proven by now, and the words of the refusal */
    }
    uint8_t *to = self->answers + (size_t)at * (size_t)self->most_bytes;
    answer_write(to, &question, public_, public_bytes, view->serial, view->expiration_s);
    Py_XDECREF(owner);
    self->out.pieces[at] = (struct iovec){to, (size_t)needed};
    self->out.heads[at].msg_hdr = (struct msghdr){.msg_name = &self->in.addresses[i],
                                                  .msg_namelen = self->in.heads[i].msg_hdr.msg_namelen,
                                                  .msg_iov = &self->out.pieces[at], .msg_iovlen = 1};
    *(is_remembered ? &self->remembered : &self->hits) += 1;
    return FOUND;
}

/* Puts datagram i and its sender into a list that is made when it is first needed. */
static int hand_back(Udp *self, int i, PyObject **list)
{
    if (*list == NULL && (*list = PyList_New(0)) == NULL)
        return -1;
    PyObject *address = address_tuple(&self->in.addresses[i]);
    if (address == NULL)
        return -1;
    PyObject *pair = Py_BuildValue("(y#N)", self->in.pieces[i].iov_base,
                                   (Py_ssize_t)self->in.heads[i].msg_len, address);
    int result = pair == NULL ? -1 : PyList_Append(*list, pair);
    Py_XDECREF(pair);
    return result;
}

PyDoc_STRVAR(serve_doc,
"serve(hosted, get, snapshot, remembered, now_s, serial, expiration_s, /)\n--\n\n"
"Receive what waits (at most 64), answer the plain hits; None, or ([(datagram, address)], [the same, over their rate]).");

static PyObject *udp_serve(Udp *self, PyObject *const *args, Py_ssize_t count)
{
    View view;
    PyObject *others = NULL, *over_rate = NULL;
    if (view_read(args, count, self->memo, &view) < 0)
        return NULL;
    int received = receive(self), answered = 0;
    bool failed = false;
    read_questions(self, received);
    for (int i = 0; i < received && !failed; i++) {
        int flags = sources_take(self->sources, &self->in.addresses[i], self->enter, view.now_s);
        if (flags == -2) {
            failed = true;
        } else if (flags == -1) {
            /* Every second one is told to use TCP, the others get silence. */
            failed = ++self->refused % 2 == 0 && hand_back(self, i, &over_rate) < 0;
        } else {
            Found found = answer(self, &view, i, answered, flags);
            if (found == FOUND)
                answered++;
            else
                failed = found == FAILED || hand_back(self, i, &others) < 0;
        }
    }
    send_all(self, answered);
    if (failed) {
        Py_XDECREF(others);
        Py_XDECREF(over_rate);
        return NULL;
    }
    if (others == NULL && over_rate == NULL)
        Py_RETURN_NONE;
    if (others == NULL)
        others = PyList_New(0);
    if (over_rate == NULL)
        over_rate = PyList_New(0);
    return Py_BuildValue("(NN)", others, over_rate);
}

static PyMethodDef methods[] = {
    {"serve", (PyCFunction)(void (*)(void))udp_serve, METH_FASTCALL, serve_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"hits", T_ULONGLONG, offsetof(Udp, hits), READONLY, "Answers from the store's memory map."},
    {"remembered", T_ULONGLONG, offsetof(Udp, remembered), READONLY, "Answers of other nodes."},
    {"refused", T_ULONGLONG, offsetof(Udp, refused), READONLY, "Questions of sources over their rate."},
    {"unsent", T_ULONGLONG, offsetof(Udp, unsent), READONLY, "Answers the kernel did not take."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject UdpType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "node.lane._lane.Udp",
    .tp_doc = "Udp(fd, versions, operations, remembered_operations, most_question_bytes, enter, rate_per_s, burst,\n"
              "most_sources, secret, most_answer_bytes, amplification, memo): the plain hits of one socket.",
    .tp_basicsize = sizeof(Udp),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)udp_init,
    .tp_dealloc = (destructor)udp_dealloc,
    .tp_traverse = (traverseproc)udp_traverse,
    .tp_clear = (inquiry)udp_clear,
    .tp_methods = methods,
    .tp_members = members,
};
