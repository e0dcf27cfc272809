//! What a spliced connection costs, beside a direct one and one that is copied: `cargo test --release -p monitor --lib
//! splice::tests::cost -- --ignored --nocapture`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream as Blocking};
use std::thread;
use std::time::Instant;

use super::*;

/// Bytes of one transfer: seconds of it.
const TRANSFER_BYTES: usize = 4 << 30;
const PIECE_BYTES: usize = 256 << 10;
const IDLE: usize = 1_000;

#[derive(Clone, Copy, Debug)]
enum Lane {
    Direct,
    Copied,
    Spliced,
}

#[test]
#[ignore = "a measurement, not a check"]
fn throughput() {
    // Interleaved, because the machine is not always as busy.
    for round in 0..3 {
        for lane in [Lane::Direct, Lane::Copied, Lane::Spliced] {
            let (gigabytes_per_s, cpu_ms) = transfer(lane);
            println!("round {round}: {lane:?}: {gigabytes_per_s:.2} GB/s, {cpu_ms} ms of CPU in the middle");
        }
    }
}

#[test]
#[ignore = "a measurement, not a check"]
fn idle_memory() {
    // The smaller first: what the other one frees is not given back to the system.
    for lane in [Lane::Spliced, Lane::Copied] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let middle = start(lane, server.local_addr().unwrap());
        let resident = || field("/proc/self/status", "VmRSS:");
        let files = || fs::read_dir("/proc/self/fd").unwrap().count();
        let (before, files_before) = (resident(), files());
        let ends: Vec<_> = (0..IDLE)
            .map(|_| {
                let mut client = Blocking::connect(middle).unwrap();
                let mut end = server.accept().unwrap().0;
                // Each has talked, and is quiet now.
                let mut said = [0; 500];
                client.write_all(&said).unwrap();
                end.read_exact(&mut said).unwrap();
                end.write_all(&said).unwrap();
                client.read_exact(&mut said).unwrap();
                (client, end)
            })
            .collect();
        println!(
            "{lane:?}: {} KiB resident and {} descriptors for {IDLE} idle connections, with both of their ends",
            resident().saturating_sub(before),
            files() - files_before
        );
        drop(ends);
        // The thread in the middle closes its sides.
        thread::sleep(Duration::from_secs(1));
    }
}

/// GB/s from a server to a client, and CPU milliseconds of the thread in the middle.
fn transfer(lane: Lane) -> (f64, u64) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let target = match lane {
        Lane::Direct => address,
        lane => start(lane, address),
    };
    let sender = thread::spawn(move || {
        let mut stream = server.accept().unwrap().0;
        let piece = vec![7; PIECE_BYTES];
        for _ in 0..TRANSFER_BYTES / PIECE_BYTES {
            stream.write_all(&piece).unwrap();
        }
    });
    let started = Instant::now();
    let cpu = middle_cpu_ms();
    let mut stream = Blocking::connect(target).unwrap();
    let mut piece = vec![0; PIECE_BYTES];
    let mut heard = 0;
    while heard < TRANSFER_BYTES {
        heard += stream.read(&mut piece).unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    sender.join().unwrap();
    (
        TRANSFER_BYTES as f64 / seconds / 1e9,
        middle_cpu_ms().saturating_sub(cpu),
    )
}

/// A thread that carries connections to `upstream`; it ends with the process.
fn start(lane: Lane, upstream: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let carry = async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut upstream = TcpStream::connect(upstream).await.unwrap();
            tokio::spawn(async move {
                match lane {
                    Lane::Spliced => {
                        let carried = Carried::default();
                        let first = BytesMut::new();
                        let _ended = splice(first, &mut client, &mut upstream, &carried).await;
                    }
                    _ => {
                        let _ended = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
                    }
                }
            });
        }
    };
    thread::Builder::new()
        .name("middle".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(carry)
        })
        .unwrap();
    address
}

/// CPU time of all threads in the middle so far; those of earlier lanes idle.
fn middle_cpu_ms() -> u64 {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    stats
        .filter(|stat| stat.contains("(middle)"))
        .map(|stat| {
            let after = stat.rsplit_once(')').unwrap().1;
            let mut fields = after.split_ascii_whitespace().skip(11);
            // Ticks of ten milliseconds.
            let mut next = || fields.next().unwrap().parse::<u64>().unwrap() * 10;
            next() + next()
        })
        .sum()
}

fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_ascii_whitespace().next().unwrap().parse().unwrap()
}
