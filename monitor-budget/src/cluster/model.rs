//! Several nodes on one store under reservations, settlements, lost replies, kills, and a store that loses what it knew.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use tempfile::TempDir;

use super::leases::Asked;
use super::link::{Link, LinkError};
use super::script::{Reply, Seen, budget_key};
use super::server::{Server, Store};
use super::syncer::Rounds;
use crate::{
    Budget, Certainty, Checkpoints, Ledger, ManualClock, OnStoreLoss, Reservation, Scope, Spend, Unit, Window,
};

const START_MS: u64 = 1_700_000_000_000;
const TTL_MS: u64 = 30_000;
const WINDOW_MS: u64 = 60_000;
const LIMIT: u64 = 1_000;
const NODES: usize = 3;

/// What happens to what a node sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Net {
    Whole,
    ReplyLost,
    Cut,
}

/// The store as one node reaches it.
struct Wire {
    store: Arc<Mutex<Store>>,
    net: Rc<Cell<Net>>,
}

impl Link for Wire {
    fn touch(&mut self, node: &str, seen: &Seen, ttl_ms: u64) -> Result<Reply, LinkError> {
        match self.net.get() {
            Net::Cut => Err(LinkError::Silent),
            _ => Ok(self.store.lock().touch(node, seen, ttl_ms)),
        }
    }

    fn exchange(&mut self, node: &str, seen: &Seen, asks: &[Asked]) -> Result<Vec<Reply>, LinkError> {
        if self.net.get() == Net::Cut {
            return Err(LinkError::Silent);
        }
        let replies = self.store.lock().exchange(node, seen, asks);
        match self.net.get() {
            Net::Whole => Ok(replies),
            _ => Err(LinkError::Silent),
        }
    }
}

/// One node: its directory, and its agent while it runs.
struct Node {
    dir: TempDir,
    agent: Option<Agent>,
    net: Rc<Cell<Net>>,
    heard_ms: u64,
}

struct Agent {
    ledger: Ledger,
    rounds: Rounds<Wire>,
    open: Vec<(Reservation, u64)>,
}

struct World {
    store: Arc<Mutex<Store>>,
    clock: Arc<ManualClock>,
    now_ms: u64,
    budget: Budget,
    nodes: Vec<Node>,
    /// Every charge within a reservation, by the moment of its settlement.
    charges: Vec<(u64, u64)>,
    /// What was spent beyond reservations.
    beyond: u64,
    saved: Vec<(String, Vec<u8>)>,
    /// Nothing was lost yet, so that the store's figures are exact.
    exact: bool,
    /// Nobody may die before this: the store is asking.
    alive_until_ms: u64,
}

impl World {
    fn new(server: &Server, on_store_loss: OnStoreLoss) -> Self {
        let mut store = Store::new(server, START_MS);
        store.restart_empty();
        let mut world = Self {
            store: Arc::new(Mutex::new(store)),
            clock: Arc::new(ManualClock::new(START_MS)),
            now_ms: START_MS,
            budget: Budget {
                scope: Scope::Cluster { on_store_loss },
                ..Budget::new("a", LIMIT, Unit::Tokens, Window::rolling(WINDOW_MS))
            },
            nodes: Vec::new(),
            charges: Vec::new(),
            beyond: 0,
            saved: Vec::new(),
            exact: true,
            alive_until_ms: 0,
        };
        for _ in 0..NODES {
            world.nodes.push(Node {
                dir: tempfile::tempdir().unwrap(),
                agent: None,
                net: Rc::new(Cell::new(Net::Whole)),
                heard_ms: START_MS,
            });
        }
        for node in 0..NODES {
            world.start(node);
            world.sync(node, Net::Whole);
        }
        world.sleep(TTL_MS);
        world
    }

    fn start(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        if node.agent.is_some() {
            return;
        }
        let ledger = Ledger::open_with(node.dir.path(), self.clock.clone(), Checkpoints::OnDemand).unwrap();
        let shared = Arc::clone(ledger.core.shared());
        let id = shared
            .node_id(&format!("{number}-{}", self.now_ms), None)
            .unwrap();
        let link = Wire {
            store: Arc::clone(&self.store),
            net: Rc::clone(&node.net),
        };
        let rounds = Rounds {
            shared,
            link,
            node: id,
            ttl_ms: TTL_MS,
            touched_ms: 0,
        };
        node.agent = Some(Agent {
            ledger,
            rounds,
            open: Vec::new(),
        });
    }

    /// Some rounds of a node's syncer.
    fn sync(&mut self, number: usize, net: Net) {
        if self.nodes[number].agent.is_none() {
            return;
        }
        // What was asked within the last moments is not asked again.
        self.sleep(60);
        let node = &mut self.nodes[number];
        let Some(agent) = &mut node.agent else { return };
        node.net.set(net);
        agent.rounds.touched_ms = 0;
        if agent.rounds.run().is_ok() {
            node.heard_ms = self.now_ms;
        }
    }

