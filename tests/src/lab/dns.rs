//! The lab's DNS server: A and AAAA answers over UDP and TCP, CNAME chains, a short TTL.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::address::{AddressPlan, every_host};
use super::netns::Netns;

/// Seconds; shorter than many a connection lives, so that tests see a floor being applied.
const TTL_S: u32 = 5;

/// Largest query accepted: without EDNS a query has at most 512 bytes, with it clients send little more.
const QUERY_BYTES: usize = 1232;

/// Serves on both address families inside `netns` until the runtime ends.
pub(crate) fn serve(netns: &Netns, plan: &AddressPlan) -> Result<()> {
    for address in [IpAddr::V4(plan.dns_v4()), IpAddr::V6(plan.dns_v6())] {
        let socket = netns.inside(|| {
            let socket = std::net::UdpSocket::bind(SocketAddr::new(address, 53))
                .with_context(|| format!("binding DNS on {address}"))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })?;
        tokio::spawn(answer_all(UdpSocket::from_std(socket)?, *plan));
        let listener = netns.inside(|| {
            let listener = std::net::TcpListener::bind(SocketAddr::new(address, 53))
                .with_context(|| format!("binding DNS over TCP on {address}"))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        })?;
        tokio::spawn(accept_all(TcpListener::from_std(listener)?, *plan));
    }
    Ok(())
}

async fn accept_all(listener: TcpListener, plan: AddressPlan) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // A client that goes away asks nothing more.
                let _gone = answer_stream(stream, plan).await;
            });
        }
    }
}

/// Each message has its length before it (RFC 1035, section 4.2.2).
async fn answer_stream(mut stream: TcpStream, plan: AddressPlan) -> Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut query = vec![0; usize::from(length)];
        stream.read_exact(&mut query).await?;
        let reply = answer(&query, &plan).context("not a query")?;
        stream.write_u16(u16::try_from(reply.len())?).await?;
        stream.write_all(&reply).await?;
    }
}

async fn answer_all(socket: UdpSocket, plan: AddressPlan) {
    let mut query = [0u8; QUERY_BYTES];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut query).await else {
            continue;
        };
        let Some(reply) = query.get(..length).and_then(|query| answer(query, &plan)) else {
            continue;
        };
        // A reply that cannot be sent is a lost datagram; the client asks again.
        let _sent = socket.send_to(&reply, client).await;
    }
}

/// The reply to one query; `None` for what is not a query.
fn answer(query: &[u8], plan: &AddressPlan) -> Option<Vec<u8>> {
    let request = Message::from_vec(query).ok()?;
    let question = request.queries.first()?.clone();
    let asked = question.name().to_lowercase().to_ascii();
    let host = every_host().find(|host| asked.trim_end_matches('.') == host.name);

    let mut reply = Message::response(request.metadata.id, request.metadata.op_code);
    reply.metadata.recursion_desired = request.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.metadata.response_code = if host.is_some() {
        ResponseCode::NoError
    } else {
        ResponseCode::NXDomain
    };
    // The asked name goes back in the client's spelling.
    let mut owner = question.name().clone();
    let kind = question.query_type();
    reply.add_query(question);
    if let Some(host) = host {
        for cname in host.cnames {
            let target = Name::from_ascii(format!("{cname}.")).ok()?;
            reply.add_answer(Record::from_rdata(
                owner,
                TTL_S,
                RData::CNAME(CNAME(target.clone())),
            ));
            owner = target;
        }
        match kind {
            RecordType::A => {
                reply.add_answer(Record::from_rdata(owner, TTL_S, RData::A(A(plan.v4(host)))));
            }
            RecordType::AAAA => {
                reply.add_answer(Record::from_rdata(owner, TTL_S, RData::AAAA(AAAA(plan.v6(host)))));
            }
            _ => {}
        }
    }
    reply.to_vec().ok()
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Query;

    use super::*;
    use crate::lab::address::OPENAI;

    fn ask(name: &str, kind: RecordType) -> Message {
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        let reply = answer(&query.to_vec().unwrap(), &AddressPlan::of(3)).unwrap();
        Message::from_vec(&reply).unwrap()
    }

    #[test]
    fn follows_the_chain_of_names_to_the_address() {
        let reply = ask("API.openai.com.", RecordType::AAAA);
        assert_eq!(reply.answers.len(), 3);
        assert_eq!(
            reply.answers[2].data,
            RData::AAAA(AAAA(AddressPlan::of(3).v6(OPENAI)))
        );
        assert_eq!(reply.answers[2].name.to_ascii(), "edge-7.cdn.example.net.");
    }

    #[test]
    fn says_when_a_name_does_not_exist() {
        assert_eq!(
            ask("nowhere.example.", RecordType::A).metadata.response_code,
            ResponseCode::NXDomain
        );
    }
}
