//! One stream of an HTTP/2 connection: one exchange.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{
    ALT_SVC, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderValue,
};
use http::{Request, Response};
use monitor_protocol::USAGE_FIELDS;

use super::{body, reason_of, websocket};
use crate::exchange::DISCARD_BYTES;
use crate::exchange::fields::{BodyFields, HeadUsage};
use crate::exchange::pieces::Pieces;
use crate::exchange::signature::Signature;
use crate::exchange::{
    Credentials, Decision, Exchange, Flow, Job, Origin, Outcome, Refusal, RequestHeadView, RequestPlan,
    ResponsePlan, WholeDecision,
};

/// Why a stream ended before its response was whole.
pub(super) enum Failure {
    /// The client left, or does not take what it is sent.
    Client,
    /// The upstream did; the reason is passed on.
    Upstream(Reason),
}

/// The client's half of a stream, for the answer.
pub(super) type Respond = SendResponse<Bytes>;

/// Carries one exchange to its end, and puts it on record.
pub(super) async fn exchange(
    origin: Arc<Origin>,
    upstream: SendRequest<Bytes>,
    request: Request<RecvStream>,
    mut respond: Respond,
) {
    let (parts, body) = request.into_parts();
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    let signature = signature_of(&parts.headers, target);
    let view = RequestHeadView {
        version: "2",
        method: parts.method.as_str(),
        target,
        host: match parts.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => parts.headers.get(HOST).and_then(|host| host.to_str().ok()),
        },
        body: body_fields(&parts.headers),
        signed: signature.covers_body(),
        signed_head: signature.covers_head(),
        credentials: credentials_of(&parts.headers),
        length: length_of(&parts.headers, &body),
        websocket: parts
            .extensions
            .get::<h2::ext::Protocol>()
            .is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket")),
    };
    if origin.must_wait() {
        origin.clone().wait_until_known().await;
    }
    let (mut exchange, plan) = Exchange::begin(&origin, &view);
    let head = Request::from_parts(parts, ());
    if matches!(plan, RequestPlan::Handshake) {
        return websocket::handshake(exchange, upstream, head, body, respond).await;
    }
    let mut unread = None;
    let done = match plan {
        RequestPlan::Refuse(refusal) => {
            let refused = refuse(&mut exchange, &mut respond, &refusal).await;
            unread = Some(body);
            refused
        }
        RequestPlan::Pass | RequestPlan::Handshake => {
            pass(&mut exchange, upstream, head, Bytes::new(), body, &mut respond).await
        }
        RequestPlan::Collect { limit_bytes } => {
            match collect(&mut exchange, &head, body, limit_bytes, &mut respond).await {
                Ok(Collected::Whole(body, trailers)) => {
                    let job = Job::new(exchange, body.clone());
                    let inspected = if !job.waits() {
                        job.run()
                    } else {
                        match tokio::task::spawn_blocking(move || job.run()).await {
                            Ok(inspected) => inspected,
                            // The job took the exchange with it, which has put itself on record.
                            Err(_) => return respond.send_reset(Reason::INTERNAL_ERROR),
                        }
                    };
                    exchange = inspected.exchange;
                    let sent = match inspected.decision {
                        Decision::Forward => Ok((head, body)),
                        Decision::Edited { body: edited, target } => {
                            let head = match target {
                                Some(target) => with_target(head, &target),
                                None => head,
                            };
                            Ok(match edited {
                                Some(edited) => (with_edited_body(head, edited.len()), edited),
                                None => (head, body),
                            })
                        }
                        Decision::Refuse(refusal) => Err(refusal),
                    };
                    match sent {
                        Ok((head, body)) => {
                            forward(&mut exchange, upstream, head, body, trailers, &mut respond).await
                        }
                        Err(refusal) => refuse(&mut exchange, &mut respond, &refusal).await,
                    }
                }
                Ok(Collected::TooLarge { read, rest }) => match exchange.over_limit() {
                    Some(refusal) => {
                        let refused = refuse(&mut exchange, &mut respond, &refusal).await;
                        unread = Some(rest);
                        refused
                    }
                    None => pass(&mut exchange, upstream, head, read, rest, &mut respond).await,
                },
                Err(failure) => Err(failure),
            }
        }
    };
    let refused = done.is_ok();
    conclude(exchange, done, respond);
    if refused && let Some(body) = unread {
        discard(body).await;
    }
}

/// Puts an exchange on record, and resets the client's stream where it failed.
pub(super) fn conclude(exchange: Exchange, done: Result<(), Failure>, mut respond: Respond) {
    match done {
        Ok(()) => exchange.finish(Outcome::Complete),
        Err(Failure::Client) => {
            respond.send_reset(Reason::CANCEL);
            exchange.finish(Outcome::ClientGone);
        }
        Err(Failure::Upstream(reason)) => {
            respond.send_reset(reason);
            exchange.finish(Outcome::UpstreamFailed);
        }
    }
}

