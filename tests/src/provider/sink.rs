//! What a provider has beside HTTPS over TCP: something on UDP/443, where HTTP/3 would be, and a service in plain text on
//! another port. Both send back what they get.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::listen;
use crate::lab::netns::Netns;

/// The port of the plain service.
pub(crate) const PLAIN_PORT: u16 = 8443;

/// More than any of the tests' datagrams.
const DATAGRAM_BYTES: usize = 2_048;

/// Serves both on one address until the runtime ends.
pub(super) fn serve(internet: &Netns, address: IpAddr) -> Result<()> {
    let datagrams = internet.inside(|| {
        let socket = UdpSocket::bind(SocketAddr::new(address, 443))
            .with_context(|| format!("binding UDP on {address}"))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    })?;
    tokio::spawn(echo_datagrams(tokio::net::UdpSocket::from_std(datagrams)?));
    let listener = listen(internet, SocketAddr::new(address, PLAIN_PORT))?;
    tokio::spawn(echo_streams(listener));
    Ok(())
}

async fn echo_datagrams(socket: tokio::net::UdpSocket) {
    let mut datagram = [0; DATAGRAM_BYTES];
    loop {
        if let Ok((length, client)) = socket.recv_from(&mut datagram).await {
            // A reply that cannot be sent is a lost datagram.
            let _sent = socket
                .send_to(datagram.get(..length).unwrap_or_default(), client)
                .await;
        }
    }
}

async fn echo_streams(listener: TcpListener) {
    loop {
        if let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; DATAGRAM_BYTES];
                while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                    if stream
                        .write_all(bytes.get(..length).unwrap_or_default())
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
    }
}
