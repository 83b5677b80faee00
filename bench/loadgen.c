// Load over kept-alive connections, from one thread: HTTP/1.1, or gRPC over HTTP/2.
//
// cc -O2 -o loadgen loadgen.c -lm
// loadgen IP PORT REQUESTS CONNECTIONS SECONDS RATE SEED http|grpc
//
// REQUESTS holds one request after the other: its length (4 bytes, little-endian) and its bytes as
// they go over the wire; of gRPC the frames of one call, whose stream number is filled in here.
// Each is chosen at random, and a connection has one request under way at a time.
//
// RATE 0 is a closed loop: a connection sends its next request when the last one is answered.
// Any other RATE is an open loop: requests are due at the times of a Poisson process of so many a
// second, whether or not others are answered, and a request's time counts from when it was due, so
// that what waits for a free connection is not left out (coordinated omission).
//
// Every connection first has one request answered, which is not counted. Prints one JSON object.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, FRAME = 9, STAGGER_US = 4000, GRACE_S = 10, ROOM = 1 << 16 };

typedef struct { uint8_t *bytes; uint32_t length, data; } Request;  // data: bytes of its DATA frames

typedef struct {
  int socket, busy, counted;
  int held, blocked;  // its request waits for the server's window; for room in the socket
  double due;
  const Request *request;
  uint8_t *in, *out;  // received and not read yet; the request as it is sent
  size_t have, room, sent, size;
  uint32_t stream, answered;  // of the call under way: its number, and bytes of its answer
  int64_t window;             // bytes of DATA the server takes now
} Connection;

static Request *requests;
static size_t request_count, latency_count, latency_room;
static double *latencies;
static Connection *connections;
static int connection_count, poll_set, grpc;
static struct sockaddr_in server;
static long refused, broken, answered, in_time;
static uint64_t random_state;
static double end_of_load;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint64_t random_bits(void) {  // xorshift64
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

static double random_gap(double rate) { return -log(1 - (random_bits() >> 11) * 0x1p-53) / rate; }

static void die(const char *what) {
  perror(what);
  exit(2);
}

static uint32_t big_endian(const uint8_t *bytes, int count) {
  uint32_t value = 0;
  while (count--) value = value << 8 | *bytes++;
  return value;
}

static void write_big_endian(uint8_t *bytes, uint32_t value) {
  for (int k = 0; k < 4; k++) bytes[k] = value >> (24 - 8 * k);
}

static void read_requests(const char *path) {
  FILE *file = fopen(path, "rb");
  uint32_t length;
  if (!file) die(path);
  while (fread(&length, 4, 1, file) == 1) {
    requests = realloc(requests, (request_count + 1) * sizeof *requests);
    Request *each = &requests[request_count++];
    *each = (Request){malloc(length), length, 0};
    if (fread(each->bytes, 1, length, file) != length) die("a request is cut off");
    for (uint32_t place = 0; grpc && place < length;) {
      uint32_t size = big_endian(each->bytes + place, 3);
      if (each->bytes[place + 3] == DATA) each->data += size;
      place += FRAME + size;
    }
  }
  fclose(file);
  if (!request_count) die("no requests");
}

static void send_all(Connection *c, const void *bytes, size_t size) {  // a few bytes of HTTP/2
  while (size) {
    ssize_t count = send(c->socket, bytes, size, MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) return;  // the next receive tells that it is closed
    if (count > 0) bytes = (const char *)bytes + count, size -= count;
  }
}

static void send_frame(Connection *c, int type, int flags, const uint8_t *body, uint32_t size) {
  uint8_t frame[FRAME + 64] = {size >> 16, size >> 8, size, type, flags};
  if (size) memcpy(frame + FRAME, body, size);
  send_all(c, frame, FRAME + size);
}

static void greet(Connection *c) {  // HTTP/2: no header table, 2 GB of answers
  const uint8_t settings[] = {0, 1, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff};
  const uint8_t wider[] = {0x7f, 0, 0, 0};
  send_all(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
  send_frame(c, SETTINGS, 0, settings, sizeof settings);
  send_frame(c, WINDOW_UPDATE, 0, wider, sizeof wider);
}

static void open_connection(Connection *c) {
  int one = 1;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  c->socket = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(c->socket, (void *)&server, sizeof server)) die("connect");
  fcntl(c->socket, F_SETFL, O_NONBLOCK);
  epoll_ctl(poll_set, EPOLL_CTL_ADD, c->socket, &event);
  c->have = c->blocked = 0;
  c->stream = -1;  // the first is 1, and then every second
  c->window = 65535;
  if (grpc) greet(c);
}

static void watch(Connection *c, uint32_t events, int blocked) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  c->blocked = blocked;
  epoll_ctl(poll_set, EPOLL_CTL_MOD, c->socket, &event);
}

