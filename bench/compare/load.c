/* A closed-loop load generator for one server, compiled on the spot, so that the load is never what is measured.
 *
 *   load KIND ADDRESS PORT REQUESTS SOCKETS OUTSTANDING
 *
 * KIND: handle-udp, dns-udp, echo-udp (SOCKETS source ports share OUTSTANDING requests in flight);
 *       handle-tcp, http, redis (SOCKETS connections, one request in flight on each).
 * REQUESTS: a file of requests, each  u32 size, u32 size of what its answer must contain, both texts  (little endian).
 *
 * Orders come line by line on standard input; each is answered by one line on standard output:
 *   run SECONDS            answers lost wrong client-cpu-ns wall-ns; requests at random, uniformly, the same in each run
 *   warm TIMES             the same, every request of the file so many times in a row
 *   code NUMBER            no answer: from now on this Handle response code is the right one
 *   pace SECONDS RATE      the same, then latencies in us: p50 p90 p99 p99.9 longest (UDP; from the time a request was due)
 *
 * With a core of its own it never sleeps: a server that wakes its client pays for that, and a client on another machine
 * is not woken by it. Time spent looking in vain is left out of client-cpu-ns.
 *
 * Each answer is held against its request: id, response code (RFC 3652, RFC 1035, RFC 9110, RESP), its whole length,
 * and that it contains what it must. What is not right is "wrong", what does not come within 250 ms "lost".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 8, MAX_GROUPS = 512, PACED_SOCKETS = 64, MAX_SOCKETS = 16384, DATAGRAM = 2048, STREAM = 262144 + 64, RING = 65536 };
#define PATIENCE_NS 250000000ull
#define STREAM_PATIENCE_NS 5000000000ull

enum kind { HANDLE_UDP, DNS_UDP, ECHO_UDP, HANDLE_TCP, HTTP, REDIS };
static const char *const KINDS[] = {"handle-udp", "dns-udp", "echo-udp", "handle-tcp", "http", "redis"};

struct request { const uint8_t *data, *must; uint32_t size, must_size; };
struct group { int socket; int missing; uint64_t first, sent_ns; uint32_t seen; };
struct stream { int fd; uint64_t asked; size_t have; uint8_t *data; };
struct tally { uint64_t answers, lost, wrong; };

static enum kind kind;
static struct request *requests;
static uint64_t request_count, next_number;
static int sockets[MAX_SOCKETS], group_of[MAX_SOCKETS], socket_count, poller;
static struct group groups[MAX_GROUPS];
static int group_count, turn;
static struct stream *streams;
static uint32_t expected_code = 1;
static int has_own_core;
static uint64_t idle_ns;
static uint64_t last_number = UINT64_MAX, warm_times; /* while warming: where it ends, how often each is asked */

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint32_t big32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_big32(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 24), at[1] = (uint8_t)(value >> 16), at[2] = (uint8_t)(value >> 8), at[3] = (uint8_t)value;
}

static void read_requests(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) die(path);
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  uint8_t *all = malloc((size_t)size);
  if (!all || fread(all, 1, (size_t)size, file) != (size_t)size) die(path);
  fclose(file);
  for (int pass = 0; pass < 2; pass++) {
    uint64_t count = 0;
    for (long at = 0; at + 8 <= size; count++) {
      struct request one;
      memcpy(&one.size, all + at, 4);
      memcpy(&one.must_size, all + at + 4, 4);
      one.data = all + at + 8;
      one.must = one.data + one.size;
      at += 8 + (long)one.size + (long)one.must_size;
      if (pass) requests[count] = one;
    }
    request_count = count;
    if (!pass) requests = calloc(count + 1, sizeof *requests);
  }
  if (!request_count) exit(2);
}

/* ------------------------------------------------------------------------------------------------ what an answer is */

/* Which request has a number: in turn while warming, else at random (splitmix64). */
static const struct request *request_of(uint64_t number) {
  if (warm_times) return &requests[number / warm_times % request_count];
  uint64_t mixed = (number + 1) * 0x9E3779B97F4A7C15ull;
  mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9ull;
  mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBull;
  return &requests[(mixed ^ mixed >> 31) % request_count];
}

static uint32_t id_mask(void) { return kind == DNS_UDP ? 0xFFFFu : 0x7FFFFFFFu; }