/// Reads a refused body to its end. Not all clients take a reset without an error for what RFC 9113, section 8.1, says it
/// is: curl 7.88 reports a broken stream and drops the answer.
pub(super) async fn discard(mut body: RecvStream) {
    let mut dropped = 0;
    while let Ok(Some(data)) = body::receive(&mut body).await {
        dropped += data.len() as u64;
        if dropped > DISCARD_BYTES {
            return;
        }
    }
}

pub(super) fn body_fields(headers: &HeaderMap) -> BodyFields {
    let mut fields = BodyFields::default();
    for value in headers.get_all(CONTENT_ENCODING) {
        fields.encoding.add(value.as_bytes());
    }
    if let Some(value) = headers.get(CONTENT_TYPE) {
        fields.content_type(value.as_bytes());
    }
    fields
}

fn head_usage(headers: &HeaderMap) -> HeadUsage {
    let mut usage = HeadUsage::default();
    for name in USAGE_FIELDS {
        if let Some(value) = headers.get(name) {
            usage.field(name, value.as_bytes());
        }
    }
    usage
}

fn signature_of(headers: &HeaderMap, target: &str) -> Signature {
    let mut signature = Signature::default();
    signature.target(target);
    for name in Signature::FIELDS {
        for value in headers.get_all(name) {
            signature.field(name, value.as_bytes());
        }
    }
    signature
}

fn credentials_of(headers: &HeaderMap) -> Credentials<'_> {
    let mut credentials = Credentials::default();
    for name in Credentials::FIELDS {
        if let Some(value) = headers.get(name) {
            credentials.field(name, value.as_bytes());
        }
    }
    credentials
}

fn length_of(headers: &HeaderMap, body: &RecvStream) -> Option<u64> {
    if body.is_end_stream() {
        return Some(0);
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

enum Collected {
    Whole(Bytes, Option<HeaderMap>),
    /// Over the bound. The rest of the body must live until the refusal is sent: dropping it resets the stream.
    TooLarge {
        read: Bytes,
        rest: RecvStream,
    },
}

async fn collect(
    exchange: &mut Exchange,
    head: &Request<()>,
    mut body: RecvStream,
    limit_bytes: usize,
    respond: &mut Respond,
) -> Result<Collected, Failure> {
    let continues = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if head.headers().get(EXPECT).is_some_and(continues) && !body.is_end_stream() {
        let mut interim = Response::new(());
        *interim.status_mut() = http::StatusCode::CONTINUE;
        respond.send_informational(interim).map_err(|_| Failure::Client)?;
    }
    let mut pieces = Pieces::default();
    while let Some(data) = body::receive(&mut body).await.map_err(|_| Failure::Client)? {
        exchange.count_request_bytes(data.len());
        let over = pieces.len() + data.len() > limit_bytes;
        pieces.push(data);
        if over {
            return Ok(Collected::TooLarge {
                read: pieces.whole(),
                rest: body,
            });
        }
    }
    let trailers = body::trailers(&mut body).await.map_err(|_| Failure::Client)?;
    Ok(Collected::Whole(pieces.whole(), trailers))
}

/// The request for another path and query; what cannot be one leaves it as it is.
fn with_target(mut head: Request<()>, target: &str) -> Request<()> {
    let mut parts = head.uri().clone().into_parts();
    if let Ok(target) = target.parse() {
        parts.path_and_query = Some(target);
        if let Ok(uri) = http::Uri::from_parts(parts) {
            *head.uri_mut() = uri;
        }
    }
    head
}

fn with_edited_body(mut head: Request<()>, len: usize) -> Request<()> {
    let headers = head.headers_mut();
    headers.remove(CONTENT_ENCODING);
    if headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    }
    head
}

pub(super) async fn refuse(
    exchange: &mut Exchange,
    respond: &mut Respond,
    refusal: &Refusal,
) -> Result<(), Failure> {
    let mut response = Response::new(());
    *response.status_mut() =
        http::StatusCode::from_u16(refusal.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in &refusal.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(*name, value);
        }
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(refusal.body.len()));
    let mut to = respond
        .send_response(response, false)
        .map_err(|_| Failure::Client)?;
    exchange.count_response_bytes(refusal.body.len());
    body::send(&mut to, refusal.body.clone(), true)
        .await
        .map_err(|_| Failure::Client)
}

