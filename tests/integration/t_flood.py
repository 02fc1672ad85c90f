#!/usr/bin/env python3
"""A client that writes thousands of requests before it reads an answer: each is answered, in its turn, and the
daemon takes no memory for those that wait."""

import socket
import struct
import threading
import unittest

import harness
import smalltree
from smalltree import COMMUNE

REQUESTS = 3000
GROWTH_MAX_KB = (1024 if harness.SANITIZED else 16) * 1024
FRAME_REQUEST, STATUS, TREE = 11, 6, 7  # numbers of the wire's schema

tree = None


def setUpModule():
    global tree
    tree = smalltree.make()


def tearDownModule():
    if tree is not None:
        tree.stop()


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def frame(number, kind):
    """One request without content."""
    request = varint(1 << 3) + varint(number) + varint(2 << 3) + varint(kind)
    body = varint(FRAME_REQUEST << 3 | 2) + varint(len(request)) + request
    return struct.pack(">I", len(body)) + body


def peak_kb(node):
    with open(f"/proc/{node.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


class Flood(unittest.TestCase):
    def test_requests(self):
        node = tree.nodes[COMMUNE]
        before = peak_kb(node)
        everything = b"".join(frame(i + 1, STATUS if i % 2 else TREE) for i in range(REQUESTS))
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(harness.CONVERGE_LIMIT_S)
            client.connect(f"{node.data}/tally.sock")
            writer = threading.Thread(target=client.sendall, args=(everything,))
            writer.start()
            waiting, answered = b"", 0
            while answered < REQUESTS:
                more = client.recv(65536)
                self.assertTrue(more, f"closed after {answered} answers")
                self.assertNotIn(b"busy", more)  # no more are taken than can be answered
                waiting += more
                while len(waiting) >= 4 and len(waiting) >= 4 + struct.unpack(">I", waiting[:4])[0]:
                    waiting = waiting[4 + struct.unpack(">I", waiting[:4])[0]:]
                    answered += 1
            writer.join()
        self.assertEqual((answered, waiting), (REQUESTS, b""))
        self.assertLess(peak_kb(node) - before, GROWTH_MAX_KB)
        node.tally("status").ok()


if __name__ == "__main__":
    harness.main()
