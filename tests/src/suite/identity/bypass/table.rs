//! The table: each way to an LLM host, what becomes of it under which configuration, and what tells of it. `docs/coverage.md`
//! shows the same table to operators; a test compares the two.

use super::case::{Case, Outcome, Row, Scope, Start, To, Told};
use Outcome::{Intercepted, Passed, Refused, Spliced};
use Scope::{AllTls, AllTlsDeny, Close, Deny, PassQuic, Resolved};
use Told::{Agent, Connection, Counter, Kernel, Repeated};

/// A way that is a connection like any other, in both modes.
const INTERCEPTED: &[Case] = &[
    Case::new(Resolved, Intercepted, &[Connection("intercepted")]),
    Case::new(AllTls, Intercepted, &[Connection("intercepted")]),
];

/// A ClientHello that names an LLM host goes to an address that nobody has seen a DNS answer for.
const UNMARKED: &[Case] = &[
    Case::new(Resolved, Passed, &[Kernel("passed_unmarked_address")]),
    // Every retransmission is refused as well.
    Case::new(Deny, Refused("timeout"), &[Repeated("refused_unmarked_address")]),
    Case::new(AllTls, Intercepted, &[Connection("intercepted")]),
];

/// UDP to an intercepted port of an LLM host, of a socket that is connected.
const QUIC_CONNECTED: &[Case] = &[
    Case::new(Resolved, Refused("EPERM"), &[Kernel("refused_quic")]),
    Case::new(PassQuic, Passed, &[Kernel("passed_quic")]),
    Case::new(AllTls, Refused("EPERM"), &[Kernel("refused_quic")]),
];

/// The same of a socket that is not.
const QUIC_UNCONNECTED: &[Case] = &[
    Case::new(Resolved, Refused("ECONNREFUSED"), &[Kernel("refused_quic")]),
    Case::new(PassQuic, Passed, &[Kernel("passed_quic")]),
    Case::new(AllTls, Refused("ECONNREFUSED"), &[Kernel("refused_quic")]),
];

/// Nothing listens where the connection would be sent.
const NO_LISTENER: &[Case] = &[
    Case::new(Resolved, Passed, &[Kernel("passed_no_listener")]),
    Case::new(Deny, Refused("EPERM"), &[Kernel("refused_no_listener")]),
    Case::new(AllTls, Passed, &[Kernel("passed_no_listener")]),
    Case::new(AllTlsDeny, Refused("EPERM"), &[Kernel("refused_no_listener")]),
];