static uint32_t write_request(uint8_t *to, uint64_t number) {
  const struct request *one = request_of(number);
  uint32_t id = (uint32_t)number & id_mask();
  memcpy(to, one->data, one->size);
  if (kind == DNS_UDP) to[0] = (uint8_t)(id >> 8), to[1] = (uint8_t)id;
  if (kind == HANDLE_UDP || kind == HANDLE_TCP || kind == ECHO_UDP) put_big32(to + 8, id);
  return one->size;
}

static uint32_t id_of(const uint8_t *data, size_t size) {
  if (kind == DNS_UDP) return size < 12 ? ~0u : (uint32_t)data[0] << 8 | data[1];
  return size < 12 ? ~0u : big32(data + 8);
}

static int is_right(const uint8_t *data, size_t size, uint64_t number) {
  const struct request *one = request_of(number);
  int good = 1;
  switch (kind) {
    case HANDLE_UDP:
    case HANDLE_TCP: good = size >= 44 && big32(data + 8) == ((uint32_t)number & id_mask()) && big32(data + 24) == expected_code; break;
    case DNS_UDP: good = size >= 12 && (data[2] & 0x80) && !(data[2] & 0x02) && !(data[3] & 0x0F) && (data[6] | data[7]); break;
    case HTTP: good = size >= 12 && !memcmp(data, "HTTP/1.1 200", 12); break;
    case REDIS: good = data[0] == '$' && data[1] != '-'; break;
    case ECHO_UDP: break;
  }
  return good && (!one->must_size || memmem(data, size, one->must, one->must_size));
}

/* Bytes of the first whole message in a stream; 0 = not all of it is there yet. */
static size_t whole(const uint8_t *data, size_t have) {
  if (kind == HANDLE_TCP) {
    size_t size = have < 20 ? 0 : 20 + (size_t)big32(data + 16);
    return size && size <= have ? size : 0;
  }
  const uint8_t *end = memmem(data, have, kind == HTTP ? "\r\n\r\n" : "\r\n", kind == HTTP ? 4 : 2);
  if (!end) return 0;
  size_t head = (size_t)(end - data) + (kind == HTTP ? 4 : 2), body = 0;
  if (kind == REDIS) {
    if (data[0] != '$' || data[1] == '-') return head;
    body = strtoul((const char *)data + 1, NULL, 10) + 2;
  } else {
    for (const uint8_t *line = memchr(data, '\n', head); line && line + 16 < end; line = memchr(line + 1, '\n', (size_t)(end - line - 1)))
      if (!strncasecmp((const char *)line + 1, "content-length:", 15)) body = strtoul((const char *)line + 16, NULL, 10);
  }
  return head + body <= have ? head + body : 0;
}

/* ------------------------------------------------------------------------------------------------------- datagrams */

static void send_group(struct group *group) {
  static uint8_t bytes[BATCH][DATAGRAM];
  static struct iovec parts[BATCH];
  static struct mmsghdr messages[BATCH];
  do turn = (turn + 1) % socket_count; while (group_of[turn] >= 0);
  group->socket = turn, group->first = next_number, group->missing = BATCH, group->seen = 0;
  group->sent_ns = now_ns();
  group_of[turn] = (int)(group - groups);
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){bytes[i], write_request(bytes[i], next_number++)};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  for (int sent = 0; sent < BATCH;) {
    int more = sendmmsg(sockets[turn], messages + sent, (unsigned)(BATCH - sent), 0);
    if (more <= 0) break; /* what did not go out will be missing */
    sent += more;
  }
}

static void end_group(struct group *group, struct tally *tally) {
  tally->lost += (uint64_t)group->missing;
  group_of[group->socket] = -1;
  group->missing = 0;
}

/* How many of the group's answers were waiting in its socket. */
static int receive_group(struct group *group, struct tally *tally) {
  static uint8_t bytes[BATCH][DATAGRAM];
  static struct iovec parts[BATCH];
  static struct mmsghdr messages[BATCH];
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){bytes[i], DATAGRAM};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  int count = recvmmsg(sockets[group->socket], messages, BATCH, MSG_DONTWAIT, NULL);
  for (int i = 0; i < count; i++) {
    uint32_t id = id_of(bytes[i], messages[i].msg_len);
    uint32_t place = (id - (uint32_t)group->first) & id_mask();
    if (place >= BATCH || group->seen & 1u << place) continue; /* late: counted as lost already */
    group->seen |= 1u << place;
    group->missing--;
    if (is_right(bytes[i], messages[i].msg_len, group->first + place)) tally->answers++;
    else tally->wrong++;
  }
  return count > 0 ? count : 0;
}