    /// All nodes that run, as their syncers do each second.
    fn sync_all(&mut self) {
        self.sleep(1_000);
        for number in 0..NODES {
            self.sync(number, Net::Whole);
        }
    }

    fn sleep(&mut self, ms: u64) {
        self.clock.advance_ms(ms);
        self.now_ms += ms;
        self.store.lock().sleep(ms);
        // Streams of a node that has not heard of the store for as long as its leases live have ended by then.
        for number in 0..NODES {
            while self.now_ms - self.nodes[number].heard_ms > TTL_MS && self.settle(number, 0, 100) {}
        }
    }

    fn reserve(&mut self, number: usize, tokens: u64) {
        let Some(agent) = &mut self.nodes[number].agent else {
            return;
        };
        if let Ok(reservation) = agent.ledger.reserve(&[&self.budget], &Spend::request(tokens, 0)) {
            agent.open.push((reservation, tokens));
            return;
        }
        if self.nodes[number].net.get() == Net::Cut {
            return;
        }
        // As an exchange does: it waits for the store once.
        self.sync(number, Net::Whole);
        if let Some(agent) = &mut self.nodes[number].agent
            && let Ok(reservation) = agent.ledger.reserve(&[&self.budget], &Spend::request(tokens, 0))
        {
            agent.open.push((reservation, tokens));
        }
    }

    fn settle(&mut self, number: usize, which: usize, percent: u64) -> bool {
        let Some(agent) = self.nodes[number]
            .agent
            .as_mut()
            .filter(|agent| !agent.open.is_empty())
        else {
            return false;
        };
        let which = which % agent.open.len();
        let (reservation, held) = agent.open.swap_remove(which);
        let spent = held * percent / 100;
        reservation.settle(&Spend::request(spent, 0), Certainty::Exact);
        self.charges.push((self.now_ms, spent.min(held)));
        self.beyond += spent - spent.min(held);
        true
    }

    /// The directory as it is now is what a kill leaves.
    fn kill(&mut self, number: usize) {
        if self.now_ms < self.alive_until_ms {
            return;
        }
        let node = &mut self.nodes[number];
        let Some(agent) = node.agent.take() else { return };
        let copy = copied(node.dir.path());
        for (reservation, held) in agent.open {
            self.charges.push((self.now_ms, held));
            drop(reservation);
        }
        drop(agent.rounds);
        drop(agent.ledger);
        node.dir = copy;
    }

    /// The store loses what it knew: all of it, or what it was told since it was saved.
    fn lose(&mut self, stale: bool, new_run: bool, fresh_views: bool) {
        self.exact = false;
        for number in 0..NODES {
            self.start(number);
            if fresh_views {
                // Only who has used a budget has a view of it.
                self.reserve(number, 1);
            }
        }
        if fresh_views {
            // What one is granted in the first round, the others see in the second.
            self.sync_all();
            self.sync_all();
        }
        let saved = std::mem::take(&mut self.saved);
        match (stale, new_run) {
            (false, true) => self.store.lock().restart_empty(),
            (false, false) => self.store.lock().put_back(&[]),
            (true, _) => self.store.lock().put_back(&saved),
        }
        if new_run {
            self.store.lock().restart();
        }
        self.saved = saved;
        if !fresh_views {
            self.alive_until_ms = self.now_ms + TTL_MS;
            // All of them are heard while the store asks.
            self.sync_all();
            self.sleep(TTL_MS / 2);
            self.sync_all();
        }
    }

    fn check(&mut self) {
        let within: u64 = self
            .charges
            .iter()
            .filter(|(at, _)| at + WINDOW_MS > self.now_ms)
            .map(|(_, amount)| amount)
            .sum();
        let agents = self.nodes.iter().filter_map(|node| node.agent.as_ref());
        let held: u64 = agents.flat_map(|agent| &agent.open).map(|(_, held)| held).sum();
        assert!(
            within + held <= LIMIT,
            "{within} charged and {held} held of {LIMIT}"
        );
        // What a stale copy had charged and its node claims again is counted twice for a while.
        let (used, leased, _) = self.stored();
        assert!(
            !self.exact || used + leased <= LIMIT,
            "{used} used and {leased} leased of {LIMIT}"
        );
    }

    fn stored(&mut self) -> (u64, u64, u64) {
        let key = budget_key("test", "tokens", "a");
        let read = |field: Option<u64>| field.unwrap_or(0);
        let (used, leased, debt) = self
            .store
            .lock()
            .query::<(Option<u64>, Option<u64>, Option<u64>)>(
                redis::cmd("HMGET").arg(key).arg(&["u", "l", "d"]),
            );
        (read(used), read(leased), read(debt))
    }

