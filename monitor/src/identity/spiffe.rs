//! SPIFFE ids of pods, in the form that SPIRE's controller and service meshes give them: trust domain, namespace and
//! service account.

use super::{Pod, SpiffeId, SpiffeSource};

/// Longest id (SPIFFE-ID section 2.3).
const MAX_ID_BYTES: usize = 2_048;

/// The id of a pod whose namespace and service account are known.
pub(super) fn derived(trust_domain: &str, pod: &Pod) -> Option<SpiffeId> {
    let namespace = pod.namespace.as_deref().filter(|name| is_segment(name))?;
    let account = pod.service_account.as_deref().filter(|name| is_segment(name))?;
    let id = format!("spiffe://{trust_domain}/ns/{namespace}/sa/{account}");
    (id.len() <= MAX_ID_BYTES).then_some(SpiffeId {
        id,
        source: SpiffeSource::Derived,
    })
}

/// Whether a name can be one segment of an id's path (SPIFFE-ID section 2.2).
fn is_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_takes_a_namespace_and_an_account() {
        let pod = |namespace: Option<&str>, account: Option<&str>| Pod {
            namespace: namespace.map(str::to_owned),
            service_account: account.map(str::to_owned),
            ..Pod::default()
        };
        let id = |pod: Pod| derived("example.org", &pod).map(|spiffe| spiffe.id);
        assert_eq!(
            id(pod(Some("billing"), Some("bot-a"))).as_deref(),
            Some("spiffe://example.org/ns/billing/sa/bot-a")
        );
        assert_eq!(id(pod(Some("billing"), None)), None);
        assert_eq!(id(pod(None, Some("bot"))), None);
        for odd in ["", "..", "a/b", "a b", "a%2f", "ü"] {
            assert_eq!(id(pod(Some("billing"), Some(odd))), None, "{odd}");
        }
        assert_eq!(id(pod(Some(&"n".repeat(3_000)), Some("bot"))), None);
    }
}
