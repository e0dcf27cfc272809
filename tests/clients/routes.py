"""One way to reach an LLM host: connects as its first argument says and prints what came of it as one JSON object.

    connector   the process that called connect
    error       the name of the errno that a system call ended with, or null
    issuer      who signed the certificate that was shown, or null
    answer      the first line of the HTTP answer, or the datagram that came back, or null
"""

import argparse
import array
import ctypes
import errno
import json
import mmap
import os
import socket
import ssl
import struct
import sys
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
MS_BIND = 4096
IPPROTO_MPTCP = 262
TCP_FASTOPEN_CONNECT = 30
MSG_FASTOPEN = 0x20000000
PATIENCE_S = 10
DATAGRAM = b"\xc0weir-lab datagram"


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("route")
    parser.add_argument("--name", default="api.openai.com")
    parser.add_argument("--sni", default="", help="the server name to ask for, where it is not the host's")
    parser.add_argument("--no-sni", action="store_true")
    parser.add_argument("--address", help="connect there without asking for the name")
    parser.add_argument("--port", type=int, default=443)
    parser.add_argument("--trust", required=True)
    parser.add_argument("--device", default="")
    parser.add_argument("--netns", default="")
    parser.add_argument("--ready", help="file to make when what comes before the wait is done")
    parser.add_argument("--gate", help="file to wait for")
    parser.add_argument("--fd", type=int, default=-1)
    parser.add_argument("--connector", type=int, default=0)
    return parser.parse_args()


ARGS = parse()


def check(outcome):
    if outcome < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return outcome


def target(family=socket.AF_INET):
    """The address, by the resolver where none was given."""
    if ARGS.address:
        return ARGS.address, ARGS.port
    found = socket.getaddrinfo(ARGS.name, ARGS.port, family, socket.SOCK_STREAM)
    return found[0][4][:2]


def tcp(protocol=0, family=socket.AF_INET):
    stream = socket.socket(family, socket.SOCK_STREAM, protocol)
    stream.settimeout(PATIENCE_S)
    return stream


def wait():
    """Says that it is ready, and goes on when it may."""
    if not ARGS.gate:
        return
    open(ARGS.ready, "w").close()
    until = time.monotonic() + 60
    while not os.path.exists(ARGS.gate):
        if time.monotonic() > until:
            raise TimeoutError("nobody opened the gate")
        time.sleep(0.01)


# Ways to connect. Each returns a connected stream.


def plain():
    to, stream = target(), tcp()
    stream.connect(to)
    return stream


def ipv6():
    to, stream = target(socket.AF_INET6), tcp(family=socket.AF_INET6)
    stream.connect(to)
    return stream


def mapped():
    address, port = target()
    stream = tcp(family=socket.AF_INET6)
    stream.connect(("::ffff:" + address, port))
    return stream


def mptcp():
    to, stream = target(), tcp(IPPROTO_MPTCP)
    stream.connect(to)
    return stream


def device():
    to, stream = target(), tcp()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ARGS.device.encode() + b"\0")
    stream.connect(to)
    return stream


def tfo_connect():
    to, stream = target(), tcp()
    stream.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    stream.connect(to)
    return stream


