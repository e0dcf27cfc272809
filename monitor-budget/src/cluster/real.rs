//! Ledgers that join a real Redis over the network: passwords, TLS, and a store that goes away.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::bell::Refill;
use super::link::Cluster;
use super::server::Server;
use crate::{
    Breaker, Budget, Certainty, Checkpoints, Denied, DenyReason, Ledger, OnStoreLoss, Reservation, Scope,
    Spend, SystemClock, Unit, Window,
};

const TTL: Duration = Duration::from_secs(1);

fn wait(refill: Refill) {
    assert!(refill.wait(Duration::from_secs(5)));
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn cluster(url: String) -> Cluster {
    Cluster {
        name: "test".to_owned(),
        url,
        password_file: None,
        ca_file: None,
        timeout: Duration::from_millis(500),
        lease_ttl: TTL,
    }
}

fn budget(on_store_loss: OnStoreLoss) -> Budget {
    Budget {
        scope: Scope::Cluster { on_store_loss },
        ..Budget::new("a", 1_000, Unit::Tokens, Window::rolling(60_000))
    }
}

fn in_memory(cluster: Cluster) -> Ledger {
    let ledger = Ledger::in_memory(Arc::new(SystemClock::new()));
    ledger.join(cluster).unwrap();
    ledger
}

fn is_reachable(ledger: &Ledger) -> bool {
    ledger.cluster_health().unwrap().reachable
}

/// As an exchange does it: one more try when the store has been asked.
fn reserve(ledger: &Ledger, budget: &Budget, tokens: u64) -> Result<Reservation, Denied> {
    let spend = Spend::request(tokens, 0);
    match ledger.reserve(&[budget], &spend) {
        Err(denied) if denied.reason == DenyReason::NeedsLease => {
            wait(ledger.refill());
            ledger.reserve(&[budget], &spend)
        }
        outcome => outcome,
    }
}

/// Waits until a store that is new grants something.
fn granted(ledger: &Ledger, budget: &Budget, tokens: u64) -> Reservation {
    let mut got = None;
    until("nothing was granted", || {
        got = reserve(ledger, budget, tokens).ok();
        got.is_some()
    });
    got.unwrap()
}

#[test]
fn the_second_try_finds_what_the_first_one_lacked() {
    let server = Server::start();
    let ledger = in_memory(cluster(server.url()));
    let budget = budget(OnStoreLoss::Deny);
    granted(&ledger, &budget, 100).settle(&Spend::request(100, 0), Certainty::Exact);
    let other = Budget {
        key: "another".into(),
        ..budget.clone()
    };
    let spend = Spend::request(300, 0);
    let denied = ledger.reserve(&[&other], &spend).unwrap_err();
    assert_eq!(denied.reason, DenyReason::NeedsLease);
    wait(ledger.refill());
    let held = ledger.reserve(&[&other], &spend).unwrap();
    let health = ledger.cluster_health().unwrap();
    assert_eq!(
        (health.breaker, health.failures, health.last_error),
        (Breaker::Closed, 0, None)
    );
    assert!(health.leases >= 1);
    held.release();
}

#[test]
fn nodes_share_one_limit_and_no_more() {
    let server = Server::start();
    let nodes: Vec<_> = (0..3).map(|_| in_memory(cluster(server.url()))).collect();
    let budget = budget(OnStoreLoss::Deny);
    granted(&nodes[0], &budget, 10).settle(&Spend::request(10, 0), Certainty::Exact);
    let mut spent = 10;
    let deadline = Instant::now() + Duration::from_secs(8);
    while spent < 1_000 && Instant::now() < deadline {
        for node in &nodes {
            if let Ok(held) = reserve(node, &budget, 10) {
                held.settle(&Spend::request(10, 0), Certainty::Exact);
                spent += 10;
            }
        }
    }
    assert_eq!(spent, 1_000, "all of it can be had, by whoever asks");
    for node in &nodes {
        assert!(reserve(node, &budget, 10).is_err());
    }
}

#[test]
fn a_password_is_read_from_its_file_at_each_connection_and_never_told() {
    let server = Server::start_with(&[
        "--user",
        "default",
        "off",
        "--user",
        "weir",
        "on",
        ">right-one",
        "~weir:*",
        "+@all",
    ]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    fs::write(&file, "wrong-one\n").unwrap();
    let ledger = in_memory(Cluster {
        password_file: Some(file.clone()),
        ..cluster(format!("redis://weir@127.0.0.1:{}/0", server.port))
    });
    until("the wrong password was accepted", || {
        ledger.cluster_health().unwrap().failures > 0
    });
    let health = ledger.cluster_health().unwrap();
    assert!(!health.reachable);
    let error = health.last_error.unwrap();
    assert!(
        error.contains("WRONGPASS") || error.contains("uthentication"),
        "{error}"
    );
    assert!(!error.contains("wrong-one"), "{error}");
    fs::write(&file, "right-one\n").unwrap();
    until("the new password was not read", || is_reachable(&ledger));
    granted(&ledger, &budget(OnStoreLoss::Deny), 10).release();

    fs::remove_file(&file).unwrap();
    let unread = in_memory(Cluster {
        password_file: Some(file),
        ..cluster(format!("redis://weir@127.0.0.1:{}/0", server.port))
    });
    until("no failure", || unread.cluster_health().unwrap().failures > 0);
    let error = unread.cluster_health().unwrap().last_error.unwrap();
    assert!(error.starts_with("cannot read"), "{error}");
}

struct Authority {
    dir: tempfile::TempDir,
}

impl Authority {
    /// An authority, and a certificate of its for the loopback address.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &authority).unwrap();
        fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
        fs::write(dir.path().join("leaf.pem"), leaf.pem()).unwrap();
        fs::write(dir.path().join("key.pem"), key.serialize_pem()).unwrap();
        Self { dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

#[test]
fn tls_takes_the_named_authority_and_no_other() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let path = |name| ours.file(name).display().to_string();
    let server = Server::start_with(&[
        "--port",
        "0",
        "--tls-port",
        "{port}",
        "--tls-cert-file",
        &path("leaf.pem"),
        "--tls-key-file",
        &path("key.pem"),
        "--tls-ca-cert-file",
        &path("ca.pem"),
        "--tls-auth-clients",
        "no",
    ]);
    let join = |ca: PathBuf| {
        in_memory(Cluster {
            ca_file: Some(ca),
            ..cluster(format!("rediss://127.0.0.1:{}/0", server.port))
        })
    };
    let ledger = join(ours.file("ca.pem"));
    until("TLS with the right authority failed", || is_reachable(&ledger));
    granted(&ledger, &budget(OnStoreLoss::Deny), 10).release();
    let stranger = join(theirs.file("ca.pem"));
    until("no failure", || stranger.cluster_health().unwrap().failures > 2);
    let health = stranger.cluster_health().unwrap();
    assert!(!health.reachable && health.last_error.unwrap().contains("ertificate"));
}

/// A store that is killed when a node has spent 100 and leased a little more.
fn lost(on_store_loss: OnStoreLoss) -> (Server, Ledger, Budget) {
    let mut server = Server::start();
    let ledger = in_memory(cluster(server.url()));
    let budget = budget(on_store_loss);
    granted(&ledger, &budget, 100).settle(&Spend::request(100, 0), Certainty::Exact);
    // Its view has what it has spent.
    thread::sleep(Duration::from_millis(1_200));
    server.kill();
    until("the store's end was not noticed", || {
        let health = ledger.cluster_health().unwrap();
        !health.reachable && health.leases == 0
    });
    (server, ledger, budget)
}

/// Reserves by tens until it is refused.
fn take_all(ledger: &Ledger, budget: &Budget) -> (Vec<Reservation>, Option<Denied>) {
    let mut held = Vec::new();
    while held.len() < 300 {
        match reserve(ledger, budget, 10) {
            Ok(reservation) => held.push(reservation),
            Err(denied) => return (held, Some(denied)),
        }
    }
    (held, None)
}

#[test]
fn without_the_store_each_mode_allows_what_it_says() {
    let (_server, ledger, budget) = lost(OnStoreLoss::Deny);
    let (held, denied) = take_all(&ledger, &budget);
    assert_eq!((held.len(), denied.unwrap().reason), (0, DenyReason::StoreLost));

    let (_server, ledger, budget) = lost(OnStoreLoss::NodeShare);
    let (held, denied) = take_all(&ledger, &budget);
    let granted = held.len() * 10;
    assert!(
        (700..=900).contains(&granted),
        "{granted}: alone, it has all that is left but its lease"
    );
    assert_eq!(denied.unwrap().reason, DenyReason::StoreLost);

    let (_server, ledger, budget) = lost(OnStoreLoss::Allow);
    let (held, denied) = take_all(&ledger, &budget);
    assert_eq!((held.len(), denied), (300, None));
}

#[test]
fn what_was_spent_without_the_store_is_owed_when_it_is_back() {
    let (mut server, ledger, budget) = lost(OnStoreLoss::Allow);
    let (held, _) = take_all(&ledger, &budget);
    for reservation in held {
        reservation.settle(&Spend::request(10, 0), Certainty::Exact);
    }
    assert_eq!(ledger.account("a").unwrap().settled, 3_100);
    server.run();
    until("the store was not found again", || is_reachable(&ledger));
    until("it was not told", || {
        let health = ledger.cluster_health().unwrap();
        !health.seeding && health.unreported == 0
    });
    let denied = reserve(&ledger, &budget, 10).unwrap_err();
    assert_eq!(denied.reason, DenyReason::Exhausted);
    assert!(denied.used + denied.debt >= 3_100, "{denied}");
}

#[test]
fn a_node_that_starts_again_goes_on_with_its_lease() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let open = |dir: &std::path::Path| {
        let ledger = Ledger::open_with(dir, Arc::new(SystemClock::new()), Checkpoints::OnDemand).unwrap();
        ledger.join(cluster(server.url())).unwrap();
        ledger
    };
    let budget = budget(OnStoreLoss::Deny);
    let ledger = open(dir.path());
    granted(&ledger, &budget, 400).settle(&Spend::request(350, 0), Certainty::Exact);
    let node = ledger.cluster_health().unwrap().node;
    // As a kill leaves it: what is in the journal now, and nothing that comes later.
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    ledger.core.syncer().lock().take();
    let again = open(copy.path());
    assert_eq!(again.cluster_health().unwrap().node, node);
    until("what it had spent was not told", || {
        let _ = reserve(&again, &budget, 1_000);
        again.cluster_health().unwrap().unreported == 0
    });
    let held = granted(&again, &budget, 640);
    assert!(reserve(&again, &budget, 20).is_err(), "350 are spent");
    held.release();
}

#[test]
fn a_copy_of_a_node_takes_another_identity() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open_with(dir.path(), Arc::new(SystemClock::new()), Checkpoints::OnDemand).unwrap();
    ledger.join(cluster(server.url())).unwrap();
    let budget = budget(OnStoreLoss::Deny);
    let held = granted(&ledger, &budget, 600);
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    thread::sleep(Duration::from_millis(1_200));
    let twin = Ledger::open_with(copy.path(), Arc::new(SystemClock::new()), Checkpoints::OnDemand).unwrap();
    twin.join(cluster(server.url())).unwrap();
    let node = |ledger: &Ledger| ledger.cluster_health().unwrap().node;
    until("two nodes of one identity", || node(&twin) != node(&ledger));
    assert!(reserve(&twin, &budget, 500).is_err(), "the other one holds 600");
    held.release();
}

#[test]
fn only_one_of_two_agents_speaks_for_a_node() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let budget = budget(OnStoreLoss::Deny);
    let first = Ledger::open(dir.path(), Arc::new(SystemClock::new())).unwrap();
    first.join(cluster(server.url())).unwrap();
    let held = granted(&first, &budget, 300);
    let open = first.hand_over().unwrap();
    let told = first.cluster_health().unwrap().exchanges;
    let (second, mut adopted) =
        Ledger::open_adopting(dir.path(), Arc::new(SystemClock::new()), open).unwrap();
    adopted.take_charge();
    second.join(cluster(server.url())).unwrap();
    let more = granted(&second, &budget, 200);
    assert_eq!(
        first.cluster_health().unwrap().exchanges,
        told,
        "the first one is silent"
    );
    assert_eq!(second.account("a").unwrap().reserved, 500);
    drop(adopted);
    assert_eq!(second.account("a").unwrap().settled, 300);
    more.release();
    drop(second);
    first.resume().unwrap();
    until("the first one does not go on", || {
        first.cluster_health().unwrap().exchanges > told
    });
    drop(held);
}
