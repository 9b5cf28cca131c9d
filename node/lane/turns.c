/* Turns: what came from one connection is answered as far as it is plain, in the order in which it came.
 *
 * Answers are put into one buffer and sent together. The first word that is not plain ends the turn, and so does what the
 * kernel does not take; streams.c then hands the connection back.
 */
#include "streams.h"

/* Sends what is pending; what the kernel does not take ends the turn. */
void flush(Streams *self, Turn *turn)
{
    if (turn->pending == 0)
        return;
    Py_ssize_t sent = send(turn->fd, self->answers, (size_t)turn->pending, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        sent = 0; /* a broken connection is found out by whoever takes over */
    if (sent < turn->pending) {
        turn->is_over = true;
        turn->unsent = PyBytes_FromStringAndSize((const char *)self->answers + sent, turn->pending - sent);
        turn->failed |= turn->unsent == NULL;
    }
    turn->pending = 0;
}

/* Room for an answer; NULL when there is none, and the turn is over. */
static uint8_t *make_room(Streams *self, Turn *turn, Py_ssize_t size)
{
    if (size > SEND_BYTES) {
        turn->is_over = true;
        return NULL;
    }
    if (turn->pending + size > SEND_BYTES)
        flush(self, turn);
    return turn->is_over ? NULL : self->answers + turn->pending;
}

static Py_ssize_t message_bytes(const uint8_t *at, Py_ssize_t left)
{
    if (left < 20)
        return 0;
    uint32_t length = (uint32_t)at[16] << 24 | (uint32_t)at[17] << 16 | (uint32_t)at[18] << 8 | at[19];
    return length > (uint32_t)RECEIVE_BYTES || (Py_ssize_t)length > left - 20 ? 0 : 20 + (Py_ssize_t)length;
}

/* Answers the messages of one native connection, as far as they are plain hits. */
void answer_native(Streams *self, Turn *turn, View *view)
{
    int flags = self->watched[turn->fd].flags;
    while (turn->at < turn->size && !turn->is_over) {
        const uint8_t *message = turn->data + turn->at, *public_ = NULL;
        Py_ssize_t public_bytes = 0, size = message_bytes(message, turn->size - turn->at);
        PyObject *owner = NULL;
        Question question;
        bool is_remembered = false;
        Found found = OTHER;
        if (size != 0 && question_read(&self->words, message, size, &question)) {
            uint64_t hash =
                self->memo ? memo_hash(self->memo, question.handle, question.handle_bytes) : 0;
            found = look_up(view, &question, hash, &owner, &public_, &public_bytes);
        }
        if (found == ABSENT && flags & SOURCE_MAY_RECURSE &&
            question_may_be_remembered(&self->words, &question)) {
            is_remembered = true;
            found = look_up_remembered(view, &question, &owner, &public_, &public_bytes);
        }
        if (found != FOUND) {
            turn->is_over = true;
            turn->failed = found == FAILED;
            return;
        }
        Py_ssize_t needed = answer_bytes(&question, public_bytes);
        uint8_t *to = make_room(self, turn, needed);
        if (to != NULL) {
            answer_write(to, &question, public_, public_bytes, view->serial, view->expiration_s);
            turn->pending += needed;
            turn->at += size;
            *(is_remembered ? &self->remembered : &self->hits) += 1;
        }
        Py_XDECREF(owner);
    }
}

/* Puts a whole answer behind the others. One that does not fit, or follows what the kernel did not take, ends the turn. */
static void deliver(Streams *self, Turn *turn, PyObject *answer, Py_ssize_t asked_bytes)
{
    Py_ssize_t size = PyBytes_GET_SIZE(answer);
    turn->at += asked_bytes;
    if (turn->pending + size > SEND_BYTES)
        flush(self, turn);
    if (!turn->is_over && size <= SEND_BYTES) {
        memcpy(self->answers + turn->pending, PyBytes_AS_STRING(answer), (size_t)size);
        turn->pending += size;
        return;
    }
    turn->is_over = true;
    if (turn->unsent == NULL)
        turn->unsent = Py_NewRef(answer);
    else
        PyBytes_Concat(&turn->unsent, answer);
    turn->failed |= turn->unsent == NULL;
}

/* The rendered answer to the request at `at`, a new reference; NULL when there is none at hand, or with an exception. */
static PyObject *rendered(const Http *http, const uint8_t *at, Py_ssize_t left, Py_ssize_t *asked_bytes)
{
    if (left < 5 || memcmp(at, "GET ", 4) != 0)
        return NULL;
    const uint8_t *end = memchr(at + 4, ' ', (size_t)left - 4);
    const uint8_t *stop = end ? memmem(end, (size_t)(at + left - end), "\r\n\r\n", 4) : NULL;
    if (stop == NULL)
        return NULL;
    PyObject *head = PyBytes_FromStringAndSize((const char *)end, stop + 4 - end);
    if (head == NULL)
        return NULL;
    PyObject *is_plain = PyDict_GetItemWithError(http->heads, head);
    Py_DECREF(head);
    if (is_plain != Py_True)
        return NULL;
    PyObject *target = PyBytes_FromStringAndSize((const char *)at + 4, end - at - 4);
    if (target == NULL)
        return NULL;
    PyObject *answer = PyObject_CallOneArg(http->hit, target);
    Py_DECREF(target);
    if (answer != NULL && !PyBytes_Check(answer))
        Py_CLEAR(answer);
    *asked_bytes = stop + 4 - at;
    return answer;
}

/* Answers the requests of one HTTP connection, as far as they are plain. */
void answer_http(Streams *self, Turn *turn, const Http *http)
{
    while (turn->at < turn->size && !turn->is_over) {
        const uint8_t *at = turn->data + turn->at;
        Py_ssize_t left = turn->size - turn->at, asked_bytes = 0;
        PyObject *answer = rendered(http, at, left, &asked_bytes);
        bool is_hit = answer != NULL;
        if (!is_hit && !PyErr_Occurred()) {
            PyObject *rest = PyBytes_FromStringAndSize((const char *)at, left);
            PyObject *peer = Py_NewRef(self->watched[turn->fd].peer);
            if (rest != NULL)
                answer = PyObject_CallFunctionObjArgs(http->answer, rest, peer, NULL);
            Py_DECREF(peer);
            Py_XDECREF(rest);
            asked_bytes = left;
        }
        if (answer == NULL || !PyBytes_Check(answer)) {
            turn->is_over = true;
            turn->failed = answer == NULL;
        } else {
            self->hits += is_hit;
            deliver(self, turn, answer, asked_bytes);
        }
        Py_XDECREF(answer);
    }
}