/// Every row, in the order of the document.
pub(super) const ROWS: &[Row] = &[
    Row::new("Plain `connect`, IPv4", "plain", INTERCEPTED),
    Row::new("Plain `connect`, IPv6", "ipv6", INTERCEPTED),
    Row::new("IPv4-mapped IPv6 address", "mapped", INTERCEPTED),
    Row::new("`connect` from a second thread", "second-thread", INTERCEPTED),
    Row::new(
        "`connect` in a child that executes nothing (`fork`, `clone`)",
        "fork",
        INTERCEPTED,
    ),
    Row::new(
        "TCP Fast Open by `TCP_FASTOPEN_CONNECT`",
        "tfo-connect",
        INTERCEPTED,
    ),
    Row::new("TCP Fast Open by `MSG_FASTOPEN`", "tfo-send", INTERCEPTED),
    Row::new("Multipath TCP", "mptcp", INTERCEPTED),
    Row::new("`connect` by io_uring", "io-uring", INTERCEPTED),
    Row::new(
        "Connected socket inherited by a child",
        "inherited-by-child",
        INTERCEPTED,
    ),
    Row::new(
        "Connected socket kept across `exec`",
        "inherited-by-exec",
        INTERCEPTED,
    ),
    Row::new(
        "Connected socket passed by `SCM_RIGHTS`",
        "passed-connected",
        INTERCEPTED,
    ),
    Row::new(
        "Socket passed by `SCM_RIGHTS`, then connected",
        "passed-unconnected",
        INTERCEPTED,
    ),
    Row::new(
        "`setns` into a namespace of other workloads, then `connect`",
        "setns",
        INTERCEPTED,
    )
    .started(Start::EntersVisited),
    Row::new(
        "`setns` into a namespace that had no process, then `connect`",
        "setns",
        NO_LISTENER,
    )
    .started(Start::EntersUnvisited),
    Row::new("Namespace whose loopback interface is down", "plain", NO_LISTENER).started(Start::LoopbackDown),
    Row::new(
        "Socket bound to a device (`SO_BINDTODEVICE`)",
        "device",
        &[
            Case::new(Resolved, Passed, &[Kernel("passed_bound_device")]),
            Case::new(Deny, Refused("EPERM"), &[Kernel("refused_bound_device")]),
            Case::new(AllTls, Passed, &[Kernel("passed_bound_device")]),
            Case::new(AllTlsDeny, Refused("EPERM"), &[Kernel("refused_bound_device")]),
        ],
    ),
    Row::new(
        "Name lookup by `getaddrinfo`, which connects UDP sockets and sends nothing",
        "lookup",
        &[Case::new(Resolved, Passed, &[]), Case::new(AllTls, Passed, &[])],
    ),
    Row::new("QUIC: UDP, connected socket", "udp-connected", QUIC_CONNECTED),
    Row::new("QUIC: UDP, `sendto`", "udp-sendto", QUIC_UNCONNECTED),
    Row::new("QUIC: UDP, `sendmsg`", "udp-sendmsg", QUIC_UNCONNECTED),
    Row::new(
        "QUIC: UDP socket connected before the address was marked",
        "udp-older",
        &[
            Case::new(Resolved, Refused("EPERM"), &[Kernel("refused_older_quic")]),
            Case::new(PassQuic, Passed, &[Kernel("passed_older_quic")]),
        ],
    )
    .to(To::Unmarked),
    Row::new(
        "Literal address, no server name",
        "plain",
        &[
            Case::new(Resolved, Passed, &[]),
            Case::new(AllTls, Spliced, &[Connection("spliced_no_server_name")]),
        ],
    )
    .to(To::Unmarked)
    .with(&["--no-sni"]),
    Row::new(
        "Names resolved elsewhere (DNS over HTTPS, a literal address with a server name)",
        "plain",
        UNMARKED,
    )
    .to(To::Unmarked),
    Row::new("Name from a hosts file", "hosts-file", UNMARKED).to(To::Unmarked),
    Row::new("Name resolved by DNS over TCP", "dns-over-tcp", UNMARKED).to(To::UnmarkedName),
    Row::new(
        "No server name, at an LLM host's address",
        "plain",
        &[
            Case::new(
                Resolved,
                Spliced,
                &[
                    Agent("no_server_name", "passed"),
                    Connection("spliced_no_server_name"),
                ],
            ),
            Case::new(
                Deny,
                Refused("TLSV1_ALERT_ACCESS_DENIED"),
                &[
                    Agent("no_server_name", "refused"),
                    Connection("refused_no_server_name"),
                ],
            ),
            Case::new(
                AllTls,
                Spliced,
                &[
                    Agent("no_server_name", "passed"),
                    Connection("spliced_no_server_name"),
                ],
            ),
        ],
    )
    .with(&["--no-sni"]),
    Row::new(
        "Pinned client: does not trust the node's CA, tries twice",
        "pinned",
        &[
            Case::new(
                Resolved,
                Spliced,
                &[
                    Agent("untrusted_ca", "refused"),
                    Agent("untrusted_ca", "passed"),
                    Connection("client_distrusts_ca"),
                    Connection("spliced_untrusted_ca"),
                ],
            ),
            Case::new(
                AllTls,
                Spliced,
                &[
                    Agent("untrusted_ca", "refused"),
                    Agent("untrusted_ca", "passed"),
                    Connection("client_distrusts_ca"),
                    Connection("spliced_untrusted_ca"),
                ],
            ),
        ],
    ),
    Row::new(
        "Foreign server name at an LLM host's address",
        "plain",
        &[
            Case::new(Resolved, Spliced, &[Connection("spliced_not_listed")]),
            Case::new(AllTls, Spliced, &[Connection("spliced_not_listed")]),
        ],
    )
    .with(&["--sni", "www.example.test"]),
    Row::new(
        "Foreign site",
        "plain",
        &[
            Case::new(Resolved, Passed, &[]),
            Case::new(AllTls, Spliced, &[Connection("spliced_not_listed")]),
        ],
    )
    .to(To::Foreign),
    Row::new(
        "Port that is not intercepted",
        "clear",
        &[
            Case::new(Resolved, Passed, &[Counter("passed_port")]),
            Case::new(AllTls, Passed, &[Counter("passed_port")]),
        ],
    )
    .with(&["--port", "8443"]),
    Row::new(
        "Socket opened before the agent, connected after",
        "opened-before",
        INTERCEPTED,
    )
    .started(Start::BeforeAgent),
    Row::new(
        "Name resolved before the agent, connected after",
        "resolved-before",
        INTERCEPTED,
    )
    .started(Start::BeforeAgent),
    Row::new(
        "Connection established before the agent",
        "established-before",
        &[
            Case::new(Resolved, Passed, &[Agent("older_connection", "passed")]),
            Case::new(AllTls, Passed, &[Agent("older_connection", "passed")]),
            Case::new(Close, Refused("closed"), &[Agent("older_connection", "refused")]),
        ],
    )
    .started(Start::BeforeAgent),
];
