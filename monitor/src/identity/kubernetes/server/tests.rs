use std::collections::VecDeque;

use http_body_util::{BodyExt as _, StreamBody};

use super::*;

async fn read(frames: &[&'static [u8]], limit: usize, by_line: bool) -> Result<usize, String> {
    let frames: VecDeque<Result<Frame<Bytes>, io::Error>> = frames
        .iter()
        .map(|frame| Ok(Frame::data(Bytes::from_static(frame))))
        .collect();
    let body = Bounded {
        inner: StreamBody::new(futures_util::stream::iter(frames)),
        limit,
        by_line,
        seen: 0,
    };
    let collected = body.collect().await.map_err(|error| error.to_string())?;
    Ok(collected.to_bytes().len())
}

#[tokio::test]
async fn an_answer_is_bounded_as_a_whole() {
    assert_eq!(read(&[b"12345", b"67890"], 10, false).await, Ok(10));
    let error = read(&[b"12345\n", b"67890"], 10, false).await.unwrap_err();
    assert!(error.contains("exceeds 10 bytes"), "{error}");
}

#[tokio::test]
async fn a_watch_is_bounded_by_the_line() {
    let lines: Vec<&'static [u8]> = std::iter::repeat_n(&b"12345678\n"[..], 50).collect();
    assert_eq!(read(&lines, 10, true).await, Ok(450));
    assert_eq!(
        read(&[b"1\n2\n345678", b"9\n", b"1234567890\n"], 10, true).await,
        Ok(23)
    );
    assert!(read(&[b"1\n23456789", b"0123"], 10, true).await.is_err());
    assert!(read(&[b"12345", b"67890", b"1"], 10, true).await.is_err());
}

#[tokio::test]
async fn what_is_wrong_with_the_credentials_is_said_with_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let server = Server::new(ApiServer {
        api: HttpsAddress {
            host: "127.0.0.1".into(),
            port: 1,
        },
        token_file: path("token"),
        ca_file: path("ca.pem"),
    });
    let said = async || server.get("/pods").await.unwrap_err().to_string();
    assert!(said().await.contains("token: No such file"), "{}", said().await);
    fs::write(path("token"), " \n").unwrap();
    assert!(said().await.contains("holds no bearer token"));
    fs::write(path("token"), "two\nlines").unwrap();
    assert!(said().await.contains("holds no bearer token"));
    fs::write(path("token"), "secret-token\n").unwrap();
    assert!(said().await.contains("ca.pem: No such file"));
    fs::write(path("ca.pem"), "nothing").unwrap();
    assert!(said().await.contains("holds no certificate"));
    let key = rcgen::generate_simple_self_signed(vec!["ca".to_owned()]).unwrap();
    fs::write(path("ca.pem"), key.cert.pem()).unwrap();
    let last = said().await;
    assert!(last.starts_with("cannot connect to 127.0.0.1:1: "), "{last}");
    assert!(!last.contains("secret-token"));
}
