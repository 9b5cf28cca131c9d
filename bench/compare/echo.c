/* The least a UDP server can do: every datagram is answered with SIZE bytes that begin with its first twelve.
 *
 *   echo SIZE one|many     prints its port; "many" takes and sends up to 64 datagrams in one system call
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MANY = 64, DATAGRAM = 2048 };
static char bytes[MANY][DATAGRAM];
static struct sockaddr_in senders[MANY];
static struct iovec parts[MANY];
static struct mmsghdr messages[MANY];

static void serve_one(int fd, size_t size) {
  for (;;) {
    socklen_t length = sizeof senders[0];
    if (recvfrom(fd, bytes[0], DATAGRAM, 0, (struct sockaddr *)&senders[0], &length) < 0) continue;
    sendto(fd, bytes[0], size, MSG_DONTWAIT, (struct sockaddr *)&senders[0], length);
  }
}

static void serve_many(int fd, size_t size) {
  for (;;) {
    for (int i = 0; i < MANY; i++) {
      parts[i] = (struct iovec){bytes[i], DATAGRAM};
      messages[i].msg_hdr = (struct msghdr){
          .msg_name = &senders[i], .msg_namelen = sizeof senders[i], .msg_iov = &parts[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(fd, messages, MANY, MSG_WAITFORONE, NULL);
    for (int i = 0; i < count; i++) parts[i].iov_len = size;
    for (int sent = 0; sent < count;) {
      int more = sendmmsg(fd, messages + sent, (unsigned)(count - sent), MSG_DONTWAIT);
      sent += more > 0 ? more : 1; /* one that nobody takes is skipped */
    }
  }
}

int main(int count, char **words) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  size_t size = count == 3 ? strtoul(words[1], NULL, 10) : 0;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (size < 12 || size > DATAGRAM || fd < 0) return 2;
  if (bind(fd, (struct sockaddr *)&at, sizeof at) || getsockname(fd, (struct sockaddr *)&at, &length)) return 1;
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  if (!strcmp(words[2], "many")) serve_many(fd, size);
  else serve_one(fd, size);
}