    /// When all is quiet, what was spent is what the store has: exactly, as long as nobody died and nothing was lost.
    fn check_at_the_end(&mut self, exact: bool) {
        self.alive_until_ms = 0;
        for number in 0..NODES {
            self.start(number);
            while self.settle(number, 0, 70) {}
        }
        for _ in 0..3 {
            self.sync_all();
        }
        if exact {
            let (used, leased, debt) = self.stored();
            let oldest = self.now_ms - WINDOW_MS - WINDOW_MS / 60;
            let spent: u64 = self.charges.iter().map(|(_, amount)| amount).sum::<u64>() + self.beyond;
            let gone: u64 = self
                .charges
                .iter()
                .filter(|(at, _)| *at <= oldest)
                .map(|(_, amount)| amount)
                .sum();
            if gone == 0 {
                assert_eq!(used + debt, spent, "{leased} leased");
            }
        }
        for _ in 0..10 {
            self.sync_all();
        }
        if exact {
            assert_eq!(self.stored().1, 0, "what nobody uses is given back");
        }
    }
}

fn copied(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

#[derive(Debug, Clone)]
enum Step {
    Reserve {
        node: usize,
        tokens: u64,
    },
    Settle {
        node: usize,
        which: usize,
        percent: u64,
    },
    Sync {
        node: usize,
        net: Net,
    },
    SyncAll,
    Sleep {
        ms: u64,
    },
    Kill {
        node: usize,
    },
    Start {
        node: usize,
    },
    Save,
    Lose {
        stale: bool,
        new_run: bool,
        fresh_views: bool,
    },
}

fn calm() -> BoxedStrategy<Step> {
    let net = prop_oneof![3 => Just(Net::Whole), 1 => Just(Net::ReplyLost), 1 => Just(Net::Cut)];
    prop_oneof![
        8 => (0..NODES, 1u64..400).prop_map(|(node, tokens)| Step::Reserve { node, tokens }),
        6 => (0..NODES, any::<usize>(), 0u64..180).prop_map(|(node, which, percent)| Step::Settle { node, which, percent }),
        6 => (0..NODES, net).prop_map(|(node, net)| Step::Sync { node, net }),
        2 => Just(Step::SyncAll),
        3 => (0u64..5_000).prop_map(|ms| Step::Sleep { ms }),
    ]
    .boxed()
}

fn rough() -> BoxedStrategy<Step> {
    prop_oneof![
        12 => calm(),
        2 => (0u64..40_000).prop_map(|ms| Step::Sleep { ms }),
        2 => (0..NODES).prop_map(|node| Step::Kill { node }),
        2 => (0..NODES).prop_map(|node| Step::Start { node }),
        1 => Just(Step::Save),
        1 => (any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(stale, new_run, fresh_views)| Step::Lose { stale, new_run, fresh_views }),
    ]
    .boxed()
}

fn run(server: &Server, steps: &[Step], exact: bool) {
    let mut world = World::new(server, OnStoreLoss::Deny);
    for step in steps {
        match *step {
            Step::Reserve { node, tokens } => world.reserve(node, tokens),
            Step::Settle { node, which, percent } => {
                world.settle(node, which, percent);
            }
            Step::Sync { node, net } => world.sync(node, net),
            Step::SyncAll => world.sync_all(),
            Step::Sleep { ms } => world.sleep(ms),
            Step::Kill { node } => world.kill(node),
            Step::Start { node } => world.start(node),
            Step::Save => world.saved = world.store.lock().save(),
            Step::Lose {
                stale,
                new_run,
                fresh_views,
            } => world.lose(stale, new_run, fresh_views),
        }
        world.check();
    }
    world.check_at_the_end(exact && world.exact);
}

#[test]
fn no_lost_reply_changes_what_is_charged() {
    let server = Server::start();
    let config = ProptestConfig {
        cases: 48,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in prop::collection::vec(calm(), 1..60))| run(&server, &steps, true));
}

#[test]
fn the_limit_holds_whatever_dies() {
    let server = Server::start();
    let config = ProptestConfig {
        cases: 64,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in prop::collection::vec(rough(), 1..60))| run(&server, &steps, false));
}

#[test]
fn what_others_knew_of_a_node_that_is_not_heard_any_more_counts() {
    let reserve = |node, tokens| Step::Reserve { node, tokens };
    let steps = [
        reserve(2, 70),
        reserve(2, 242),
        Step::Lose {
            stale: false,
            new_run: false,
            fresh_views: true,
        },
        reserve(0, 1),
        // One round of the first node before the store has waited for as long as leases live.
        Step::Sleep { ms: TTL_MS - 60 },
        reserve(0, 274),
        reserve(0, 142),
        reserve(0, 273),
    ];
    run(&Server::start(), &steps, false);
}
