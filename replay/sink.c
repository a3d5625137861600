// SPDX-License-Identifier: Apache-2.0
// The poll loop of spansink: listener, sockets, time. HTTP/2 is left to sink_http.c.
#include "replay/sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/opt.h"
#include "replay/sink_http.h"

#define RECEIVE_SIZE (256 * KIB)
#define BACKLOG 512
// Reads of one connection before the others have their turn.
#define READS_MAX 8
#define WAIT_MAX_MS 60000

struct connection {
	int fd;
	struct sink_http *http;
	struct view unsent; // borrowed from http until all of it is gone
	int64_t next_tick_ns;
};

struct sink {
	struct sink_service service;
	int listener;
	int wake[2]; // sink_stop writes, the loop reads
	char address[64];
	struct connection *connections;
	struct pollfd *polls; // wake, listener, one for each connection
	size_t count, capacity;
	bool full;	// no descriptor was left for a connection; until one is closed
	uint8_t *input; // RECEIVE_SIZE
};

// ---- Opening ------------------------------------------------------------------------------

static enum status parse_listen(const struct sink_options *o, struct sockaddr_in *a,
				struct err *e)
{
	const char *colon = strrchr(o->listen, ':');
	char host[64];
	uint64_t port;
	size_t size;
	enum status st;

	if (colon == NULL)
		return err_set(e, ERR_USAGE,
			       "--listen %s: HOST:PORT is needed, such as 127.0.0.1:0",
			       o->listen);
	size = (size_t)(colon - o->listen);
	if (size >= sizeof(host))
		return err_set(e, ERR_USAGE, "--listen %s: the host is too long", o->listen);
	memcpy(host, o->listen, size);
	host[size] = '\0';
	st = parse_u64(colon + 1, 0, 65535, "--listen: port", &port, e);
	if (st != OK)
		return st;
	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (strcmp(host, "localhost") == 0)
		a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (inet_pton(AF_INET, host, &a->sin_addr) != 1)
		return err_set(e, ERR_USAGE, "--listen %s: %s is no IPv4 address", o->listen,
			       host);
	if ((ntohl(a->sin_addr.s_addr) >> 24) != 127 && !o->allow_remote)
		return err_set(e, ERR_USAGE,
			       "--listen %s: not a loopback address; --allow-remote permits it",
			       o->listen);
	return OK;
}

static enum status set_nonblocking(int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set_errno(e, ERR_IO, errno, "socket");
	return OK;
}

static enum status open_listener(struct sink *s, const struct sink_options *o, struct err *e)
{
	struct sockaddr_in a;
	socklen_t size = sizeof(a);
	char host[INET_ADDRSTRLEN];
	int on = 1;
	enum status st = parse_listen(o, &a, e);

	if (st != OK)
		return st;
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (s->listener < 0)
		return err_set_errno(e, ERR_NETWORK, errno, "socket");
	if (setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(s->listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(s->listener, BACKLOG) < 0 ||
	    getsockname(s->listener, (struct sockaddr *)&a, &size) < 0)
		return err_set_errno(e, ERR_NETWORK, errno, "--listen %s", o->listen);
	if (inet_ntop(AF_INET, &a.sin_addr, host, sizeof(host)) == NULL)
		return err_set_errno(e, ERR_NETWORK, errno, "--listen %s", o->listen);
	snprintf(s->address, sizeof(s->address), "%s:%u", host, (unsigned)ntohs(a.sin_port));
	return set_nonblocking(s->listener, e);
}

enum status sink_open(struct sink **out, const struct sink_options *o, struct err *e)
{
	struct sink *s = mem_zalloc(1, sizeof(*s));
	enum status st;

	*out = NULL;
	s->listener = s->wake[0] = s->wake[1] = -1;
	s->input = mem_alloc(RECEIVE_SIZE);
	st = open_listener(s, o, e);
	if (st == OK && pipe(s->wake) < 0)
		st = err_set_errno(e, ERR_IO, errno, "pipe");
	if (st == OK)
		st = set_nonblocking(s->wake[0], e);
	if (st == OK)
		st = set_nonblocking(s->wake[1], e);
	if (st == OK)
		st = sink_service_open(&s->service, o->db, o->null, s->address, e);
	if (st != OK) {
		sink_close(s);
		return st;
	}
	*out = s;
	return OK;
}

const char *sink_address(const struct sink *s)
{
	return s->address;
}

struct sink_totals sink_get_totals(const struct sink *s)
{
	return s->service.totals;
}

// ---- Connections --------------------------------------------------------------------------

static struct sink_time now(void)
{
	return (struct sink_time){.wall_ms = clock_wall_ms(),
				  .monotonic_ns = clock_monotonic_ns()};
}

static void drop(struct sink *s, size_t at)
{
	sink_http_free(s->connections[at].http);
	close(s->connections[at].fd);
	s->connections[at] = s->connections[--s->count];
	s->full = false;
}

static void add(struct sink *s, int fd)
{
	struct sink_http *http = sink_http_new(&s->service);

	if (http == NULL) {
		close(fd);
		return;
	}
	if (s->count == s->capacity) {
		s->capacity = s->capacity > 0 ? 2 * s->capacity : 16;
		s->connections =
			mem_realloc(s->connections, s->capacity, sizeof(*s->connections));
		s->polls = mem_realloc(s->polls, s->capacity + 2, sizeof(*s->polls));
	}
	s->connections[s->count++] =
		(struct connection){.fd = fd, .http = http, .next_tick_ns = INT64_MAX};
}

static void accept_all(struct sink *s)
{
	struct err ignored;
	int fd, on = 1;

	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		if (set_nonblocking(fd, &ignored) != OK) {
			close(fd);
			continue;
		}
		// A failure costs latency only.
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		add(s, fd);
	}
	// Asking again at once would spin.
	s->full = errno == EMFILE || errno == ENFILE;
}

