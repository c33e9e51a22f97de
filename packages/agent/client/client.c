// The thin client that stands in a container runtime's folder of plugins: one small static program for all of them.
// It hands its call to the agent of the node and prints the answer; where nobody listens, it becomes the fallback.
//
// Of a call it sends its own file name (the plugin's type), CNI's variables, the trace context and stdin, with CNI_NETNS
// opened here and passed as a descriptor. The connection stays open until the answer is there: when this process is
// killed, the agent sees that, gives the call up and undoes it.
//
// Where things are is written behind the program itself, once for each installed copy: see `trailer` below, and
// src/exec/trailer.ts, which writes it. Nothing is looked for on PATH.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  MAX_STDIN = 8388608,       // as a plugin reads at most
  MAX_ANSWER = 20971520,     // as the agent sends at most
  MAX_TRAILER = 16384,
  HEADER = 16,
};

static const char *const handed_over[] = {
    "CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH", "TRACEPARENT", "TRACESTATE",
};

struct buffer {
  char *data;
  size_t length, room;
};

struct trailer {
  const char *socket, *state, *node, *script;
};

static void put(int fd, const char *data, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, data, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return; // whoever was to read it is gone
    data += n;
    length -= (size_t)n;
  }
}

static void say(const char *text) { put(1, text, strlen(text)); }

// An error object of the specification. Texts are ours alone, so that nothing is to be escaped.
static int fail(const char *code, const char *message) {
  say("{\"cniVersion\":\"1.1.0\",\"code\":");
  say(code);
  say(",\"msg\":\"");
  say(message);
  say("\"}\n");
  return 1;
}

static int append(struct buffer *to, const void *data, size_t length) {
  if (to->length + length > to->room) {
    size_t room = to->room ? to->room : 4096;
    while (room < to->length + length) room *= 2;
    char *more = realloc(to->data, room);
    if (!more) return -1;
    to->data = more;
    to->room = room;
  }
  memcpy(to->data + to->length, data, length);
  to->length += length;
  return 0;
}

static void put32(char *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (char)(value >> (8 * i));
}

static uint32_t get32(const char *at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) value |= (uint32_t)(unsigned char)at[i] << (8 * i);
  return value;
}

static uint32_t checksum(const char *data, size_t length) { // FNV-1a
  uint32_t sum = 2166136261u;
  for (size_t i = 0; i < length; i++) sum = (sum ^ (unsigned char)data[i]) * 16777619u;
  return sum;
}

// The end of this program's file: three texts, each ended by a zero (socket, node, script), then 16 octets: their
// length, their checksum, and "PFTRAIL1". All of it is checked before any is believed.
static int read_trailer(struct trailer *found) {
  static char texts[MAX_TRAILER];
  char end[16];
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  off_t size = lseek(fd, 0, SEEK_END);
  int ok = size > 16 && pread(fd, end, 16, size - 16) == 16 && memcmp(end + 8, "PFTRAIL1", 8) == 0;
  uint32_t length = ok ? get32(end) : 0;
  ok = ok && length >= 3 && length <= MAX_TRAILER && (off_t)length <= size - 16 &&
       pread(fd, texts, length, size - 16 - (off_t)length) == (ssize_t)length &&
       checksum(texts, length) == get32(end + 4) && texts[length - 1] == 0;
  close(fd);
  if (!ok) return -1;
  const char *part[4];
  const char *at = texts;
  for (int i = 0; i < 4; i++) {
    if (at >= texts + length) return -1;
    part[i] = at;
    at += strlen(at) + 1;
  }
  if (at != texts + length) return -1;
  *found = (struct trailer){part[0], part[1], part[2], part[3]};
  return 0;
}

// 0, or -1 with errno.
static int connect_to(int fd, const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  strcpy(address.sun_path, path);
  int result;
  do result = connect(fd, (struct sockaddr *)&address, sizeof address);
  while (result < 0 && errno == EINTR);
  return result;
}

