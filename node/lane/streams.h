/* What streams.c and turns.c share: the connections that are watched, and one connection's turn. */
#ifndef BIAOJIE_STREAMS_H
#define BIAOJIE_STREAMS_H

#include "lane.h"

enum { EVENTS = 64, RECEIVE_BYTES = 16384, SEND_BYTES = 65536, MOST_DESCRIPTORS = 1 << 20 };

typedef struct {
    PyObject *peer; /* NULL: not watched */
    double last_s;
    int flags;
} Watched;

typedef struct {
    PyObject_HEAD
    int epoll;
    Words words;
    Memo *memo;
    Watched *watched; /* by descriptor */
    int room;
    Py_ssize_t count;
    uint8_t *received, *answers;
    PyObject *left; /* handed back with an exception, and told with the next call; NULL: none */
    unsigned long long hits, remembered;
} Streams;

/* One connection's turn. */
typedef struct {
    int fd;
    const uint8_t *data;
    Py_ssize_t size, at;  /* received, and answered so far */
    Py_ssize_t pending;   /* bytes of answers not yet sent */
    PyObject *unsent;     /* what the kernel did not take */
    bool is_over, failed; /* to be handed back; an exception is set */
} Turn;

typedef struct {
    PyObject *heads, *hit, *answer;
} Http;

void flush(Streams *self, Turn *turn);
void answer_native(Streams *self, Turn *turn, View *view);
void answer_http(Streams *self, Turn *turn, const Http *http);

#endif