def io_uring():
    to, stream = target(), tcp()
    stream.setblocking(True)
    params = bytearray(120)
    ring = check(LIBC.syscall(425, 4, (ctypes.c_char * 120).from_buffer(params)))
    entries, cq_entries = struct.unpack_from("II", params, 0)
    sq_tail, sq_array = struct.unpack_from("I", params, 44)[0], struct.unpack_from("I", params, 64)[0]
    cqes = struct.unpack_from("I", params, 100)[0]
    size = max(sq_array + entries * 4, cqes + cq_entries * 16)
    rings = mmap.mmap(ring, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    queue = mmap.mmap(ring, entries * 64, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0x10000000)
    address = ctypes.create_string_buffer(
        struct.pack("=H", socket.AF_INET) + struct.pack("!H", to[1]) + socket.inet_aton(to[0]) + bytes(8), 16
    )
    # IORING_OP_CONNECT: the length of the address is where other operations have their offset.
    queue[0:32] = struct.pack("=BBHiQQII", 16, 0, 0, stream.fileno(), 16, ctypes.addressof(address), 0, 0)
    struct.pack_into("I", rings, sq_array, 0)
    struct.pack_into("I", rings, sq_tail, struct.unpack_from("I", rings, sq_tail)[0] + 1)
    check(LIBC.syscall(426, ring, 1, 1, 1, None, 0))
    result = struct.unpack_from("=Qi", rings, cqes)[1]
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    stream.settimeout(PATIENCE_S)
    return stream


def second_thread():
    outcome = []

    def work():
        try:
            outcome.append(plain())
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def enter_netns():
    with open("/run/netns/" + ARGS.netns) as namespace:
        check(LIBC.setns(namespace.fileno(), CLONE_NEWNET))


def setns():
    enter_netns()
    return plain()


def unshare():
    to = target()
    check(LIBC.unshare(CLONE_NEWNET))
    stream = tcp()
    stream.connect(to)
    return stream


def hosts_file():
    """The name is in the hosts file, so that no DNS answer comes by."""
    path = "/tmp/hosts-%d" % os.getpid()
    with open(path, "w") as hosts:
        hosts.write("%s %s\n" % (ARGS.address, ARGS.name))
    check(LIBC.mount(path.encode(), b"/etc/hosts", None, MS_BIND, None))
    os.unlink(path)
    ARGS.address = None
    return plain()


def dns_over_tcp():
    """The name is asked for over TCP, where the programs do not read."""
    path = "/tmp/resolv-%d" % os.getpid()
    with open("/etc/resolv.conf") as conf, open(path, "w") as own:
        own.write(conf.read() + "options use-vc\n")
    check(LIBC.mount(path.encode(), b"/etc/resolv.conf", None, MS_BIND, None))
    os.unlink(path)
    return plain()


def opened_before():
    stream = tcp()
    wait()
    stream.connect(target())
    return stream


def resolved_before():
    to = target()
    wait()
    stream = tcp()
    stream.connect(to)
    return stream


# Ways in which a connection, or a socket that will be one, gets to another process.


def in_child(work):
    """The outcome of `work` in a child that executes nothing."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        os.close(ours)
        report = work()
        os.write(theirs, json.dumps(report).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        return json.loads(pipe.read())


def send_socket(channel, stream):
    channel.sendmsg([b"s"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [stream.fileno()]))])


def receive_socket(channel):
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
    stream = socket.socket(fileno=struct.unpack("i", ancillary[0][2][:4])[0])
    stream.settimeout(PATIENCE_S)
    return stream


def forked():
    return in_child(lambda: over_tls(plain))


def inherited_by_child():
    stream, connector = plain(), os.getpid()
    return in_child(lambda: over_tls(lambda: stream, connector))


def inherited_by_exec():
    stream = plain()
    os.set_inheritable(stream.fileno(), True)
    more = ["--fd", str(stream.fileno()), "--connector", str(os.getpid())]
    os.execv(sys.executable, [sys.executable, sys.argv[0], "given", *sys.argv[2:], *more])


def given():
    stream = socket.socket(fileno=ARGS.fd)
    stream.settimeout(PATIENCE_S)
    return over_tls(lambda: stream, ARGS.connector)


def passed_connected():
    ours, theirs = socket.socketpair()
    send_socket(ours, plain())
    connector = os.getpid()
    return in_child(lambda: over_tls(lambda: receive_socket(theirs), connector))


def passed_unconnected():
    ours, theirs = socket.socketpair()
    to = target()
    send_socket(ours, tcp())

    def connect():
        stream = receive_socket(theirs)
        stream.connect(to)
        return stream

    return in_child(lambda: over_tls(connect))


# What is said once connected.


def context():
    made = ssl.create_default_context(cafile=ARGS.trust)
    made.check_hostname = not ARGS.no_sni
    return made


def server_name():
    return None if ARGS.no_sni else ARGS.sni or ARGS.name


def shown(certificate):
    return dict(part[0] for part in certificate["issuer"]).get("commonName")


def request():
    return ("GET /v1/models HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n" % (ARGS.sni or ARGS.name)).encode()


def report(connector=None, error=None, issuer=None, answer=None):
    return {"connector": connector or os.getpid(), "error": error, "issuer": issuer, "answer": answer}


def named(error):
    if isinstance(error, (ssl.SSLEOFError, ConnectionAbortedError)):
        return "closed"
    if isinstance(error, ssl.SSLError):
        return error.reason or type(error).__name__
    if isinstance(error, TimeoutError) and not error.errno:
        return "timeout"
    return errno.errorcode.get(error.errno, type(error).__name__)


def over_tls(connect, connector=None):
    try:
        with context().wrap_socket(connect(), server_hostname=server_name()) as tls:
            issuer = shown(tls.getpeercert())
            tls.sendall(request())
            answer = tls.makefile("rb").readline().decode().strip()
            return report(connector, None, issuer, answer)
    except OSError as error:
        return report(connector, named(error))


def tfo_send():
    """The ClientHello goes with the connect itself, so TLS is done by hand."""
    try:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context().wrap_bio(incoming, outgoing, server_hostname=server_name())
        to, stream = target(), tcp()

        def pump(step):
            while True:
                try:
                    result = step()
                    stream.sendall(outgoing.read())
                    return result
                except ssl.SSLWantReadError:
                    if not pump.connected:
                        # With a time limit the socket would not wait for the connection.
                        stream.setblocking(True)
                        stream.sendto(outgoing.read(), MSG_FASTOPEN, to)
                        stream.settimeout(PATIENCE_S)
                        pump.connected = True
                    stream.sendall(outgoing.read())
                    incoming.write(stream.recv(65536))

        pump.connected = False
        pump(tls.do_handshake)
        issuer = shown(tls.getpeercert())
        pump(lambda: tls.write(request()))
        return report(None, None, issuer, pump(lambda: tls.read(65536)).split(b"\r\n")[0].decode())
    except OSError as error:
        return report(None, named(error))


def established_before():
    """A connection that makes one request before the wait and, if it lives, one after it."""
    try:
        with context().wrap_socket(plain(), server_hostname=server_name()) as tls:
            issuer, lines = shown(tls.getpeercert()), tls.makefile("rb")
            line = request().replace(b"connection: close\r\n", b"")
            for before in (True, False):
                tls.sendall(line)
                answer, length = lines.readline().decode().strip(), 0
                while (head := lines.readline()) not in (b"\r\n", b""):
                    if head.lower().startswith(b"content-length:"):
                        length = int(head.split(b":")[1])
                lines.read(length)
                if before:
                    wait()
            return report(None, None, issuer, answer or "closed")
    except OSError as error:
        return report(None, named(error))


def pinned():
    """Tries again when it is shown a certificate that it does not trust."""
    first = over_tls(plain)
    return over_tls(plain) if first["error"] == "CERTIFICATE_VERIFY_FAILED" else first


def clear():
    """Plain text, to a port where no TLS is spoken."""
    try:
        with plain() as stream:
            stream.sendall(b"hello")
            return report(None, None, None, stream.recv(64).decode())
    except OSError as error:
        return report(None, named(error))


def lookup():
    """Asks for the name and nothing more. glibc connects UDP sockets to the addresses, to sort them by whether they can
    be reached, and sends nothing."""
    try:
        found = socket.getaddrinfo(ARGS.name, ARGS.port, 0, socket.SOCK_STREAM)
        return report(None, None, None, " ".join(entry[4][0] for entry in found))
    except OSError as error:
        return report(None, named(error))


# Datagrams.


def datagrams(send):
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.settimeout(2)
            send(sender)
            return report(None, None, None, sender.recv(2048).decode("latin-1"))
    except OSError as error:
        return report(None, named(error))


def udp_connected(sender):
    sender.connect(target())
    sender.send(DATAGRAM)


def udp_sendto(sender):
    sender.sendto(DATAGRAM, target())


def udp_sendmsg(sender):
    sender.sendmsg([DATAGRAM], [], 0, target())


def udp_older(sender):
    """Connected while nothing knew the address."""
    sender.connect((ARGS.address, ARGS.port))
    sender.send(DATAGRAM)
    sender.recv(2048)
    ARGS.address = None
    target()
    time.sleep(0.1)
    sender.send(DATAGRAM)


STREAMS = {
    "plain": plain,
    "ipv6": ipv6,
    "mapped": mapped,
    "mptcp": mptcp,
    "device": device,
    "tfo-connect": tfo_connect,
    "io-uring": io_uring,
    "second-thread": second_thread,
    "setns": setns,
    "unshare": unshare,
    "hosts-file": hosts_file,
    "dns-over-tcp": dns_over_tcp,
    "opened-before": opened_before,
    "resolved-before": resolved_before,
}
WHOLE = {
    "tfo-send": tfo_send,
    "fork": forked,
    "inherited-by-child": inherited_by_child,
    "inherited-by-exec": inherited_by_exec,
    "given": given,
    "passed-connected": passed_connected,
    "passed-unconnected": passed_unconnected,
    "established-before": established_before,
    "pinned": pinned,
    "clear": clear,
    "lookup": lookup,
}
DATAGRAMS = {
    "udp-connected": udp_connected,
    "udp-sendto": udp_sendto,
    "udp-sendmsg": udp_sendmsg,
    "udp-older": udp_older,
}

if ARGS.route in STREAMS:
    done = over_tls(STREAMS[ARGS.route])
elif ARGS.route in WHOLE:
    done = WHOLE[ARGS.route]()
else:
    done = datagrams(DATAGRAMS[ARGS.route])
print(json.dumps(done))
