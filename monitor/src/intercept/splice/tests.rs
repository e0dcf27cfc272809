use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// Both ends of a connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (far, near) = tokio::join!(TcpStream::connect(address), listener.accept());
    (far.unwrap(), near.unwrap().0)
}

/// A client and a server with a splice between them.
async fn spliced(first: &'static [u8]) -> (TcpStream, TcpStream, Arc<Carried>, JoinHandle<io::Result<()>>) {
    let (client, mut near_client) = pair().await;
    let (server, mut near_server) = pair().await;
    let carried = Arc::<Carried>::default();
    let counts = carried.clone();
    let task = tokio::spawn(async move {
        splice(BytesMut::from(first), &mut near_client, &mut near_server, &counts).await
    });
    (client, server, carried, task)
}

/// Bytes that no shift or swap leaves as they are.
fn bytes(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

#[tokio::test]
async fn bulk_goes_both_ways_and_half_closes_are_passed_on() {
    let (mut client, mut server, carried, task) = spliced(b"hello").await;
    let (up, down) = (bytes(20_000_003, 1), bytes(10_000_001, 2));
    let upload = async {
        client.write_all(&up).await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let answer = async {
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        // The client has ended its direction: the other one still carries.
        server.write_all(&down).await.unwrap();
        server.shutdown().await.unwrap();
        heard
    };
    let (client_heard, server_heard) = tokio::join!(upload, answer);
    assert!(client_heard == down, "down");
    assert!(server_heard == [b"hello", &up[..]].concat(), "up");
    task.await.unwrap().unwrap();
    assert_eq!(
        (carried.up(), carried.down()),
        (up.len() as u64 + 5, down.len() as u64)
    );
}

#[tokio::test]
async fn small_talk_is_carried_at_once() {
    let (mut client, mut server, carried, task) = spliced(b"").await;
    for round in 0..200_u32 {
        let said = bytes(1 + (round as usize * 37) % 40_000, round);
        client.write_all(&said).await.unwrap();
        let mut heard = vec![0; said.len()];
        server.read_exact(&mut heard).await.unwrap();
        assert!(heard == said, "round {round} up");
        server.write_all(&heard).await.unwrap();
        client.read_exact(&mut heard).await.unwrap();
        assert!(heard == said, "round {round} down");
    }
    drop(client);
    assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
    drop(server);
    task.await.unwrap().unwrap();
    assert_eq!(carried.up(), carried.down());
}

#[tokio::test]
async fn a_slow_receiver_gets_every_byte() {
    let (mut client, mut server, carried, task) = spliced(b"").await;
    let sent = bytes(8_000_000, 3);
    let copy = sent.clone();
    let sender = tokio::spawn(async move {
        client.write_all(&copy).await.unwrap();
        client
    });
    // Every buffer on the way fills first.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut heard = Vec::new();
    let mut piece = vec![0; 1_000];
    while heard.len() < sent.len() {
        let n = server.read(&mut piece).await.unwrap();
        heard.extend_from_slice(&piece[..n]);
    }
    assert!(heard == sent);
    drop((sender.await.unwrap(), server));
    task.await.unwrap().unwrap();
    assert_eq!(carried.up(), sent.len() as u64);
}

#[tokio::test]
async fn without_pipes_bytes_are_copied() {
    // The thread's test holds all there are, as far as others have not; each connection must do without.
    let mut pipes = Vec::new();
    while let Some(pipe) = pipe::Pipe::take() {
        pipes.push(pipe);
    }
    let (mut client, mut server, carried, task) = spliced(b"").await;
    let sent = bytes(3_000_000, 4);
    let (heard, ()) = tokio::join!(
        async {
            let mut heard = Vec::new();
            server.read_to_end(&mut heard).await.unwrap();
            heard
        },
        async {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
        }
    );
    assert!(heard == sent);
    drop((client, server));
    task.await.unwrap().unwrap();
    assert_eq!(carried.up(), sent.len() as u64);
}

#[tokio::test]
async fn a_reset_is_passed_on_and_counted_up_to_it() {
    let (mut client, mut server, carried, task) = spliced(b"first").await;
    client.write_all(b"more").await.unwrap();
    let mut heard = [0; 9];
    server.read_exact(&mut heard).await.unwrap();
    client.set_zero_linger().unwrap();
    drop(client);
    let error = server.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(task.await.unwrap().is_err());
    assert_eq!((carried.up(), carried.down()), (9, 0));
}

#[test]
fn an_idle_connection_is_small() {
    // Two directions of two words each, beside what waits.
    assert!(size_of::<Direction>() <= 48, "{}", size_of::<Direction>());
}
