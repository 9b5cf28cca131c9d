/* A plain public question read, and its answer written: protocols/handle/fast.py says what is plain and why.
 *
 *   0   version 4 · 4 session id, request id 8 · 12 sequence, length 8 · 20 op code, response code, op flags 12
 *   32  serial 2, recursion count 1, reserved 1, expiration 4 · 40 body length 4 · 44 handle length 4
 *   48  handle · two empty lists 8 [· empty token of the national SDK 4] · no credential 4
 */
#include "lane.h"

static const uint8_t RESOLVE_REQUEST[8] = {0, 0, 0, 1, 0, 0, 0, 0};
static const uint8_t RESOLVE_SUCCESS[8] = {0, 0, 0, 1, 0, 0, 0, 1};
static const uint8_t NOTHING[SDK_TAIL_BYTES];

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)(number >> 24);
    at[1] = (uint8_t)(number >> 16);
    at[2] = (uint8_t)(number >> 8);
    at[3] = (uint8_t)number;
}

int words_fill(Words *words, PyObject *versions, PyObject *operations, PyObject *remembered,
               Py_ssize_t most_bytes)
{
    words->most_bytes = most_bytes;
    if (table_fill(&words->versions, versions, 4, 0) < 0 ||
        table_fill(&words->operations, operations, 12, 8) < 0 ||
        table_fill(&words->remembered, remembered, 12, 8) < 0)
        return -1;
    return 0;
}

bool question_read(const Words *words, const uint8_t *message, Py_ssize_t size, Question *question)
{
    uint32_t word;
    if (size < HANDLE_OFFSET + TAIL_BYTES || size > words->most_bytes)
        return false;
    uint32_t handle_bytes = read_u32(message + 44);
    if (handle_bytes > (uint32_t)size)
        return false;
    if (read_u32(message + 12) != 0 || read_u32(message + 16) != (uint32_t)size - 20 ||
        read_u32(message + 40) != (uint32_t)size - 48 ||
        memcmp(message + 20, RESOLVE_REQUEST, 8) != 0)
        return false;
    Py_ssize_t tail = size - HANDLE_OFFSET - (Py_ssize_t)handle_bytes;
    if ((tail != TAIL_BYTES && tail != SDK_TAIL_BYTES) ||
        memcmp(message + HANDLE_OFFSET + handle_bytes, NOTHING, (size_t)tail) != 0)
        return false;
    memcpy(&word, message, 4);
    if (!table_find(&words->versions, word, &question->version))
        return false;
    memcpy(&word, message + 28, 4);
    if (!table_find(&words->operations, word, &question->flags))
        return false;
    question->handle = message + HANDLE_OFFSET;
    question->handle_bytes = handle_bytes;
    question->message = message;
    return true;
}

/* Whether a cache may answer; the answer then does not claim to be authoritative. */
bool question_may_be_remembered(const Words *words, Question *question)
{
    uint32_t word;
    memcpy(&word, question->message + 28, 4);
    return question->message[34] == 0 && table_find(&words->remembered, word, &question->flags);
}

Py_ssize_t answer_bytes(const Question *question, Py_ssize_t public_bytes)
{
    return HANDLE_OFFSET + (Py_ssize_t)question->handle_bytes + public_bytes + CREDENTIAL_BYTES;
}

void answer_write(uint8_t *to, const Question *question, const uint8_t *public_,
                  Py_ssize_t public_bytes, uint16_t serial, uint32_t expiration_s)
{
    uint32_t body_bytes = question->handle_bytes + (uint32_t)public_bytes + CREDENTIAL_BYTES;
    memcpy(to, &question->version, 4);
    memcpy(to + 4, question->message + 4, 8);
    write_u32(to + 12, 0);
    write_u32(to + 16, body_bytes + 28);
    memcpy(to + 20, RESOLVE_SUCCESS, 8);
    memcpy(to + 28, &question->flags, 4);
    to[32] = (uint8_t)(serial >> 8);
    to[33] = (uint8_t)serial;
    to[34] = to[35] = 0;
    write_u32(to + 36, expiration_s);
    write_u32(to + 40, body_bytes);
    write_u32(to + 44, question->handle_bytes);
    memcpy(to + HANDLE_OFFSET, question->handle, question->handle_bytes);
    memcpy(to + HANDLE_OFFSET + question->handle_bytes, public_, (size_t)public_bytes);
    memset(to + HANDLE_OFFSET + question->handle_bytes + public_bytes, 0, CREDENTIAL_BYTES);
}