static void await_any_group(void) {
  static struct pollfd waiting[MAX_GROUPS];
  int count = 0;
  for (int i = 0; i < group_count; i++)
    if (groups[i].missing) waiting[count++] = (struct pollfd){.fd = sockets[groups[i].socket], .events = POLLIN};
  poll(waiting, (nfds_t)count, 10);
}

static void run_datagrams(uint64_t until_ns, struct tally *tally) {
  for (int i = 0; i < group_count; i++) send_group(&groups[i]);
  for (int alive = group_count; alive;) {
    int received = 0;
    uint64_t now = now_ns();
    for (int i = 0; i < group_count; i++) {
      struct group *group = &groups[i];
      if (!group->missing) continue;
      received += receive_group(group, tally);
      if (group->missing && now < group->sent_ns + PATIENCE_NS) continue;
      end_group(group, tally);
      if (now < until_ns && next_number < last_number) send_group(group);
      else alive--;
    }
    if (received) continue;
    if (has_own_core) idle_ns += now_ns() - now;
    else await_any_group();
  }
}

/* Open loop: each request is due at its time, whether or not answers come back, and waits are counted from then. */
static int by_size(const void *a, const void *b) { return (*(const uint32_t *)a > *(const uint32_t *)b) - (*(const uint32_t *)a < *(const uint32_t *)b); }

static void watch(int count) {
  poller = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, sockets[i], &event)) die("epoll_ctl");
  }
}

static void pace(double seconds, double rate, struct tally *tally, uint32_t *waits_ns, uint64_t total) {
  static uint64_t due[RING], number_of[RING];
  static uint8_t bytes[DATAGRAM];
  struct epoll_event events[64];
  memset(due, 0, sizeof due);
  int used = socket_count < PACED_SOCKETS ? socket_count : PACED_SOCKETS;
  watch(used);
  uint64_t start = now_ns(), sent = 0, first = next_number, heard = 0, end = start + (uint64_t)(seconds * 1e9);
  uint64_t last_ns = end; /* of the schedule, or of what was sent behind it because this process came late */
  for (;;) {
    uint64_t now = now_ns();
    if (sent == total && (heard == total || now > last_ns + PATIENCE_NS)) break;
    while (sent < total && start + (uint64_t)((double)sent / rate * 1e9) <= now) {
      uint64_t number = next_number++, slot = number % RING;
      due[slot] = start + (uint64_t)((double)sent / rate * 1e9), number_of[slot] = number;
      uint32_t size = write_request(bytes, number);
      if (send(sockets[sent % (uint64_t)used], bytes, size, MSG_DONTWAIT) < 0) { /* will be missing */ }
      sent++;
      if (now > end) last_ns = now;
    }
    int ready = epoll_wait(poller, events, 64, 0);
    if (ready <= 0) idle_ns += now_ns() - now;
    for (int i = 0; i < ready; i++) {
      ssize_t got = recv(sockets[events[i].data.u32], bytes, DATAGRAM, MSG_DONTWAIT);
      if (got < 12) continue;
      uint64_t slot = id_of(bytes, (size_t)got) % RING;
      if (!due[slot] || number_of[slot] < first) continue;
      uint64_t wait = now_ns() - due[slot];
      due[slot] = 0;
      heard++;
      if (!is_right(bytes, (size_t)got, number_of[slot])) tally->wrong++;
      else waits_ns[tally->answers++] = wait > UINT32_MAX ? UINT32_MAX : (uint32_t)wait;
    }
  }
  close(poller);
  tally->lost = sent - heard;
  qsort(waits_ns, tally->answers, sizeof *waits_ns, by_size);
}

/* --------------------------------------------------------------------------------------------------------- streams */

