use super::watch::Watched;
use super::*;
use crate::config::{ApiServer, HttpsAddress};

const UID: &str = "8f0c6a6e-5a3f-4b6e-9f60-0123456789ab";
const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn reading(account: &str) -> PodReading {
    PodReading {
        pod: Pod {
            uid: UID.to_owned(),
            namespace: Some("billing".to_owned()),
            service_account: Some(account.to_owned()),
            ..Pod::default()
        },
        containers: vec![ContainerReading {
            id: ID.to_owned(),
            names: ContainerNames {
                name: Some("main".to_owned()),
                image: Some("bot:1".to_owned()),
            },
        }],
    }
}

/// Names that a test gives, and a cgroup of the pod.
struct Rig {
    names: PodNames,
    placements: Arc<Placements>,
}

impl Rig {
    /// `is_watching`: an API server is configured, which never answers.
    fn new(is_watching: bool) -> Self {
        let placements = Arc::new(Placements::new("/no/such/mount".into()));
        placements.on_cgroup(7, &format!("/kubepods/burstable/pod{UID}/{ID}"), false);
        let watched = is_watching.then(|| Watched {
            node: "w1".to_owned(),
            server: ApiServer {
                api: HttpsAddress {
                    host: "127.0.0.1".to_owned(),
                    port: 1,
                },
                token_file: "/no/such/token".into(),
                ca_file: "/no/such/ca".into(),
            },
        });
        let whereabouts = Whereabouts {
            watched,
            trust_domain: Some("example.org".to_owned()),
            ..Whereabouts::default()
        };
        let names = PodNames::start(whereabouts, &placements);
        Self { names, placements }
    }

    fn placement(&self) -> Arc<Placement> {
        self.placements.get(7).unwrap()
    }
}

#[tokio::test]
async fn placements_learn_names_and_their_changes() {
    let rig = Rig::new(false);
    let before = rig.placement();
    let pod = before.pod.as_ref().unwrap();
    assert_eq!((pod.uid.as_str(), pod.namespace.as_deref()), (UID, None));
    assert_eq!(before.spiffe, None);
    rig.names.names.apply(reading("bot-a"), Source::Api);
    let placement = rig.placement();
    assert_eq!(
        placement.pod.as_ref().unwrap().service_account.as_deref(),
        Some("bot-a")
    );
    let container = placement.container.as_ref().unwrap();
    assert_eq!(container.name.as_deref(), Some("main"));
    assert_eq!(container.image.as_deref(), Some("bot:1"));
    assert_eq!(
        placement.spiffe.as_ref().unwrap().id,
        "spiffe://example.org/ns/billing/sa/bot-a"
    );
    rig.names.names.apply(reading("bot-b"), Source::Api);
    assert_eq!(
        rig.placement().spiffe.as_ref().unwrap().id,
        "spiffe://example.org/ns/billing/sa/bot-b"
    );
    // What runs on after its pod was deleted still has its name.
    rig.names.names.delete(UID);
    rig.placements.refresh_all();
    assert_eq!(
        rig.placement().pod.as_ref().unwrap().namespace.as_deref(),
        Some("billing")
    );
    assert_eq!(rig.names.known(), 0);
}

#[tokio::test]
async fn who_waits_is_told_when_the_best_source_has_spoken() {
    let rig = Rig::new(true);
    assert!(!rig.names.settled(UID, Duration::from_millis(20)).await);
    // The runtime does not know the service account, so its word does not end the wait.
    rig.names.names.apply(reading("from-cri"), Source::Cri);
    assert!(!rig.names.settled(UID, Duration::from_millis(20)).await);
    let (settled, ()) = tokio::join!(rig.names.settled(UID, Duration::from_secs(60)), async {
        tokio::task::yield_now().await;
        rig.names.names.apply(reading("other"), Source::Api);
    });
    assert!(settled);
    assert_eq!(
        rig.placement().pod.as_ref().unwrap().service_account.as_deref(),
        Some("other")
    );
    assert!(rig.names.settled(UID, Duration::ZERO).await);
}

#[tokio::test]
async fn nobody_waits_where_nobody_can_answer() {
    let rig = Rig::new(false);
    assert!(!rig.names.settled(UID, Duration::from_secs(3_600)).await);
}

#[tokio::test]
async fn a_server_that_is_away_is_told() {
    let rig = Rig::new(true);
    let deadline = Instant::now() + Duration::from_secs(10);
    let told = loop {
        let told = rig.names.sources()[0].1.clone();
        if told.contains("No such file") || Instant::now() > deadline {
            break told;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(
        told,
        "pods of node w1 at https://127.0.0.1:1: /no/such/token: No such file or directory (os error 2)"
    );
    let errors = rig
        .names
        .counters()
        .into_iter()
        .find(|(name, _)| *name == "kubernetes_error");
    assert!(errors.unwrap().1 > 0);
}
