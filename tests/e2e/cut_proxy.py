#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy on the loopback that breaks connections, for tests.

  cut_proxy.py HOST:PORT N [cut|stall] [HOW_MANY]

Prints "listening on 127.0.0.1:PORT" and forwards to HOST:PORT. After exactly N bytes from the client
on a connection, cut closes it both ways, stall keeps it open and forwards nothing more either way;
each time a line "cut" or "stall" is printed. Only the first HOW_MANY connections that get so far
are broken (default: all). Ends when its standard input does, or by a signal.
"""
import os
import socket
import sys
import threading

CHUNK = 65536


class Budget:
    """How many connections may still be broken."""

    def __init__(self, count):
        self.count = count
        self.lock = threading.Lock()

    def take(self):
        with self.lock:
            if self.count == 0:
                return False
            self.count -= 1
            return True


def close_both(a, b):
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def pump(source, sink, mute):
    """Forwards until the end, which it passes on. While mute is set, what is read is dropped."""
    try:
        while data := source.recv(CHUNK):
            if not mute.is_set():
                sink.sendall(data)
    except OSError:
        pass
    close_both(source, sink)


def pump_client(client, server, limit, mode, budget, mute):
    left = limit
    try:
        while left > 0:
            data = client.recv(min(CHUNK, left))
            if not data:
                close_both(client, server)
                return
            server.sendall(data)
            left -= len(data)
        if budget.take():
            if mode == "stall":
                mute.set()
            else:
                close_both(client, server)
            print(mode, flush=True)
    except OSError:
        close_both(client, server)
        return
    pump(client, server, mute)


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    limit = int(sys.argv[2])
    mode = sys.argv[3] if len(sys.argv) > 3 else "cut"
    budget = Budget(int(sys.argv[4]) if len(sys.argv) > 4 else -1)
    listener = socket.create_server(("127.0.0.1", 0))

    def end_with_stdin():
        while os.read(0, CHUNK):
            pass
        os._exit(0)

    threading.Thread(target=end_with_stdin, daemon=True).start()
    print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        try:
            server = socket.create_connection((host, int(port)))
        except OSError:
            client.close()
            continue
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        mute = threading.Event()
        for target, args in (
            (pump_client, (client, server, limit, mode, budget, mute)),
            (pump, (server, client, mute)),
        ):
            threading.Thread(target=target, args=args, daemon=True).start()


main()
