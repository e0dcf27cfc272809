//! What the programs cost, by the kernel's own account.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};

use monitor::kernel::ProgramStats;
use monitor_common::Scope;

use crate::rig::{PORT, Rig, V4_HOST, address, rig};

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

/// What the kernel has measured of a program so far.
fn stats(rig: &Rig, name: &str) -> ProgramStats {
    rig.kernel
        .program_stats()
        .unwrap()
        .into_iter()
        .find(|stats| stats.name == name)
        .unwrap()
}

#[test]
fn programs_cost_little() {
    const CONNECTS: u64 = 5_000;
    let Some(rig) = rig("cost") else { return };
    let listeners = rig.listen();
    let _stats = Stats::on();
    let measure = |name: &str, what: &str, limit_ns: f64, work: &dyn Fn()| {
        let before = stats(&rig, name);
        work();
        let after = stats(&rig, name);
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
    measure("watch_egress", "of no interest", 2_000.0, &redirected);
}

#[test]
fn an_unmarked_connection_costs_the_same_however_many_addresses_are_marked() {
    const BATCHES: usize = 40;
    const CONNECTS: u64 = 500;
    let Some(rig) = rig("cost by addresses") else {
        return;
    };
    let soon = monitor::kernel::boottime_ns() + 3_600_000_000_000;
    let _stats = Stats::on();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let mut marked = 0_u32;
    for (addresses, scope) in [
        (0, Scope::NONE),
        (100, Scope::NONE),
        (10_000, Scope::NONE),
        (10_000, Scope::ALL_TLS),
    ] {
        while marked < addresses {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 + marked);
            rig.kernel.mark_address_until(address.into(), soon).unwrap();
            marked += 1;
        }
        // Of another cgroup: this one's must be looked up.
        rig.kernel.set_scope(1 << 40, scope).unwrap();
        let mut each_ns: Vec<f64> = (0..BATCHES)
            .map(|_| {
                let before = stats(&rig, "redirect_v4");
                for _ in 0..CONNECTS {
                    // The hook runs before a route is looked for, which there may not be.
                    let _ = socket.connect(address("198.51.100.9", PORT));
                }
                let after = stats(&rig, "redirect_v4");
                assert_eq!(after.runs - before.runs, CONNECTS);
                (after.run_time - before.run_time).as_nanos() as f64 / CONNECTS as f64
            })
            .collect();
        each_ns.sort_by(f64::total_cmp);
        println!(
            "redirect_v4, untouched, {addresses} marked addresses, scope {:?} elsewhere: {:.0} ns a run (best batch {:.0}, \
             median {:.0}, worst {:.0} of {BATCHES} batches of {CONNECTS})",
            scope,
            each_ns.iter().sum::<f64>() / BATCHES as f64,
            each_ns[0],
            each_ns[BATCHES / 2],
            each_ns[BATCHES - 1],
        );
    }
}

#[test]
fn packets_of_no_interest_cost_little() {
    const MEBIBYTES: usize = 512;
    let Some(rig) = rig("cost of packets") else { return };
    let _stats = Stats::on();
    for (what, port) in [("another port", PORT + 1), ("an intercepted port", PORT)] {
        let listener = TcpListener::bind(address("127.8.8.50", port)).unwrap();
        let mut client = TcpStream::connect(address("127.8.8.50", port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let before = stats(&rig, "watch_egress");
        let begun = std::time::Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let chunk = vec![0; 1 << 20];
                for _ in 0..MEBIBYTES {
                    client.write_all(&chunk).unwrap();
                }
            });
            std::io::copy(&mut server, &mut std::io::sink()).unwrap();
        });
        let elapsed = begun.elapsed();
        let after = stats(&rig, "watch_egress");
        let runs = after.runs - before.runs;
        println!(
            "watch_egress, {MEBIBYTES} MiB to {what}: {:.0} ns a packet, {runs} packets, {:.2} % of {elapsed:?}",
            (after.run_time - before.run_time).as_nanos() as f64 / runs as f64,
            (after.run_time - before.run_time).as_secs_f64() / elapsed.as_secs_f64() * 100.0,
        );
        assert!(runs > 0);
    }
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
