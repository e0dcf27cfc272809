//! DNS answers mark addresses before they are read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use monitor_common::Reason;
use monitor_common::dns::{TTL_CEILING_S, TTL_FLOOR_S};

use crate::rig::{Rig, rig};

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;

/// An answer under construction (RFC 1035 section 4.1), to a question for `name`.
struct Answer {
    bytes: Vec<u8>,
    records: u16,
}

fn encode(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

impl Answer {
    fn to(name: &str) -> Self {
        let mut bytes = vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend(encode(name));
        bytes.extend([0, TYPE_A as u8, 0, 1]);
        Self { bytes, records: 0 }
    }

    fn record(mut self, owner: &[u8], kind: u16, ttl_s: u32, data: &[u8]) -> Self {
        self.bytes.extend_from_slice(owner);
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend([0, 1]);
        self.bytes.extend(ttl_s.to_be_bytes());
        self.bytes.extend((data.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(data);
        self.records += 1;
        self
    }

    /// A record whose owner is the question's name, by a pointer to it.
    fn address(self, address: &str, ttl_s: u32) -> Self {
        match address.parse().unwrap() {
            IpAddr::V4(v4) => self.record(&[0xc0, 12], TYPE_A, ttl_s, &v4.octets()),
            IpAddr::V6(v6) => self.record(&[0xc0, 12], TYPE_AAAA, ttl_s, &v6.octets()),
        }
    }

    fn bytes(mut self) -> Vec<u8> {
        self.bytes[6..8].copy_from_slice(&self.records.to_be_bytes());
        self.bytes
    }
}

/// Sends a message from a DNS server's port to a socket of this process. It is marked when it can be read.
fn deliver(from: &str, message: &[u8]) {
    let server = UdpSocket::bind((from.parse::<IpAddr>().unwrap(), 53)).unwrap();
    let any: IpAddr = if from.contains(':') {
        Ipv6Addr::LOCALHOST.into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    };
    let client = UdpSocket::bind((any, 0)).unwrap();
    client
        .set_read_timeout(Some(std::time::Duration::from_secs(5)))
        .unwrap();
    server.send_to(message, client.local_addr().unwrap()).unwrap();
    let mut read = vec![0; 65_536];
    assert_eq!(client.recv(&mut read).unwrap(), message.len());
}

fn answered(answer: Answer) {
    deliver("127.0.0.153", &answer.bytes());
}

/// An answer for a name with one address.
pub(crate) fn answer(name: &str, address: &str) {
    answered(Answer::to(name).address(address, 60));
}

fn marked(rig: &Rig) -> Vec<String> {
    rig.marked()
        .iter()
        .map(|(address, _)| address.to_string())
        .collect()
}

fn named(test: &str, names: &[&str]) -> Option<Rig> {
    let rig = rig(test)?;
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    rig.kernel.set_names(&names).unwrap();
    Some(rig)
}

#[test]
fn an_exact_name_marks_its_addresses() {
    let Some(rig) = named("exact names", &["api.openai.com"]) else {
        return;
    };
    answered(
        Answer::to("api.openai.com")
            .address("192.0.2.1", 60)
            .address("192.0.2.2", 60),
    );
    assert_eq!(marked(&rig), ["192.0.2.1", "192.0.2.2"]);
    for other in [
        "openai.com",
        "xapi.openai.com",
        "x.api.openai.com",
        "api.openai.com.example",
        "com",
    ] {
        answered(Answer::to(other).address("192.0.2.99", 60));
    }
    assert_eq!(marked(&rig).len(), 2);
    assert_eq!(rig.count(Reason::DnsAnswers), 1);
    assert_eq!(rig.count(Reason::AddressMarked), 2);
}

#[test]
fn a_suffix_marks_every_name_below_it_and_not_itself() {
    let Some(rig) = named("suffixes", &["*.llm.example"]) else {
        return;
    };
    answered(Answer::to("a.llm.example").address("192.0.2.1", 60));
    answered(Answer::to("c.b.a.llm.example").address("192.0.2.2", 60));
    answered(Answer::to("llm.example").address("192.0.2.98", 60));
    answered(Answer::to("evilllm.example").address("192.0.2.99", 60));
    assert_eq!(marked(&rig), ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn a_dot_inside_a_label_is_no_boundary() {
    let Some(rig) = named("dots in labels", &["*.llm.example", "x.llm.example"]) else {
        return;
    };
    let mut bytes = Answer::to("x").address("192.0.2.99", 60).bytes();
    // One label `x.llm` below `example`, and one label `x.llm.example`.
    for name in [&b"\x05x.llm\x07example\0"[..], &b"\x0dx.llm.example\0"[..]] {
        let tail = bytes.split_off(15);
        bytes.truncate(12);
        bytes.extend_from_slice(name);
        bytes.extend(tail);
        deliver("127.0.0.153", &bytes);
        bytes = Answer::to("x").address("192.0.2.99", 60).bytes();
    }
    assert_eq!(marked(&rig), [""; 0]);
}

#[test]
fn letters_of_either_case_are_equal() {
    let Some(rig) = named("mixed case", &["Api.OpenAI.com"]) else {
        return;
    };
    answered(Answer::to("aPI.oPENai.COM").address("192.0.2.1", 60));
    assert_eq!(marked(&rig), ["192.0.2.1"]);
}

#[test]
fn aliases_are_followed_by_the_question_alone() {
    let Some(rig) = named("aliases", &["api.openai.com"]) else {
        return;
    };
    let edge = encode("edge.cdn.example");
    let answer = Answer::to("api.openai.com")
        .record(&[0xc0, 12], TYPE_CNAME, 60, &edge)
        .record(&edge, TYPE_CNAME, 60, &encode("node7.cdn.example"))
        .record(&encode("node7.cdn.example"), TYPE_A, 60, &[192, 0, 2, 7])
        .record(
            &[0xc0, 12],
            TYPE_AAAA,
            60,
            &"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets(),
        );
    answered(answer);
    assert_eq!(marked(&rig), ["192.0.2.7", "2001:db8::7"]);
}

#[test]
fn answers_over_ipv6_are_read() {
    let Some(rig) = named("over IPv6", &["api.openai.com"]) else {
        return;
    };
    deliver(
        "::1",
        &Answer::to("api.openai.com").address("2001:db8::1", 60).bytes(),
    );
    assert_eq!(marked(&rig), ["2001:db8::1"]);
}

#[test]
fn an_answer_marks_before_it_can_be_read() {
    let Some(rig) = named("before it is read", &["api.openai.com"]) else {
        return;
    };
    for last in 1..=100 {
        let address = format!("198.51.100.{last}");
        answered(Answer::to("api.openai.com").address(&address, 60));
        assert!(marked(&rig).contains(&address), "{address}");
    }
}

#[test]
fn a_time_to_live_has_a_floor_and_a_ceiling_and_is_never_shortened() {
    let Some(rig) = named("TTL", &["api.openai.com"]) else {
        return;
    };
    let left_s = |rig: &Rig| (rig.marked()[0].1 - monitor::kernel::boottime_ns()) / 1_000_000_000;
    let about = |left: u64, wanted: u32| left <= u64::from(wanted) && left + 10 > u64::from(wanted);
    answered(Answer::to("api.openai.com").address("192.0.2.1", 1));
    assert!(about(left_s(&rig), TTL_FLOOR_S));
    answered(Answer::to("api.openai.com").address("192.0.2.1", 7_200));
    assert!(about(left_s(&rig), 7_200));
    answered(Answer::to("api.openai.com").address("192.0.2.1", 1));
    assert!(about(left_s(&rig), 7_200));
    answered(Answer::to("api.openai.com").address("192.0.2.1", u32::MAX));
    assert!(about(left_s(&rig), TTL_CEILING_S));
}

#[test]
fn the_longest_name_is_read() {
    let name = format!(
        "{}.{}.{}.{}",
        "a".repeat(63),
        "b".repeat(63),
        "c".repeat(63),
        "d".repeat(61)
    );
    let Some(rig) = named("longest name", &[&name]) else {
        return;
    };
    answered(Answer::to(&name).address("192.0.2.1", 60));
    assert_eq!(marked(&rig), ["192.0.2.1"]);
    let many = format!("{}b", "a.".repeat(126));
    rig.kernel.set_names(&[many.clone(), "*.a.b".into()]).unwrap();
    answered(Answer::to(&many).address("192.0.2.2", 60));
    assert_eq!(marked(&rig), ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn what_is_no_good_answer_marks_nothing() {
    let Some(rig) = named("bad answers", &["api.openai.com"]) else {
        return;
    };
    let good = || Answer::to("api.openai.com").address("192.0.2.1", 60).bytes();
    let with = |at: usize, value: u8| {
        let mut bytes = good();
        bytes[at] = value;
        bytes
    };
    // A question, an error, another operation: not answers, and nothing wrong with them.
    for message in [with(2, 0x01), with(3, 0x83), with(2, 0xa9)] {
        deliver("127.0.0.153", &message);
    }
    assert_eq!(rig.count(Reason::DnsMalformed), 0);
    // Two questions; a pointer and a reserved label in the question; a name without end; a record over the end.
    let endless = [&good()[..12], &[1, b'a'].repeat(200)[..]].concat();
    let malformed = [
        with(5, 2),
        with(12, 0xc0),
        with(12, 0x40),
        endless,
        good()[..5].to_vec(),
        good()[..good().len() - 1].to_vec(),
        with(32, 0x80),
    ];
    for (number, message) in (1..).zip(&malformed) {
        deliver("127.0.0.153", message);
        assert_eq!(rig.count(Reason::DnsMalformed), number, "message {number}");
    }
    assert_eq!(marked(&rig), [""; 0]);
    // From another port.
    let server = UdpSocket::bind("127.0.0.153:54").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.send_to(&good(), client.local_addr().unwrap()).unwrap();
    client.recv(&mut [0; 512]).unwrap();
    assert_eq!(marked(&rig), [""; 0]);
}

#[test]
fn every_cut_and_every_changed_byte_is_survived() {
    let Some(rig) = named("cuts", &["api.openai.com"]) else {
        return;
    };
    let good = Answer::to("api.openai.com")
        .address("192.0.2.1", 60)
        .address("2001:db8::1", 60)
        .bytes();
    for end in 1..good.len() {
        deliver("127.0.0.153", &good[..end]);
    }
    for at in 0..good.len() {
        for value in [0, 0xff, good[at] ^ 0x40] {
            let mut bytes = good.clone();
            bytes[at] = value;
            deliver("127.0.0.153", &bytes);
        }
    }
    assert!(rig.count(Reason::DnsMalformed) > 0);
    answered(Answer::to("api.openai.com").address("192.0.2.77", 60));
    assert!(marked(&rig).contains(&"192.0.2.77".to_owned()));
}

#[test]
fn bounds_are_counted() {
    let Some(rig) = named("bounds", &["api.openai.com"]) else {
        return;
    };
    // The sender cut it.
    let mut cut = Answer::to("api.openai.com").address("192.0.2.1", 60).bytes();
    cut[2] |= 0x02;
    deliver("127.0.0.153", &cut);
    assert_eq!(rig.count(Reason::DnsTruncated), 1);
    // Longer than is read: what is read counts.
    let mut long = Answer::to("api.openai.com");
    for number in 0..120_u8 {
        long = long.address(&format!("198.51.100.{number}"), 60);
    }
    let long = long.bytes();
    assert!(long.len() > 1_500);
    deliver("127.0.0.153", &long);
    assert_eq!(rig.count(Reason::DnsTruncated), 2);
    assert!(marked(&rig).len() > 24);
}