static void ask(struct stream *one) {
  static uint8_t bytes[16384];
  one->asked = next_number++;
  uint32_t size = write_request(bytes, one->asked);
  if (send(one->fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size) die("send");
  one->have = 0;
}

static void run_streams(uint64_t until_ns, struct tally *tally) {
  struct epoll_event events[64];
  for (int i = 0; i < socket_count; i++) ask(&streams[i]);
  int alive = socket_count;
  uint64_t heard_ns = now_ns();
  while (alive) {
    uint64_t asked_ns = now_ns();
    int ready = epoll_wait(poller, events, 64, has_own_core ? 0 : 100);
    uint64_t now = now_ns();
    if (ready > 0) heard_ns = now;
    else if (has_own_core) idle_ns += now - asked_ns;
    if (now - heard_ns > STREAM_PATIENCE_NS) {
      fprintf(stderr, "no answer for 5 s on %d connections\n", alive);
      exit(3);
    }
    for (int i = 0; i < ready; i++) {
      struct stream *one = &streams[events[i].data.u32];
      ssize_t got = recv(one->fd, one->data + one->have, STREAM - one->have, MSG_DONTWAIT);
      if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        fprintf(stderr, "the server closed a connection\n");
        exit(3);
      }
      one->have += (size_t)got;
      size_t size = whole(one->data, one->have);
      if (!size) continue;
      if (size == one->have && is_right(one->data, size, one->asked)) tally->answers++;
      else tally->wrong++;
      if (now < until_ns && next_number < last_number) ask(one);
      else alive--;
    }
  }
}

/* ------------------------------------------------------------------------------------------------------------ start */

static void open_sockets(const char *address, int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, address, &to.sin_addr) != 1) exit(2);
  int is_stream = kind >= HANDLE_TCP, one = 1;
  streams = is_stream ? calloc((size_t)socket_count, sizeof *streams) : NULL;
  for (int i = 0; i < socket_count; i++) {
    int fd = socket(AF_INET, is_stream ? SOCK_STREAM : SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    sockets[i] = fd, group_of[i] = -1;
    if (is_stream) {
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      streams[i] = (struct stream){.fd = fd, .data = malloc(STREAM + 1)};
    }
  }
  if (is_stream) watch(socket_count);
}

static void obey(char *line) {
  double seconds = 0, rate = 0;
  unsigned long long times = 0;
  struct tally tally = {0, 0, 0};
  uint32_t *waits_ns = NULL;
  idle_ns = 0;
  uint64_t cpu = cpu_ns(), start = now_ns();
  if (sscanf(line, "code %u", &expected_code) == 1) return;
  if (sscanf(line, "pace %lf %lf", &seconds, &rate) == 2 && kind < HANDLE_TCP) {
    uint64_t total = (uint64_t)(seconds * rate);
    waits_ns = calloc(total + 1, sizeof *waits_ns);
    pace(seconds, rate, &tally, waits_ns, total);
  } else if (sscanf(line, "run %lf", &seconds) == 1 || sscanf(line, "warm %llu", &times) == 1) {
    uint64_t until = times ? UINT64_MAX : start + (uint64_t)(seconds * 1e9);
    warm_times = times;
    if (times) next_number = 0, last_number = request_count * times;
    if (kind < HANDLE_TCP) run_datagrams(until, &tally);
    else run_streams(until, &tally);
    warm_times = 0, last_number = UINT64_MAX;
  } else {
    exit(2);
  }
  uint64_t wall = now_ns() - start, spent = cpu_ns() - cpu, busy = wall > idle_ns ? wall - idle_ns : 0;
  printf("%llu %llu %llu %llu %llu", (unsigned long long)tally.answers, (unsigned long long)tally.lost,
         (unsigned long long)tally.wrong, (unsigned long long)(spent < busy ? spent : busy), (unsigned long long)wall);
  static const double SHARES[] = {0.5, 0.9, 0.99, 0.999, 1.0};
  for (size_t i = 0; waits_ns && tally.answers && i < 5; i++) {
    uint64_t place = (uint64_t)(SHARES[i] * (double)tally.answers);
    printf(" %.1f", waits_ns[place < tally.answers ? place : tally.answers - 1] / 1000.0);
  }
  printf("\n");
  fflush(stdout);
  free(waits_ns);
}

int main(int count, char **words) {
  char line[256];
  if (count != 7) return 2;
  for (kind = HANDLE_UDP; kind <= REDIS && strcmp(words[1], KINDS[kind]); kind++) continue;
  socket_count = atoi(words[5]);
  group_count = (atoi(words[6]) + BATCH - 1) / BATCH;
  if (kind > REDIS || socket_count < 1 || socket_count > MAX_SOCKETS || group_count < 1 || group_count > MAX_GROUPS) return 2;
  if (kind < HANDLE_TCP && group_count > socket_count) group_count = socket_count;
  has_own_core = sysconf(_SC_NPROCESSORS_ONLN) > 1;
  read_requests(words[4]);
  open_sockets(words[2], atoi(words[3]));
  printf("ready %llu\n", (unsigned long long)request_count);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) obey(line);
  return 0;
}
