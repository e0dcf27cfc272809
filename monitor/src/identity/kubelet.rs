//! The kubelet's own list of pods. It takes the permission `nodes/pods`, or `nodes/proxy` before Kubernetes 1.36, which
//! lets its holder run commands in any pod of the node: so it is asked only where it is configured.

use super::kubernetes::{PodList, PodReading, Server, ServerError};

/// The pods of this node.
pub(super) async fn pods(server: &Server) -> Result<Vec<PodReading>, ServerError> {
    let answer = server.get("/pods").await?;
    let list: PodList = serde_json::from_slice(&answer).map_err(|source| ServerError::Answer {
        server: server.address().authority(),
        source,
    })?;
    let pods = list.items.unwrap_or_default();
    Ok(pods.into_iter().filter_map(|pod| pod.reading).collect())
}
