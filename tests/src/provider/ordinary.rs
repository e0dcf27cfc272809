//! The ordinary site: pages of known bytes, and an echo.

use anyhow::Result;
use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::reply::Body;

/// The bytes of the page of this length: the same on every call, of all values.
pub(crate) fn page(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| u8::try_from((index * 31 + index / 256) % 256).unwrap_or_default())
        .collect()
}

/// `GET /bytes/N`, or the request's own body.
pub(super) async fn answer(request: http::Request<Incoming>) -> Result<Response<Body>> {
    let length = request
        .uri()
        .path()
        .strip_prefix("/bytes/")
        .and_then(|length| length.parse().ok());
    let bytes = match length {
        Some(length) => Bytes::from(page(length)),
        None => request.into_body().collect().await?.to_bytes(),
    };
    let mut response = Response::new(Full::new(bytes).map_err(|never| match never {}).boxed());
    response.headers_mut().insert(
        "content-type",
        http::HeaderValue::from_static("application/octet-stream"),
    );
    Ok(response)
}