static void push(Connection *c) {  // the rest of the request, as far as the socket takes it
  while (c->sent < c->size) {
    ssize_t count = send(c->socket, c->out + c->sent, c->size - c->sent, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EAGAIN && !c->blocked) watch(c, EPOLLIN | EPOLLOUT, 1);
      return;  // that it is closed, the next receive tells
    }
    c->sent += count;
  }
  if (c->blocked) watch(c, EPOLLIN, 0);
}

static void put_on_wire(Connection *c) {
  const Request *r = c->request;
  c->held = grpc && c->window < (int64_t)r->data;
  if (c->held) return;
  c->out = realloc(c->out, c->size = r->length);
  memcpy(c->out, r->bytes, r->length);
  c->sent = c->answered = 0;
  if (grpc) {
    c->stream += 2;
    c->window -= r->data;
    for (uint32_t place = 0; place < r->length; place += FRAME + big_endian(c->out + place, 3))
      write_big_endian(c->out + place + 5, c->stream);
  }
  push(c);
}

static void begin(Connection *c, double due, int counted) {
  c->busy = 1;
  c->due = due;
  c->counted = counted;
  c->request = &requests[random_bits() % request_count];
  put_on_wire(c);
}

static void finish(Connection *c, int good) {
  double t = now();
  c->busy = 0;
  if (!good) refused++;
  if (!c->counted) return;
  if (latency_count == latency_room) {
    latency_room = latency_room ? 2 * latency_room : ROOM;
    latencies = realloc(latencies, latency_room * sizeof *latencies);
  }
  latencies[latency_count++] = t - c->due;
  answered += good;
  in_time += good && t <= end_of_load;
}

static void drop(Connection *c, size_t count) {  // what is read of the bytes received
  c->have -= count;
  memmove(c->in, c->in + count, c->have);
}

// The first response among the bytes received, if it is whole: its length and status, and whether
// the server closes the connection after it. 0 if it is not whole yet.
static size_t whole_response(Connection *c, int *status, int *closes) {
  char *start = (char *)c->in, *head = memmem(start, c->have, "\r\n\r\n", 4), *next;
  long length = 0, size;
  int chunked = 0;
  if (!head) return 0;
  *status = atoi(start + 9);
  *closes = 0;
  for (char *line = start; line < head; line = next + 2) {
    next = memmem(line, head - line + 2, "\r\n", 2);
    if (!strncasecmp(line, "content-length:", 15)) length = atol(line + 15);
    if (!strncasecmp(line, "transfer-encoding:", 18)) chunked = 1;
    if (!strncasecmp(line, "connection: close", 17)) *closes = 1;
  }
  size_t place = head - start + 4;
  if (!chunked) return place + length <= c->have ? place + length : 0;
  do {
    next = memmem(start + place, c->have - place, "\r\n", 2);
    if (!next) return 0;
    size = strtol(start + place, NULL, 16);
    place = next - start + 2 + size + 2;
    if (place > c->have) return 0;
  } while (size);
  return place;
}

static int read_http(Connection *c) {  // 0 if the server has closed, or is about to
  int status, closes;
  size_t length = whole_response(c, &status, &closes);
  if (!length) return 1;
  drop(c, length);
  finish(c, status / 100 == 2);
  return !closes;
}

static int read_grpc(Connection *c) {  // a call is answered well when a message came before its end
  size_t place = 0;
  int open = 1;
  while (c->have - place >= FRAME) {
    const uint8_t *frame = c->in + place, *body = frame + FRAME;
    uint32_t size = big_endian(frame, 3), stream = big_endian(frame + 5, 4) & 0x7fffffff;
    int type = frame[3], flags = frame[4];
    if (c->have - place < FRAME + size) break;
    place += FRAME + size;
    if (type == DATA && stream == c->stream) c->answered += size;
    if (type == SETTINGS && !(flags & ACK)) send_frame(c, SETTINGS, ACK, NULL, 0);
    if (type == PING && !(flags & ACK)) send_frame(c, PING, ACK, body, 8);
    if (type == GOAWAY) open = 0;
    if (type == WINDOW_UPDATE && !stream) {
      c->window += big_endian(body, 4);
      if (c->held) put_on_wire(c);
    }
    int ends = ((type == HEADERS || type == DATA) && flags & END_STREAM) || type == RST_STREAM;
    if (ends && stream == c->stream && c->busy) finish(c, c->answered > 5);
  }
  drop(c, place);
  return open;
}

static void reopen(Connection *c) {  // what was under way is sent anew, and counted as broken
  close(c->socket);
  open_connection(c);
  if (c->busy) {
    broken++;
    put_on_wire(c);
  }
}

