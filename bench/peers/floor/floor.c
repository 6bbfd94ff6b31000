// floor: what the kernel alone makes a WebSocket server cost. It reads, unmasks and
// writes, with one write() for each delivery, and checks nothing: no handshake rules, no
// UTF-8, no limits, no slow readers (a full socket loses the rest). Not a server to use.
//
//     floor SOCKET echo|forward|idle
//
// In forward mode it takes part in nv-session's keepalive as cheaply as can be: all answers
// to one read leave in one write, and its own pings ride along with every other answer.

#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAXFD = 65536, BUF = 1 << 18 };

static char up[MAXFD];           // upgraded
static int members[MAXFD];       // descriptors of all that are, in any order
static int place[MAXFD];         // where a descriptor is in members
static int count;
static unsigned char buf[BUF];
static int echo, forward;

static uint32_t rol(uint32_t v, int n) { return v << n | v >> (32 - n); }

// sha1 of a short text, up to 119 bytes.
static void sha1(const char *text, size_t n, unsigned char out[20]) {
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	unsigned char m[128] = {0};
	size_t blocks = n + 9 > 64 ? 2 : 1;
	memcpy(m, text, n);
	m[n] = 0x80;
	m[blocks * 64 - 2] = (n * 8) >> 8;
	m[blocks * 64 - 1] = (n * 8) & 255;
	for (size_t b = 0; b < blocks; b++) {
		uint32_t w[80], a = h[0], e1 = h[1], c = h[2], d = h[3], e = h[4];
		for (int i = 0; i < 16; i++) {
			unsigned char *p = m + b * 64 + i * 4;
			w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
		}
		for (int i = 16; i < 80; i++)
			w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
		for (int i = 0; i < 80; i++) {
			uint32_t f, k;
			if (i < 20) f = (e1 & c) | (~e1 & d), k = 0x5a827999;
			else if (i < 40) f = e1 ^ c ^ d, k = 0x6ed9eba1;
			else if (i < 60) f = (e1 & c) | (e1 & d) | (c & d), k = 0x8f1bbcdc;
			else f = e1 ^ c ^ d, k = 0xca62c1d6;
			uint32_t t = rol(a, 5) + f + e + k + w[i];
			e = d, d = c, c = rol(e1, 30), e1 = a, a = t;
		}
		h[0] += a, h[1] += e1, h[2] += c, h[3] += d, h[4] += e;
	}
	for (int i = 0; i < 20; i++)
		out[i] = h[i / 4] >> (24 - i % 4 * 8);
}

static void base64(const unsigned char *in, int n, char *out) {
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (int i = 0; i < n; i += 3) {
		uint32_t v = in[i] << 16 | (i + 1 < n ? in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
		*out++ = set[v >> 18];
		*out++ = set[v >> 12 & 63];
		*out++ = i + 1 < n ? set[v >> 6 & 63] : '=';
		*out++ = i + 2 < n ? set[v & 63] : '=';
	}
	*out = 0;
}

static void leave(int fd) {
	if (up[fd]) {
		int last = members[--count];
		members[place[fd]] = last;
		place[last] = place[fd];
		up[fd] = 0;
	}
	close(fd);
}

static void put(int fd, const void *p, size_t n) {
	if (write(fd, p, n) < 0 && errno != EAGAIN)
		return; // its reader sees the end
}

static void upgrade(int fd, ssize_t n) {
	char text[128], accept[32], answer[256];
	unsigned char sum[20];
	buf[n] = 0;
	char *key = strstr((char *)buf, "Sec-WebSocket-Key: ");
	if (!key) {
		leave(fd);
		return;
	}
	int len = snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
	sha1(text, len, sum);
	base64(sum, 20, accept);
	len = snprintf(answer, sizeof answer,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
	up[fd] = 1;
	place[fd] = count;
	members[count++] = fd;
	put(fd, answer, len);
}

static unsigned char pinged[MAXFD]; // counts the pings a descriptor was answered

// envelope writes a keepalive envelope as a frame.
static size_t envelope(unsigned char *to, const char *type) {
	int n = sprintf((char *)to + 4, "{\"___type___\":\"___%s___\",\"___id___\":\"%064d\",\"___data___\":\"10000\"}", type, 0);
	to[0] = 0x81, to[1] = 126, to[2] = n >> 8, to[3] = n & 255; // n is 126
	return n + 4;
}

// keepalive answers a message of nv-session's keepalive at to, and gives the answer's
// length: 0 for none, -1 when it was another message.
static int keepalive(int fd, const unsigned char *frame, size_t head, size_t len, unsigned char *to) {
	if ((frame[0] & 15) == 9) {
		to[0] = 0x8a, to[1] = len;
		memcpy(to + 2, frame + head, len);
		return len + 2;
	}
	if ((frame[0] & 15) == 10)
		return 0;
	size_t seen = len < 64 ? len : 64;
	if (memmem(frame + head, seen, "___pong___", 10))
		return 0;
	if (!memmem(frame + head, seen, "___ping___", 10))
		return -1;
	size_t n = envelope(to, "pong");
	if (pinged[fd]++ & 1)
		n += envelope(to + n, "ping");
	return n;
}

// frames turns each masked frame into an unmasked one in place and sends it on. A frame
// cut by the end of the buffer would be lost; the load is too small for that.
static void frames(int fd, ssize_t n) {
	static unsigned char answers[BUF];
	size_t due = 0;
	unsigned char *p = buf, *end = buf + n;
	while (end - p >= 6) {
		size_t len = p[1] & 127, head = 2;
		if (len == 126)
			len = p[2] << 8 | p[3], head = 4;
		if (len == 127 || p + head + 4 + len > end)
			return;
		unsigned char *mask = p + head, *data = mask + 4, *start = p + 4;
		for (size_t i = 0; i < len; i++)
			data[i] ^= mask[i & 3];
		memmove(start, p, head);
		start[1] &= 127;
		if ((start[0] & 15) == 8) {
			put(fd, start, head + len);
			leave(fd);
			return;
		}
		if (echo)
			put(fd, start, head + len);
		int answer = forward && due < BUF - 1024 ? keepalive(fd, start, head, len, answers + due) : -1;
		if (answer >= 0)
			due += answer;
		else if (forward)
			for (int i = 0; i < count; i++)
				if (members[i] != fd)
					put(members[i], start, head + len);
		p = data + len;
	}
	if (due)
		put(fd, answers, due);
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: floor SOCKET echo|forward|idle\n");
		return 2;
	}
	echo = !strcmp(argv[2], "echo");
	forward = !strcmp(argv[2], "forward");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", argv[1]);
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l < 0 || bind(l, (struct sockaddr *)&sa, sizeof sa) || listen(l, 4096)) {
		perror("floor: listen");
		return 1;
	}
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = l}, evs[512];
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	for (;;) {
		int got = epoll_wait(ep, evs, 512, -1);
		for (int i = 0; i < got; i++) {
			int fd = evs[i].data.fd;
			if (fd == l) {
				while ((fd = accept4(l, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
					if (fd >= MAXFD) {
						close(fd);
						continue;
					}
					ev.data.fd = fd;
					epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
				}
				continue;
			}
			ssize_t n = read(fd, buf, sizeof buf - 1);
			if (n < 0 && errno == EAGAIN)
				continue;
			if (n <= 0)
				leave(fd);
			else if (up[fd])
				frames(fd, n);
			else
				upgrade(fd, n);
		}
	}
}
