/*
 * The floor under an attachment: the netlink messages that a pod's interface needs, written by hand, and nothing else.
 *
 *   floor add BRIDGE FIRST NETNS...   attaches each namespace with the address 10.250.x.y, FIRST being y of the first
 *   floor del FIRST COUNT             deletes the links of as many, one after the other
 *   floor exec PROGRAM                reads "VARIABLE=VALUE" lines and, after an empty line, stdin of PROGRAM, up to a line
 *                                     with a dot; runs PROGRAM so; again for each, until the end
 *
 * Prints the nanoseconds of each on a line of its own. Layouts: little endian, LP64.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[4096];
static int length, begin;
static int home;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *put(const void *data, int size) {
  char *at = buffer + length;
  if (data) memcpy(at, data, size);
  else memset(at, 0, size);
  length += (size + 3) & ~3;
  return at;
}

static void message(int type, int flags) {
  begin = length;
  struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags};
  put(&h, sizeof h);
}

static void finish(void) { ((struct nlmsghdr *)(buffer + begin))->nlmsg_len = length - begin; }

static void attribute(int type, const void *data, int size) {
  struct rtattr a = {.rta_len = 4 + size, .rta_type = type};
  put(&a, 4);
  put(data, size);
}

static void number(int type, unsigned value) { attribute(type, &value, 4); }

static int open_nest(int type) {
  int at = length;
  attribute(type, NULL, 0);
  return at;
}

static void close_nest(int at) { ((struct rtattr *)(buffer + at))->rta_len = length - at; }

static int open_socket(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), one = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, 4);
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, 4);
  return fd;
}

/* Sends what was written and reads `acks` acknowledgements; the index of a link that was told, or 0. */
static int transact(int fd, int acks) {
  static char answer[65536];
  int index = 0;
  if (send(fd, buffer, length, 0) < 0) die("send");
  length = 0;
  while (acks > 0) {
    int n = recv(fd, answer, sizeof answer, 0);
    if (n < 0) die("recv");
    for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
      if (h->nlmsg_type == RTM_NEWLINK) index = ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
      if (h->nlmsg_type != NLMSG_ERROR) continue;
      int error = *(int *)NLMSG_DATA(h);
      if (error) fprintf(stderr, "%s\n", strerror(-error)), exit(1);
      acks--;
    }
  }
  return index;
}

static int index_of(int fd, const char *name) {
  struct ifinfomsg link = {0};
  message(RTM_GETLINK, 0);
  put(&link, sizeof link);
  number(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  attribute(IFLA_IFNAME, name, strlen(name) + 1);
  finish();
  return transact(fd, 1);
}

static void add(const char *bridge, int n, const char *path) {
  char name[16], alias[64];
  snprintf(name, sizeof name, "fl%d", n);
  int netns = open(path, O_RDONLY | O_CLOEXEC);
  if (netns < 0 || setns(netns, CLONE_NEWNET)) die(path);
  int inside = open_socket();
  if (setns(home, CLONE_NEWNET)) die("setns");
  int outside = open_socket();

  int master = index_of(outside, bridge);
  struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}, none = {0};
  message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO);
  put(&up, sizeof up);
  attribute(IFLA_IFNAME, name, strlen(name) + 1);
  number(IFLA_MASTER, master);
  number(IFLA_NUM_TX_QUEUES, 1);
  number(IFLA_NUM_RX_QUEUES, 1);
  int info = open_nest(IFLA_LINKINFO);
  attribute(IFLA_INFO_KIND, "veth", 5);
  int data = open_nest(IFLA_INFO_DATA), peer = open_nest(VETH_INFO_PEER);
  put(&none, sizeof none);
  attribute(IFLA_IFNAME, "eth0", 5);
  number(IFLA_NET_NS_FD, netns);
  number(IFLA_NUM_TX_QUEUES, 1);
  number(IFLA_NUM_RX_QUEUES, 1);
  close_nest(peer), close_nest(data), close_nest(info);
  finish();

  struct ifinfomsg own = {.ifi_index = transact(outside, 1)};
  message(RTM_SETLINK, 0);
  put(&own, sizeof own);
  snprintf(alias, sizeof alias, "podfabric:bench/%d", n);
  attribute(IFLA_IFALIAS, alias, strlen(alias));
  finish();
  transact(outside, 1);

  int index = index_of(inside, "eth0");
  up.ifi_index = index;
  message(RTM_SETLINK, 0);
  put(&up, sizeof up);
  finish();
  struct ifaddrmsg row = {.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = index};
  unsigned address = htonl(0x0afa0000 + n), gateway = htonl(0x0afa0001);
  message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  put(&row, sizeof row);
  attribute(IFA_LOCAL, &address, 4);
  attribute(IFA_ADDRESS, &address, 4);
  finish();
  struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = 80, .rtm_type = RTN_UNICAST};
  message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
  put(&route, sizeof route);
  attribute(RTA_GATEWAY, &gateway, 4);
  number(RTA_OIF, index);
  finish();
  transact(inside, 3);
  close(inside), close(outside), close(netns);
}

static void del(int fd, int n) {
  char name[16];
  snprintf(name, sizeof name, "fl%d", n);
  struct ifinfomsg link = {.ifi_index = index_of(fd, name)};
  message(RTM_DELLINK, 0);
  put(&link, sizeof link);
  finish();
  transact(fd, 1);
}

/* As a runtime executes a plugin: environment, stdin, stdout read to its end, exit code. */
static void run(char *program, char **env, const char *input) {
  int in[2], out[2], status;
  char answer[4096], *argv[] = {program, NULL};
  int got = 0, n;
  pid_t pid;
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) die("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  if (posix_spawn(&pid, program, &actions, NULL, argv, env)) die(program);
  close(in[0]), close(out[1]);
  if (write(in[1], input, strlen(input)) < 0) die("write");
  close(in[1]);
  while ((n = read(out[0], answer + got, sizeof answer - 1 - got)) > 0) got += n;
  answer[got] = 0;
  close(out[0]);
  waitpid(pid, &status, 0);
  posix_spawn_file_actions_destroy(&actions);
  if (status) fprintf(stderr, "%s: %s\n", program, answer), exit(1);
}

static void run_all(char *program) {
  char line[4096], input[8192] = "", *env[32];
  int count = 0, in_env = 1;
  while (fgets(line, sizeof line, stdin)) {
    if (strcmp(line, ".\n") == 0) {
      env[count] = NULL;
      long long before = now();
      run(program, env, input);
      printf("%lld\n", now() - before);
      while (count) free(env[--count]);
      input[0] = 0;
      in_env = 1;
    } else if (in_env && line[0] == '\n') {
      in_env = 0;
    } else if (in_env) {
      line[strcspn(line, "\n")] = 0;
      if (count < 31) env[count++] = strdup(line);
    } else {
      strncat(input, line, sizeof input - 1 - strlen(input));
    }
  }
}

int main(int argc, char **argv) {
  home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (argc == 3 && strcmp(argv[1], "exec") == 0) return run_all(argv[2]), 0;
  if (argc > 4 && strcmp(argv[1], "add") == 0) {
    for (int i = 4; i < argc; i++) {
      long long before = now();
      add(argv[2], atoi(argv[3]) + i - 4, argv[i]);
      printf("%lld\n", now() - before);
    }
    return 0;
  }
  if (argc == 4 && strcmp(argv[1], "del") == 0) {
    int fd = open_socket();
    for (int i = 0; i < atoi(argv[3]); i++) {
      long long before = now();
      del(fd, atoi(argv[2]) + i);
      printf("%lld\n", now() - before);
    }
    return 0;
  }
  return 2;
}
