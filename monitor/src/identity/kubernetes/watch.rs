//! Keeps the pods of this node current by a list and a watch. kube's watcher does both: pages, bookmarks, a new list
//! after 410 Gone, a new watch after the end of one. Here are its transport, the pause after errors and what becomes of
//! its events.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use kube::runtime::utils::Backoff as _;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher};
use kube::{Api, Client};

use super::Names;
use super::object::PodObject;
use super::reading::PodReading;
use super::server::Server;
use super::table::Source;
use crate::config::ApiServer;

/// Pods in one page of a list.
const PAGE: u32 = 50;

/// Least time between the beginnings of two watches: a server that ends each at once is not asked in a loop.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// Whose pods are watched, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::identity) struct Watched {
    /// The node's name.
    pub(in crate::identity) node: String,
    /// The API server.
    pub(in crate::identity) server: ApiServer,
}

/// Watches for as long as the agent runs.
pub(super) async fn run(names: Arc<Names>, watched: Watched) {
    let client = client(&names, Server::new(watched.server));
    let config = watcher::Config::default()
        .fields(&format!("spec.nodeName={}", watched.node))
        .page_size(PAGE);
    let mut events = pin!(watcher(Api::<PodObject>::all(client), config));
    let mut backoff = DefaultBackoff::default();
    let mut listing = Listing::default();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // A list that only begins is no sign that the server answers.
                if !matches!(event, Event::Init) {
                    backoff.reset();
                }
                listing.take(&names, &watched.node, event);
            }
            Err(error) => {
                names.sources.kubernetes.failed(&explained(&error));
                if let Some(pause) = backoff.next() {
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// A list on its way.
#[derive(Default)]
struct Listing {
    /// The uids of its pods so far.
    listed: HashSet<String>,
}

impl Listing {
    fn take(&mut self, names: &Names, node: &str, event: Event<PodObject>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(pod) => {
                if let Some(reading) = of_node(pod, node) {
                    self.listed.insert(reading.pod.uid.clone());
                    names.apply_quietly(reading, Source::Api);
                }
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                tracing::info!(node, pods = listed.len(), "the API server has listed the pods");
                names.sources.kubernetes.listed();
                names.finish_list(Source::Api, &listed);
            }
            Event::Apply(pod) => {
                names.sources.kubernetes.succeeded();
                if let Some(reading) = of_node(pod, node) {
                    names.apply(reading, Source::Api);
                }
            }
            Event::Delete(pod) => {
                names.sources.kubernetes.succeeded();
                if let Some(reading) = pod.reading {
                    names.delete(&reading.pod.uid);
                }
            }
        }
    }
}

/// What is kept of a pod, if it is this node's: a server that does not know the selector would send all.
fn of_node(pod: PodObject, node: &str) -> Option<PodReading> {
    pod.reading.filter(|_| pod.node.as_deref() == Some(node))
}

fn client(names: &Arc<Names>, server: Server) -> Client {
    let server = Arc::new(server);
    let names = names.clone();
    let last_watch = Arc::new(tokio::sync::Mutex::new(None::<Instant>));
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (server, names, last_watch) = (server.clone(), names.clone(), last_watch.clone());
        async move {
            if request
                .uri()
                .query()
                .is_some_and(|query| query.contains("watch=true"))
            {
                let mut last = last_watch.lock().await;
                if let Some(last) = *last {
                    tokio::time::sleep(WATCH_PAUSE.saturating_sub(last.elapsed())).await;
                }
                *last = Some(Instant::now());
                drop(last);
                let response = server.send(request).await?;
                if response.status().is_success() {
                    names.sources.kubernetes.watching();
                }
                Ok(response)
            } else {
                server.send(request).await
            }
        }
    });
    Client::new(service, "default")
}

/// What an error is about, without the layers it came through, and what to do where that is known.
fn explained(error: &watcher::Error) -> String {
    let status = match error {
        watcher::Error::WatchError(status) => Some(status),
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status),
        _ => None,
    };
    if let Some(status) = status {
        let hint = match status.code {
            401 => "; the token is not valid",
            403 => "; the service account needs the verbs get, list and watch for pods of all namespaces",
            410 => "; the pods are listed again",
            _ => "",
        };
        return format!(
            "the API server answers {} {}: {}{hint}",
            status.code, status.reason, status.message
        );
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        // What the transport says is whole; what is below it is said in it.
        if innermost.is::<super::server::ServerError>() {
            break;
        }
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do() {
        let status = |code, reason: &str, message: &str| {
            let status = kube::core::Status::failure(message, reason);
            Box::new(kube::core::Status { code, ..status })
        };
        let error = watcher::Error::InitialListFailed(kube::Error::Api(status(
            403,
            "Forbidden",
            "pods is forbidden",
        )));
        let explained = explained(&error);
        assert!(explained.starts_with(
            "the API server answers 403 Forbidden: pods is forbidden; the service account needs"
        ));
    }
}
