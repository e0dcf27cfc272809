use std::collections::HashMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use tokio::net::UnixListener;

use super::message::ImageSpec;
use super::*;

fn labels(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn sandbox() -> PodSandbox {
    PodSandbox {
        id: "s1".into(),
        labels: labels(&[
            (NAMESPACE_LABEL, "billing"),
            (POD_LABEL, "bot-1"),
            (UID_LABEL, "u1"),
            ("tier", "gold"),
        ]),
    }
}

fn container(id: &str, uid: &str, created_at_ns: i64) -> Container {
    Container {
        id: id.into(),
        image: Some(ImageSpec {
            image: "sha256:00".into(),
            user_specified_image: "registry/bot:1".into(),
        }),
        created_at_ns,
        labels: labels(&[(UID_LABEL, uid), (CONTAINER_LABEL, "main")]),
    }
}

/// Answers each call on a socket, by the method's name.
fn serve(
    path: &Path,
    answer: impl Fn(&str) -> Result<Vec<u8>, u8> + Send + Sync + Clone + 'static,
) -> tokio::task::JoinHandle<()> {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    assert_eq!(request.headers()["content-type"], "application/grpc");
                    assert_eq!(request.headers()["te"], "trailers");
                    let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
                    let headers = http::Response::builder().header("content-type", "application/grpc");
                    match answer(&method) {
                        Ok(message) => {
                            let mut body = BytesMut::new();
                            body.put_u8(0);
                            body.put_u32(u32::try_from(message.len()).unwrap());
                            body.extend_from_slice(&message);
                            let mut stream = respond.send_response(headers.body(()).unwrap(), false).unwrap();
                            stream.send_data(body.freeze(), false).unwrap();
                            let mut trailers = http::HeaderMap::new();
                            trailers.insert("grpc-status", "0".parse().unwrap());
                            stream.send_trailers(trailers).unwrap();
                        }
                        Err(status) => {
                            let headers = headers
                                .header("grpc-status", status.to_string())
                                .header("grpc-message", "unknown service");
                            respond.send_response(headers.body(()).unwrap(), true).unwrap();
                        }
                    }
                }
            });
        }
    })
}

#[tokio::test]
async fn asks_for_pods_and_containers() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    // More than one HTTP/2 window, so that flow control is used.
    let many: Vec<Container> = (0..2_000)
        .map(|index| container(&format!("other-{index:060}"), "no-such-pod", 0))
        .chain([container("c1", "u1", 0)])
        .collect();
    let server = serve(&socket, move |method| {
        Ok(match method {
            "ListPodSandbox" => ListPodSandboxResponse {
                items: vec![sandbox(), PodSandbox::default()],
            }
            .encode_to_vec(),
            "ListContainers" => ListContainersResponse {
                containers: many.clone(),
            }
            .encode_to_vec(),
            _ => return Err(12),
        })
    });
    let listed = Runtime::at(socket).list().await.unwrap().unwrap();
    server.abort();
    assert_eq!(listed.len(), 1);
    let pod = &listed[0].pod;
    assert_eq!((pod.uid.as_str(), pod.service_account.as_deref()), ("u1", None));
    assert_eq!(
        (pod.namespace.as_deref(), pod.name.as_deref()),
        (Some("billing"), Some("bot-1"))
    );
    assert_eq!(pod.labels, [("tier".to_owned(), "gold".to_owned())].into());
    let containers = &listed[0].containers;
    assert_eq!(containers.len(), 2);
    assert_eq!(containers[0].names.name.as_deref(), Some("POD"));
    assert_eq!(
        (containers[1].id.as_str(), containers[1].names.name.as_deref()),
        ("c1", Some("main"))
    );
    assert_eq!(containers[1].names.image.as_deref(), Some("registry/bot:1"));
}

#[tokio::test]
async fn says_why_there_is_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    let said = async || Runtime::at(socket.clone()).list().await.unwrap_err().to_string();
    assert!(said().await.starts_with("cannot connect to /"));
    let server = serve(&socket, |_| Err(12));
    let refused = said().await;
    assert!(refused.contains("answers 12 unknown service") && refused.contains("identity.cri: off"));
    server.abort();
    std::fs::remove_file(&socket).unwrap();
    let server = serve(&socket, |_| Ok(vec![0xff; 20]));
    assert!(said().await.contains("no such message"));
    server.abort();
    std::fs::remove_file(&socket).unwrap();
    // One that speaks no HTTP/2.
    let listener = UnixListener::bind(&socket).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &Bytes::from_static(b"220 hello\r\n"))
            .await
            .unwrap();
        std::future::pending::<()>().await;
    });
    assert!(said().await.starts_with('/'));
    server.abort();
}

#[test]
fn of_a_pod_that_restarts_without_end_the_last_containers_count() {
    let containers = (0..200)
        .rev()
        .map(|index| container(&format!("c{index}"), "u1", index));
    let listed = pods(vec![sandbox()], containers.collect());
    let containers = &listed[0].containers;
    assert_eq!(containers.len(), MAX_CONTAINERS);
    assert_eq!(containers.last().unwrap().id, "c199");
}
