/* Who asks: a token bucket for each source, in two bounded generations (the rule of resolver/policies/ratelimit.py).
 *
 * An IPv4 address is a source, so is the /64 of an IPv6 address. What Python knows of an address (is it exempt, may it have
 * others asked, is it proven) is asked once and remembered with it. When the young generation is full it becomes the old
 * one; who asks on is carried along, who does not is forgotten.
 */
#include "lane.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

typedef struct {
    uint64_t high, low;
    double tokens, time_s;
    uint8_t flags, used;
} Source;

typedef struct {
    Source *slots;
    uint32_t count;
} Generation;

struct Sources {
    Generation young, old;
    uint32_t most, mask;
    uint64_t secret; /* so that nobody can choose addresses that meet in one slot */
    double rate_per_s, burst;
};

static void generation_clear(Sources *sources, Generation *generation)
{
    memset(generation->slots, 0, sizeof(Source) * ((size_t)sources->mask + 1));
    generation->count = 0;
}

Sources *sources_new(double rate_per_s, double burst, uint32_t most, uint64_t secret)
{
    uint32_t slots = 64;
    while (slots < most * 2)
        slots *= 2; /* never more than half full */
    Sources *sources = calloc(1, sizeof *sources);
    if (sources == NULL)
        return NULL;
    *sources = (Sources){.most = most, .mask = slots - 1, .secret = secret,
                         .rate_per_s = rate_per_s, .burst = burst};
    sources->young.slots = calloc(slots, sizeof(Source));
    sources->old.slots = calloc(slots, sizeof(Source));
    if (sources->young.slots == NULL || sources->old.slots == NULL) {
        sources_free(sources);
        return NULL;
    }
    return sources;
}

void sources_free(Sources *sources)
{
    if (sources == NULL)
        return;
    free(sources->young.slots);
    free(sources->old.slots);
    free(sources);
}

static uint64_t mixed(uint64_t word)
{
    word ^= word >> 33;
    word *= 0xff51afd7ed558ccdULL;
    word ^= word >> 33;
    word *= 0xc4ceb9fe1a85ec53ULL;
    return word ^ word >> 33;
}

/* The slot of a source, or the free one where it would stand. */
static Source *slot_of(const Sources *sources, const Generation *generation, uint64_t high,
                       uint64_t low)
{
    uint32_t at = (uint32_t)mixed(mixed(high ^ sources->secret) ^ low) & sources->mask;
    Source *slot = &generation->slots[at];
    while (slot->used && (slot->high != high || slot->low != low)) {
        at = (at + 1) & sources->mask;
        slot = &generation->slots[at];
    }
    return slot;
}

/* The source in the young generation, carried over from the old one, or made; *is_new then says so. */
static Source *enter(Sources *sources, uint64_t high, uint64_t low, double now_s, bool *is_new)
{
    Source *slot = slot_of(sources, &sources->young, high, low);
    *is_new = false;
    if (slot->used)
        return slot;
    if (sources->young.count >= sources->most) {
        Generation full = sources->young;
        sources->young = sources->old;
        sources->old = full;
        generation_clear(sources, &sources->young);
        slot = slot_of(sources, &sources->young, high, low);
    }
    const Source *before = slot_of(sources, &sources->old, high, low);
    *is_new = !before->used;
    *slot = before->used ? *before
                         : (Source){.high = high, .low = low, .tokens = sources->burst,
                                    .time_s = now_s, .used = 1};
    sources->young.count++;
    return slot;
}

static void forget(Sources *sources, Source *slot)
{
    /* Only the one entered last is ever taken back, so that no other stands behind it in its run of slots. */
    slot->used = 0;
    sources->young.count--;
}

PyObject *address_tuple(const struct sockaddr_storage *address)
{
    char text[INET6_ADDRSTRLEN];
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        return Py_BuildValue("(si)", text, (int)ntohs(v4->sin_port));
    }
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        return Py_BuildValue("(siII)", text, (int)ntohs(v6->sin6_port),
                             (unsigned)ntohl(v6->sin6_flowinfo), (unsigned)v6->sin6_scope_id);
    }
    PyErr_SetString(PyExc_ValueError, "neither IPv4 nor IPv6");
    return NULL;
}

static int flags_of(const struct sockaddr_storage *address, PyObject *ask)
{
    PyObject *named = address_tuple(address);
    if (named == NULL)
        return -2;
    PyObject *flags = PyObject_CallOneArg(ask, PyTuple_GET_ITEM(named, 0));
    Py_DECREF(named);
    if (flags == NULL)
        return -2;
    long number = PyLong_AsLong(flags);
    Py_DECREF(flags);
    return number == -1 && PyErr_Occurred() ? -2 : (int)number;
}

static bool take(const Sources *sources, Source *source, double now_s)
{
    double tokens = source->tokens + (now_s - source->time_s) * sources->rate_per_s;
    if (tokens > sources->burst)
        tokens = sources->burst;
    source->time_s = now_s;
    source->tokens = tokens >= 1.0 ? tokens - 1.0 : tokens;
    return tokens >= 1.0;
}

int sources_take(Sources *sources, const struct sockaddr_storage *address, PyObject *ask,
                 double now_s)
{
    uint64_t high = 0, low = 0;
    bool is_new, is_v6 = address->ss_family == AF_INET6;
    if (is_v6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        memcpy(&high, v6->sin6_addr.s6_addr, 8);
        memcpy(&low, v6->sin6_addr.s6_addr + 8, 8);
    } else {
        low = ((const struct sockaddr_in *)address)->sin_addr.s_addr;
    }
    Source *source = enter(sources, high, low, now_s, &is_new);
    if (is_new) {
        int flags = flags_of(address, ask);
        if (flags < 0) {
            forget(sources, source);
            return flags;
        }
        source->flags = (uint8_t)flags;
    }
    int flags = source->flags;
    if (flags & SOURCE_IS_FREE)
        return flags;
    /* The /64 stands beside its addresses under a low half that no address of a burst is likely to have; if one has, they
       share a bucket, which errs on the strict side. */
    Source *bucket = is_v6 ? enter(sources, high, ~(uint64_t)0, now_s, &is_new) : source;
    return take(sources, bucket, now_s) ? flags : -1;
}
