//! What the programs cost, by the kernel's own account.

use std::fs;
use std::net::{TcpStream, UdpSocket};

use crate::rig::{PORT, V4_HOST, address, rig};

const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Turns the kernel's account on, and back to what it was.
struct Stats(String);

impl Stats {
    fn on() -> Self {
        let before = fs::read_to_string(STATS).unwrap();
        fs::write(STATS, "1").unwrap();
        Self(before)
    }
}

impl Drop for Stats {
    fn drop(&mut self) {
        fs::write(STATS, self.0.trim()).unwrap();
    }
}

#[test]
fn programs_cost_little() {
    const CONNECTS: u64 = 5_000;
    let Some(rig) = rig("cost") else { return };
    let listeners = rig.listen();
    let _stats = Stats::on();
    let measure = |name: &str, what: &str, limit_ns: f64, work: &dyn Fn()| {
        let find = || {
            rig.kernel
                .program_stats()
                .unwrap()
                .into_iter()
                .find(|stats| stats.name == name)
                .unwrap()
        };
        let before = find();
        work();
        let after = find();
        let runs = after.runs - before.runs;
        let each_ns = (after.run_time - before.run_time).as_nanos() as f64 / runs as f64;
        println!(
            "{name}, {what}: {each_ns:.0} ns a run, {:.1} runs a connection",
            runs as f64 / CONNECTS as f64
        );
        assert!(
            runs >= CONNECTS && each_ns < limit_ns,
            "{name}: {runs} runs, {each_ns:.0} ns each"
        );
    };
    // A connected UDP socket runs the hook and nothing else. The limits leave room for a busy machine.
    let untouched = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..CONNECTS {
            socket.connect(address("127.8.8.9", 9)).unwrap();
        }
    };
    let redirected = || {
        for _ in 0..CONNECTS {
            let client = TcpStream::connect(address(V4_HOST, PORT)).unwrap();
            socket2::SockRef::from(&client)
                .set_linger(Some(std::time::Duration::ZERO))
                .unwrap();
            client.peer_addr().unwrap();
            let (accepted, _) = listeners.v4.accept().unwrap();
            drop(client);
            drop(accepted);
        }
    };
    measure("redirect_v4", "untouched", 2_000.0, &untouched);
    measure("redirect_v4", "redirected", 20_000.0, &redirected);
    measure("carry_record", "redirected", 10_000.0, &redirected);
    measure("original_peer_v4", "redirected", 10_000.0, &redirected);
    measure("read_dns_answer", "not DNS", 2_000.0, &redirected);
}

#[test]
fn the_verifier_is_far_from_its_limit() {
    let Some(rig) = rig("verifier") else { return };
    for stats in rig.kernel.program_stats().unwrap() {
        let Some(instructions) = stats.verified_instructions else {
            continue;
        };
        println!("{}: {instructions} instructions examined", stats.name);
        assert!(instructions < 400_000, "{}: {instructions}", stats.name);
    }
}