// false: the connection is over.
static bool flush(struct connection *c)
{
	for (;;) {
		ssize_t n;

		if (c->unsent.size == 0 && !sink_http_send(c->http, &c->unsent))
			return false;
		if (c->unsent.size == 0)
			return !sink_http_done(c->http);
		n = send(c->fd, c->unsent.data, c->unsent.size, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		c->unsent.data += n;
		c->unsent.size -= (size_t)n;
	}
}

// false: the connection is over.
static bool receive(struct sink *s, struct connection *c)
{
	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = recv(c->fd, s->input, RECEIVE_SIZE, 0);
		struct sink_time t;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		if (n == 0)
			return false;
		t = now();
		if (!sink_http_receive(c->http,
				       (struct view){(const char *)s->input, (size_t)n}, &t)) {
			(void)flush(c); // says why, when HTTP/2 lets it
			return false;
		}
		if ((size_t)n < RECEIVE_SIZE)
			break;
	}
	return true;
}

static bool serve(struct sink *s, struct connection *c, short events)
{
	struct sink_time t;

	if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !receive(s, c))
		return false;
	t = now();
	c->next_tick_ns = sink_http_tick(c->http, &t);
	return flush(c);
}

// ---- The loop -----------------------------------------------------------------------------

static int wait_ms(const struct sink *s)
{
	int64_t next = INT64_MAX, left;

	for (size_t i = 0; i < s->count; i++)
		if (s->connections[i].next_tick_ns < next)
			next = s->connections[i].next_tick_ns;
	if (next == INT64_MAX)
		return -1;
	left = next - clock_monotonic_ns();
	if (left <= 0)
		return 0;
	left = left / NS_PER_MS + 1;
	return left > WAIT_MAX_MS ? WAIT_MAX_MS : (int)left;
}

static void prepare_polls(struct sink *s, struct pollfd *polls)
{
	polls[0] = (struct pollfd){.fd = s->wake[0], .events = POLLIN};
	polls[1] = (struct pollfd){.fd = s->full ? -1 : s->listener, .events = POLLIN};
	for (size_t i = 0; i < s->count; i++) {
		const struct connection *c = &s->connections[i];

		polls[i + 2] = (struct pollfd){.fd = c->fd, .events = POLLIN};
		if (c->unsent.size > 0)
			polls[i + 2].events |= POLLOUT;
	}
}

// One round over the connections, last first: a dropped one is replaced by one that was served.
static void serve_all(struct sink *s)
{
	uint64_t changes = s->service.registry.changes;
	int64_t t = clock_monotonic_ns();

	for (size_t i = s->count; i-- > 0;) {
		struct connection *c = &s->connections[i];

		if ((s->polls[i + 2].revents != 0 || c->next_tick_ns <= t) &&
		    !serve(s, c, s->polls[i + 2].revents))
			drop(s, i);
	}
	if (changes == s->service.registry.changes)
		return;
	// A schema change may be what calls of other connections wait for.
	for (size_t i = s->count; i-- > 0;)
		if (s->connections[i].next_tick_ns != INT64_MAX &&
		    !serve(s, &s->connections[i], 0))
			drop(s, i);
}

enum status sink_run(struct sink *s, struct err *e)
{
	struct sink_time t;

	if (s->polls == NULL)
		s->polls = mem_zalloc(2, sizeof(*s->polls));
	for (;;) {
		prepare_polls(s, s->polls);
		if (poll(s->polls, (nfds_t)(s->count + 2), wait_ms(s)) < 0) {
			if (errno == EINTR)
				continue;
			return err_set_errno(e, ERR_IO, errno, "poll");
		}
		if (s->polls[0].revents != 0)
			break;
		serve_all(s);
		if (s->polls[1].revents != 0)
			accept_all(s);
	}
	t = now();
	while (s->count > 0) {
		sink_http_shut_down(s->connections[0].http);
		(void)sink_http_tick(s->connections[0].http, &t);
		(void)flush(&s->connections[0]); // as far as the socket takes it
		drop(s, 0);
	}
	return OK;
}

void sink_stop(struct sink *s)
{
	int saved = errno;
	ssize_t n = write(s->wake[1], "", 1);

	(void)n; // a full pipe wakes the loop too
	errno = saved;
}

void sink_close(struct sink *s)
{
	if (s == NULL)
		return;
	while (s->count > 0)
		drop(s, 0);
	sink_service_close(&s->service);
	for (int i = 0; i < 2; i++)
		if (s->wake[i] >= 0)
			close(s->wake[i]);
	if (s->listener >= 0)
		close(s->listener);
	free(s->connections);
	free(s->polls);
	free(s->input);
	free(s);
}