static int send_all(int fd, const char *data, size_t length, int passed) {
  char room[CMSG_SPACE(sizeof(int))];
  while (length > 0) {
    struct iovec vector = {(void *)data, length};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (passed >= 0) {
      memset(room, 0, sizeof room);
      message.msg_control = room;
      message.msg_controllen = sizeof room;
      struct cmsghdr *control = CMSG_FIRSTHDR(&message);
      control->cmsg_level = SOL_SOCKET;
      control->cmsg_type = SCM_RIGHTS;
      control->cmsg_len = CMSG_LEN(sizeof(int));
      memcpy(CMSG_DATA(control), &passed, sizeof(int));
    }
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    passed = -1;
    data += n;
    length -= (size_t)n;
  }
  return 0;
}

static int read_all(int fd, struct buffer *to, size_t most) {
  char piece[65536];
  for (;;) {
    ssize_t n = read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) return 0;
    if (to->length + (size_t)n > most) return 1;
    if (append(to, piece, (size_t)n) < 0) return -1;
  }
}

int main(int argc, char **argv) {
  (void)argc;
  signal(SIGPIPE, SIG_IGN);
  struct trailer trailer;
  if (read_trailer(&trailer) < 0) return fail("999", "this plugin was not installed whole; run podfabric install again");
  const char *command = getenv("CNI_COMMAND");
  const char *path = getenv("PODFABRIC_AGENT");
  if (!path || !*path) path = trailer.socket;

  const char *type = argv[0] ? argv[0] : "";
  const char *slash = strrchr(type, '/');
  if (slash) type = slash + 1;

  // VERSION, and being called by hand, are answered by the script: no agent is needed for them.
  int fd = -1;
  if (command && *command && strcmp(command, "VERSION") != 0) {
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect_to(fd, path) < 0) {
      int reason = errno;
      close(fd);
      fd = -1;
      if (reason != ENOENT && reason != ECONNREFUSED) return fail("5", "the agent's socket cannot be connected to");
    }
  }
  if (fd < 0) {
    // stdin has not been touched: the script reads it.
    signal(SIGPIPE, SIG_DFL);
    // A runtime's helpers may be started without its environment: the state is the node's, whoever calls.
    setenv("PODFABRIC_AGENT", path, 1);
    const char *state = getenv("PODFABRIC_STATE");
    if (!state || !*state) setenv("PODFABRIC_STATE", trailer.state, 1);
    char *const fallback[] = {(char *)trailer.node, (char *)trailer.script, (char *)type, NULL};
    execv(trailer.node, fallback);
    return fail("50", "no agent answers, and the fallback cannot be started; run podfabric install again");
  }

  struct buffer call = {0};
  char header[HEADER];
  memset(header, 0, sizeof header);
  if (append(&call, header, HEADER) < 0 || append(&call, type, strlen(type)) < 0) return fail("5", "out of memory");
  size_t env_from = call.length;
  for (size_t i = 0; i < sizeof handed_over / sizeof *handed_over; i++) {
    const char *value = getenv(handed_over[i]);
    if (!value) continue;
    if (append(&call, handed_over[i], strlen(handed_over[i])) < 0 || append(&call, "=", 1) < 0 ||
        append(&call, value, strlen(value) + 1) < 0)
      return fail("5", "out of memory");
  }
  size_t stdin_from = call.length;
  int read = read_all(0, &call, stdin_from + MAX_STDIN);
  if (read > 0) return fail("6", "stdin is longer than the 8388608 octets that are read");
  if (read < 0) return fail("5", "stdin cannot be read");
  memcpy(call.data, "PFC1", 4);
  put32(call.data + 4, (uint32_t)(env_from - HEADER));
  put32(call.data + 8, (uint32_t)(stdin_from - env_from));
  put32(call.data + 12, (uint32_t)(call.length - stdin_from));

  const char *netns = getenv("CNI_NETNS");
  int passed = netns && *netns ? open(netns, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
  // A failed send is not the end: the agent may have answered before it had read all.
  send_all(fd, call.data, call.length, passed);

  struct buffer answer = {0};
  if (read_all(fd, &answer, MAX_ANSWER) != 0 || answer.length < HEADER || memcmp(answer.data, "PFA1", 4) != 0)
    return fail("5", "the agent broke off");
  uint32_t code = get32(answer.data + 4), out = get32(answer.data + 8), err = get32(answer.data + 12);
  if (code > 255 || (uint64_t)out + err + HEADER != answer.length) return fail("5", "the agent broke off");
  put(1, answer.data + HEADER, out);
  put(2, answer.data + HEADER + out, err);
  return (int)code;
}
