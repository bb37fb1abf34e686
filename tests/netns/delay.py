#!/usr/bin/env python3
"""Joins two network devices so that every frame arrives later than it was sent.

For kernels without `tc netem`. Usage: delay.py DEVICE DEVICE MICROSECONDS

Runs until it is killed. The devices must hand over frames as they go on the wire, so it turns off
on both what a network card would do for them: segmentation and checksums.
"""

import collections
import ctypes
import fcntl
import select
import socket
import struct
import sys
import time

SIOCETHTOOL = 0x8946
# ETHTOOL_SRXCSUM, STXCSUM, SSG, STSO, SGSO, SGRO
FEATURES = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)
ALL_PROTOCOLS = 3
OUTGOING = 4
# A frame that finds so many before it is lost, as in the buffer of a switch.
MOST_WAITING = 20000


def plain(device):
    """Turns off the help of the card."""
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for feature in FEATURES:
        value = ctypes.create_string_buffer(struct.pack("II", feature, 0))
        request = struct.pack("16sP", device.encode(), ctypes.addressof(value))
        try:
            fcntl.ioctl(control, SIOCETHTOOL, request)
        except OSError:
            pass  # This kind of device has none.
    control.close()


def listen(device):
    plain(device)
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    port.bind((device, 0))
    port.setblocking(False)
    return port


def main():
    first, second, delay = sys.argv[1], sys.argv[2], int(sys.argv[3]) / 1e6
    ports = [listen(first), listen(second)]
    other = {ports[0]: ports[1], ports[1]: ports[0]}
    waiting = collections.deque()
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, port, frame = waiting.popleft()
            try:
                port.send(frame)
            except OSError:
                pass  # The link is down: lost.
        wait = max(0.0, waiting[0][0] - now) if waiting else None
        ready, _, _ = select.select(ports, [], [], wait)
        due = time.monotonic() + delay
        for port in ready:
            for _ in range(64):
                try:
                    frame, address = port.recvfrom(65536)
                except BlockingIOError:
                    break
                except OSError:
                    break  # The link is down.
                if address[2] != OUTGOING and len(waiting) < MOST_WAITING:
                    waiting.append((due, other[port], frame))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
