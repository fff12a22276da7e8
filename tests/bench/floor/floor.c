/*
 * The least a server can do on this kernel: one level-triggered epoll loop that
 * takes every blank line for the end of a request and answers each with the same
 * bytes, all answers to one read in one write. It parses nothing, has no
 * deadline, no limit, no log. Nobody can be faster by this way, so its CPU time
 * per request is what the kernel costs.
 *
 * floor PORT          keeps connections on PORT; those on PORT+1 it closes after
 *                     their first answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY "Hello, World!\n"
#define HEAD "HTTP/1.1 200 OK\r\nServer: floor\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 14\r\nConnection: "
#define MAXFD 20000
#define BURST 64 /* answers to one read at most: more than wrk ever sends */

static const char keep[] = HEAD "keep-alive\r\n\r\n" BODY;
static const char once[] = HEAD "close\r\n\r\n" BODY;
static char answers[BURST * (sizeof keep - 1)];
static struct { char closes, partial; } conns[MAXFD]; /* partial: bytes of the blank line already seen */

static void die(const char *what) { perror(what); exit(1); }

static int listener(int ep, int port) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* accepted sockets inherit it */
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) die("listen");
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev)) die("epoll_ctl");
    return fd;
}

/* Counts the blank lines of one read, also one that began in the read before. */
static int requests(int fd, const char *p, int n) {
    const char *end = p + n, *hit;
    int count = 0;
    while (conns[fd].partial && p < end) {
        if (*p++ != "\r\n\r\n"[(int)conns[fd].partial]) conns[fd].partial = 0;
        else if (++conns[fd].partial == 4) { conns[fd].partial = 0; count++; }
    }
    for (; (hit = memmem(p, end - p, "\r\n\r\n", 4)); p = hit + 4) count++;
    if (p < end && end[-1] != '\n' && end[-1] != '\r') return count;
    for (int k = 3; k > 0; k--)
        if (end - p >= k && !memcmp(end - k, "\r\n\r", k)) { conns[fd].partial = k; break; }
    return count;
}

int main(int argc, char **argv) {
    static char in[65536];
    struct epoll_event events[512];
    int ep = epoll_create1(0), port = argc > 1 ? atoi(argv[1]) : 8000;
    int lkeep = listener(ep, port), lclose = listener(ep, port + 1);
    for (int i = 0; i < BURST; i++) memcpy(answers + i * (sizeof keep - 1), keep, sizeof keep - 1);
    for (;;) {
        int n = epoll_wait(ep, events, 512, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == lkeep || fd == lclose) {
                for (int c; (c = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    struct epoll_event ev = {.events = EPOLLIN, .data.fd = c};
                    if (c >= MAXFD) { close(c); continue; }
                    conns[c].closes = fd == lclose;
                    conns[c].partial = 0;
                    epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev);
                }
                continue;
            }
            int got = recv(fd, in, sizeof in, 0);
            if (got <= 0) {
                if (got == 0 || errno != EAGAIN) close(fd);
                continue;
            }
            int count = requests(fd, in, got);
            if (count == 0) continue;
            if (conns[fd].closes) {
                send(fd, once, sizeof once - 1, MSG_NOSIGNAL);
                close(fd);
                continue;
            }
            int size = (count < BURST ? count : BURST) * (int)(sizeof keep - 1);
            if (send(fd, answers, size, MSG_NOSIGNAL) != size) close(fd); /* a client that does not read */
        }
    }
}