/// Sends a collected request and relays its response.
async fn forward(
    exchange: &mut Exchange,
    upstream: SendRequest<Bytes>,
    head: Request<()>,
    body: Bytes,
    trailers: Option<HeaderMap>,
    respond: &mut Respond,
) -> Result<(), Failure> {
    let empty = body.is_empty() && trailers.is_none();
    let (response, mut to) = open(upstream, head, empty).await?;
    let send = async move {
        // An upstream that takes no more has answered, or will be found to have failed by its answer.
        if !empty
            && body::send(&mut to, body, trailers.is_none()).await.is_ok()
            && let Some(trailers) = trailers
        {
            let _refused = to.send_trailers(trailers);
        }
    };
    let mut send = std::pin::pin!(send);
    let mut sent = empty;
    let mut response = std::pin::pin!(response);
    let response = loop {
        tokio::select! {
            () = &mut send, if !sent => sent = true,
            answer = &mut response => break answer.map_err(|e| Failure::Upstream(reason_of(&e)))?,
            () = gone(respond) => return Err(Failure::Client),
        }
    };
    let relay = relay(exchange, response, respond);
    let mut relay = std::pin::pin!(relay);
    loop {
        tokio::select! {
            () = &mut send, if !sent => sent = true,
            done = &mut relay => return done,
        }
    }
}

/// Lets a request's body pass, after what was read of it already, while its response is relayed.
async fn pass(
    exchange: &mut Exchange,
    upstream: SendRequest<Bytes>,
    head: Request<()>,
    first: Bytes,
    mut from: RecvStream,
    respond: &mut Respond,
) -> Result<(), Failure> {
    let empty = first.is_empty() && from.is_end_stream();
    let (response, mut to) = open(upstream, head, empty).await?;
    // Counted beside the exchange, which the relay of the response holds.
    let sent_bytes = AtomicUsize::new(0);
    let mut send = std::pin::pin!(async {
        if empty {
            return Ok(());
        }
        if body::send(&mut to, first, false).await.is_err() {
            return Ok(());
        }
        while let Some(data) = body::receive(&mut from).await.map_err(|_| Failure::Client)? {
            sent_bytes.fetch_add(data.len(), Ordering::Relaxed);
            if body::send(&mut to, data, false).await.is_err() {
                // The upstream takes no more; its answer says why.
                return Ok(());
            }
        }
        let _refused = body::end(&mut from, &mut to).await;
        Ok(())
    });
    let mut response = std::pin::pin!(response);
    let mut sent = false;
    let response = loop {
        tokio::select! {
            done = &mut send, if !sent => {
                done?;
                sent = true;
            }
            answer = &mut response => break answer.map_err(|e| Failure::Upstream(reason_of(&e)))?,
            () = gone(respond) => return Err(Failure::Client),
        }
    };
    let done = {
        let mut relay = std::pin::pin!(relay(exchange, response, respond));
        loop {
            tokio::select! {
                done = &mut send, if !sent => {
                    done?;
                    sent = true;
                }
                done = &mut relay => break done,
            }
        }
    };
    exchange.count_request_bytes(sent_bytes.load(Ordering::Relaxed));
    done
}

pub(super) async fn open(
    upstream: SendRequest<Bytes>,
    head: Request<()>,
    empty: bool,
) -> Result<(h2::client::ResponseFuture, SendStream<Bytes>), Failure> {
    let failed = |e: h2::Error| Failure::Upstream(reason_of(&e));
    let mut ready = upstream.ready().await.map_err(failed)?;
    ready.send_request(head, empty).map_err(failed)
}

/// Resolves when the client has reset the stream.
pub(super) async fn gone(respond: &mut Respond) {
    // An error means that the whole connection is gone.
    let _reason = poll_fn(|cx| respond.poll_reset(cx)).await;
}

pub(super) async fn relay(
    exchange: &mut Exchange,
    response: Response<RecvStream>,
    respond: &mut Respond,
) -> Result<(), Failure> {
    let (mut parts, mut from) = response.into_parts();
    parts.headers.remove(ALT_SVC);
    let head = Response::from_parts(parts, ());
    exchange.note_head_usage(head_usage(head.headers()));
    match exchange.response_head(head.status().as_u16(), body_fields(head.headers())) {
        ResponsePlan::Refuse(refusal) => refuse(exchange, respond, &refusal).await,
        ResponsePlan::Pass => {
            let mut to = start(respond, head, &from)?;
            while let Some(data) = next(&mut from, &mut to).await? {
                exchange.count_response_bytes(data.len());
                exchange.response_passed(data.clone());
                body::send(&mut to, data, false)
                    .await
                    .map_err(|_| Failure::Client)?;
            }
            exchange.response_end(&mut Vec::new());
            finish(&mut from, &mut to).await
        }
        ResponsePlan::Hold { limit_bytes } => hold(exchange, head, from, limit_bytes, respond).await,
        ResponsePlan::Stream { decoded, may_change } => {
            stream(exchange, head, from, respond, decoded, may_change).await
        }
    }
}

