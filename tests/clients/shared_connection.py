"""A program whose connection does not stay with the process that opened it. Only the standard library.

It connects, does what it is told with the connection, and asks for the list of models over it. Prints one JSON object
per request: the process that asked, the status, and the seconds it took.
"""

import argparse
import array
import json
import os
import socket
import ssl
import sys
import time

HOST = "api.openai.com"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fork", action="store_true", help="a child asks, while this process waits")
    parser.add_argument("--fork-for", type=float, help="a child idles for so many seconds while this process asks")
    parser.add_argument("--move-to", help="the cgroup directory that the child moves itself to")
    parser.add_argument("--pass-to", help="the Unix socket over which the connection is passed before TLS begins")
    parser.add_argument("--take-from", help="the Unix socket on which a connection is received")
    parser.add_argument("--pause", type=float, default=0, help="seconds between the first request and the second")
    parser.add_argument("--requests", type=int, default=1)
    return parser.parse_args()


def ask(connection):
    began = time.monotonic()
    connection.sendall(f"GET /v1/models HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer sk-lab\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        body += connection.recv(65536)
    report = {"pid": os.getpid(), "status": int(head.split()[1]), "seconds": time.monotonic() - began}
    print(json.dumps(report), flush=True)


def give(path, connection):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as way:
        way.connect(path)
        descriptors = array.array("i", [connection.fileno()])
        way.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])


def take(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(1)
        way, _ = listener.accept()
        with way:
            _, descriptors, _, _ = socket.recv_fds(way, 1, 1)
    return socket.socket(fileno=descriptors[0])


def move(options):
    if options.move_to:
        with open(os.path.join(options.move_to, "cgroup.procs"), "w") as processes:
            processes.write(str(os.getpid()))


def main():
    options = arguments()
    if options.take_from:
        connection = take(options.take_from)
    else:
        connection = socket.create_connection((HOST, 443))
    if options.pass_to:
        give(options.pass_to, connection)
        return
    connection = ssl.create_default_context().wrap_socket(connection, server_hostname=HOST)
    if options.fork:
        ask(connection)
        child = os.fork()
        if child == 0:
            move(options)
            ask(connection)
            os._exit(0)
        os.waitpid(child, 0)
        return
    if options.fork_for is not None:
        moved, report = os.pipe()
        child = os.fork()
        if child == 0:
            move(options)
            os.write(report, b"x")
            time.sleep(options.fork_for)
            os._exit(0)
        os.read(moved, 1)
        ask(connection)
        os.waitpid(child, 0)
        return
    for request in range(options.requests):
        if request > 0:
            time.sleep(options.pause)
        ask(connection)


sys.exit(main())
