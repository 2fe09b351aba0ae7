/*
 * delay DEVICE MILLISECONDS: makes a TUN device and gives every packet that is routed into it back after that time, in order.
 * What tc's netem does where the kernel has it. Ends at the end of its standard input.
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { PACKETS = 16384, SIZE = 2048 };

static struct packet {
	long long due;
	ssize_t length;
	char bytes[SIZE];
} queue[PACKETS];

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

int main(int count, char **words)
{
	if (count != 3)
		return 2;
	int delay = atoi(words[2]);
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	strncpy(request.ifr_name, words[1], IFNAMSIZ - 1);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0) {
		perror("delay: the TUN device");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	unsigned first = 0, last = 0;
	struct pollfd files[] = {{.fd = tun, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	for (;;) {
		int wait = -1;
		if (first != last) {
			long long left = queue[first % PACKETS].due - now();
			wait = left < 0 ? 0 : (int)left;
		}
		poll(files, 2, wait);
		if (files[1].revents != 0)
			return 0;
		/* A full queue loses what comes, as a router's does. */
		char spare[SIZE];
		for (;;) {
			int full = last - first == PACKETS;
			struct packet *free = &queue[last % PACKETS];
			ssize_t length = read(tun, full ? spare : free->bytes, SIZE);
			if (length <= 0)
				break;
			if (full)
				continue;
			free->length = length;
			free->due = now() + delay;
			last++;
		}
		while (first != last && queue[first % PACKETS].due <= now()) {
			struct packet *ready = &queue[first % PACKETS];
			if (write(tun, ready->bytes, ready->length) < 0)
				perror("delay: a packet");
			first++;
		}
	}
}