fn start(respond: &mut Respond, head: Response<()>, from: &RecvStream) -> Result<SendStream<Bytes>, Failure> {
    respond
        .send_response(head, from.is_end_stream())
        .map_err(|_| Failure::Client)
}

/// The next piece from the upstream, unless the client leaves first.
async fn next(from: &mut RecvStream, to: &mut SendStream<Bytes>) -> Result<Option<Bytes>, Failure> {
    tokio::select! {
        data = body::receive(from) => data.map_err(|e| Failure::Upstream(reason_of(&e))),
        _reason = poll_fn(|cx| to.poll_reset(cx)) => Err(Failure::Client),
    }
}

async fn finish(from: &mut RecvStream, to: &mut SendStream<Bytes>) -> Result<(), Failure> {
    match body::trailers(from)
        .await
        .map_err(|e| Failure::Upstream(reason_of(&e)))?
    {
        Some(trailers) => to.send_trailers(trailers).map_err(|_| Failure::Client),
        // A head that ended the stream has ended it for the client too.
        None => match to.send_data(Bytes::new(), true) {
            Ok(()) => Ok(()),
            Err(error) if error.is_reset() => Err(Failure::Client),
            Err(_) => Ok(()),
        },
    }
}

async fn hold(
    exchange: &mut Exchange,
    mut head: Response<()>,
    mut from: RecvStream,
    limit_bytes: usize,
    respond: &mut Respond,
) -> Result<(), Failure> {
    let mut held = BytesMut::new();
    while let Some(data) = body::receive(&mut from)
        .await
        .map_err(|e| Failure::Upstream(reason_of(&e)))?
    {
        if held.len() + data.len() > limit_bytes {
            let refusal = exchange.refuse_response_too_large();
            return refuse(exchange, respond, &refusal).await;
        }
        held.extend_from_slice(&data);
    }
    let held = held.freeze();
    let body = match exchange.whole_response(held.clone()) {
        WholeDecision::Refuse(refusal) => return refuse(exchange, respond, &refusal).await,
        WholeDecision::Forward => held,
        WholeDecision::Edited(edited) => {
            let headers = head.headers_mut();
            headers.remove(CONTENT_ENCODING);
            if headers.contains_key(CONTENT_LENGTH) {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(edited.len()));
            }
            edited
        }
    };
    let mut to = respond.send_response(head, false).map_err(|_| Failure::Client)?;
    exchange.count_response_bytes(body.len());
    body::send(&mut to, body, false)
        .await
        .map_err(|_| Failure::Client)?;
    finish(&mut from, &mut to).await
}

async fn stream(
    exchange: &mut Exchange,
    mut head: Response<()>,
    mut from: RecvStream,
    respond: &mut Respond,
    decoded: bool,
    may_change: bool,
) -> Result<(), Failure> {
    if decoded {
        head.headers_mut().remove(CONTENT_ENCODING);
    }
    if may_change {
        // A length promised before the stream was read cannot be kept if it is cut or edited.
        head.headers_mut().remove(CONTENT_LENGTH);
    }
    let mut to = start(respond, head, &from)?;
    while let Some(data) = next(&mut from, &mut to).await? {
        let mut out = Vec::new();
        let mut flow = exchange.response_streamed(data, &mut out);
        send_all(exchange, &mut to, out).await?;
        while let Some(until) = exchange.paused_until().filter(|_| flow == Flow::Continue) {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                _reason = poll_fn(|cx| to.poll_reset(cx)) => return Err(Failure::Client),
            }
            let mut out = Vec::new();
            flow = exchange.resume(&mut out);
            send_all(exchange, &mut to, out).await?;
        }
        if flow == Flow::Cut {
            return to.send_data(Bytes::new(), true).map_err(|_| Failure::Client);
        }
    }
    let mut out = Vec::new();
    let flow = exchange.response_end(&mut out);
    send_all(exchange, &mut to, out).await?;
    match flow {
        Flow::Continue => finish(&mut from, &mut to).await,
        Flow::Cut => to.send_data(Bytes::new(), true).map_err(|_| Failure::Client),
    }
}

async fn send_all(
    exchange: &mut Exchange,
    to: &mut SendStream<Bytes>,
    out: Vec<Bytes>,
) -> Result<(), Failure> {
    for bytes in out {
        exchange.count_response_bytes(bytes.len());
        body::send(to, bytes, false).await.map_err(|_| Failure::Client)?;
    }
    Ok(())
}