static void hear(Connection *c) {
  if (c->room - c->have < ROOM) c->in = realloc(c->in, c->room += 2 * ROOM);
  ssize_t count = recv(c->socket, c->in + c->have, c->room - c->have, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count > 0) c->have += count;
  if (count <= 0 || !(grpc ? read_grpc(c) : read_http(c))) reopen(c);
}

static void wait_for(double seconds, int *timer_rang, int timer) {
  struct epoll_event events[64];
  int count = epoll_wait(poll_set, events, 64, seconds * 1000 + 1);
  for (int k = 0; k < count; k++) {
    Connection *c = events[k].data.ptr;
    if (!c) {
      uint64_t times;
      *timer_rang = read(timer, &times, sizeof times) > 0;
      continue;
    }
    if (events[k].events & EPOLLOUT) push(c);
    if (events[k].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(c);
  }
}

static int busy_connections(void) {
  int count = 0;
  for (int k = 0; k < connection_count; k++) count += connections[k].busy;
  return count;
}

static Connection *idle_connection(void) {  // the next after the one used last, all in turn
  static int last;
  for (int k = 0; k < connection_count; k++) {
    Connection *c = &connections[last = (last + 1) % connection_count];
    if (!c->busy) return c;
  }
  return NULL;
}

static void prime(void) {  // one each 4 ms: processes that share a listening socket get even shares
  int rang;
  for (int k = 0; k < connection_count; k++) {
    Connection *c = &connections[k];
    c->in = malloc(c->room = 2 * ROOM);
    open_connection(c);
    begin(c, now(), 0);
    usleep(STAGGER_US);
    wait_for(0, &rang, -1);
  }
  for (double end = now() + GRACE_S; busy_connections() && now() < end;) wait_for(0.1, &rang, -1);
}

static void closed_loop(void) {
  int rang;
  while (now() < end_of_load) {
    for (int k = 0; k < connection_count; k++)
      if (!connections[k].busy) begin(&connections[k], now(), 1);
    wait_for(0.1, &rang, -1);
  }
}

static void open_loop(double rate) {
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), rang = 0;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poll_set, EPOLL_CTL_ADD, timer, &event);
  double due = now() + random_gap(rate), give_up = end_of_load + GRACE_S;
  while (due < end_of_load && now() < give_up) {
    Connection *c;
    while (due < end_of_load && due <= now() && (c = idle_connection())) {
      begin(c, due, 1);
      due += random_gap(rate);
    }
    if (due > now()) {
      struct itimerspec when = {.it_value = {(time_t)due, (long)((due - (time_t)due) * 1e9)}};
      timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    }
    wait_for(0.1, &rang, timer);
  }
  for (; due < end_of_load; due += random_gap(rate)) broken++;  // was due and never sent
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double percentile_ms(double share) {
  return latency_count ? 1000 * latencies[(size_t)(share * (latency_count - 1))] : 0;
}

int main(int argc, char **argv) {
  if (argc != 9) {
    fprintf(stderr, "loadgen IP PORT REQUESTS CONNECTIONS SECONDS RATE SEED http|grpc\n");
    return 1;
  }
  double seconds = atof(argv[5]), rate = atof(argv[6]);
  struct rusage used;
  int rang;
  server.sin_family = AF_INET;
  server.sin_port = htons(atoi(argv[2]));
  inet_pton(AF_INET, argv[1], &server.sin_addr);
  connection_count = atoi(argv[4]);
  random_state = 0x9E3779B97F4A7C15ull * (strtoull(argv[7], NULL, 10) + 1);
  grpc = !strcmp(argv[8], "grpc");
  read_requests(argv[3]);
  connections = calloc(connection_count, sizeof *connections);
  poll_set = epoll_create1(0);
  prime();
  end_of_load = now() + seconds;
  if (rate > 0)
    open_loop(rate);
  else
    closed_loop();
  for (double end = now() + GRACE_S; busy_connections() && now() < end;) wait_for(0.1, &rang, -1);
  broken += busy_connections();
  getrusage(RUSAGE_SELF, &used);
  qsort(latencies, latency_count, sizeof *latencies, by_value);
  printf("{\"answered\": %ld, \"rate\": %.2f, \"p50_ms\": %.3f, \"p90_ms\": %.3f, \"p99_ms\": %.3f, "
         "\"max_ms\": %.3f, \"refused\": %ld, \"broken\": %ld, \"client_cpu_s\": %.3f}\n",
         answered, in_time / seconds, percentile_ms(.5), percentile_ms(.9), percentile_ms(.99),
         percentile_ms(1), refused, broken,
         used.ru_utime.tv_sec + used.ru_stime.tv_sec +
             (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6);
  return 0;
}
