//! The script in a real Redis, on a clock that the tests set.

use super::*;
use crate::cluster::server::{Server, Store};

const START_MS: u64 = 1_700_000_000_000;
const TTL_MS: u64 = 30_000;
/// A window of one minute.
const HOUR: Span = Span::Rolling {
    hold_ms: 60_000,
    sub_ms: 1_000,
};

/// A node as the protocol asks for it, without a purse.
struct Node {
    id: &'static str,
    seen: Seen,
    seq: u64,
    lease: u64,
    life: String,
    total: u64,
    span: Span,
    limit: u64,
}

impl Node {
    fn new(id: &'static str) -> Self {
        Self {
            id,
            seen: Seen::default(),
            seq: 0,
            lease: 0,
            life: String::new(),
            total: 0,
            span: HOUR,
            limit: 1_000,
        }
    }

    fn ask(&self, spent: u64, returned: u64, need: u64, want: u64) -> Ask {
        Ask {
            seq: self.seq + 1,
            nonce: self.seq + 77,
            ttl_ms: TTL_MS,
            limit: self.limit,
            span: self.span,
            spent,
            returned,
            need,
            want,
            claim: Claim {
                life: self.life.clone(),
                total: self.total,
                lease: self.lease,
                own: Vec::new(),
            },
        }
    }

    fn hear(&mut self, reply: &Reply) {
        if reply.status == Status::Done {
            self.seq += 1;
            self.lease = reply.lease;
            self.life.clone_from(&reply.life);
            self.total = reply.used + reply.leased + reply.debt;
        }
    }

    fn sync(&mut self, store: &mut Store, spent: u64, returned: u64, need: u64, want: u64) -> Reply {
        let ask = self.ask(spent, returned, need, want);
        let reply = store.sync(self.id, &mut self.seen, &ask);
        self.hear(&reply);
        reply
    }

    fn get(&mut self, store: &mut Store, want: u64) -> u64 {
        let before = self.lease;
        self.sync(store, 0, 0, want, want);
        self.lease - before
    }
}

/// A store in which new budgets need not wait any more.
fn settled(server: &Server) -> Store {
    let mut store = Store::new(server, START_MS);
    let mut first = Node::new("first");
    first.span = Span::Open;
    assert_eq!(first.get(&mut store, 1), 0, "a store that is new grants nothing");
    store.sleep(TTL_MS);
    first.sync(&mut store, 0, 0, 0, 0);
    store.query::<()>(redis::cmd("DEL").arg(budget_key("test", "tokens", "a")));
    store
}

#[test]
fn what_is_used_and_leased_never_passes_the_limit() {
    let server = Server::start();
    let mut store = settled(&server);
    let (mut a, mut b) = (Node::new("a"), Node::new("b"));
    assert_eq!(a.get(&mut store, 600), 600);
    assert_eq!(b.get(&mut store, 600), 0, "only 400 are left, which do not help");
    assert_eq!(b.get(&mut store, 400), 400);
    let reply = a.sync(&mut store, 500, 50, 0, 0);
    assert_eq!(
        (reply.lease, reply.used, reply.leased, reply.debt),
        (50, 500, 450, 0)
    );
    assert_eq!(b.get(&mut store, 50), 50);
    assert_eq!(b.get(&mut store, 1), 0);
    store.sleep(60_999);
    a.sync(&mut store, 0, 0, 0, 0);
    b.sync(&mut store, 0, 0, 0, 0);
    store.sleep(1);
    assert_eq!(
        b.get(&mut store, 500),
        500,
        "a charge is held for a window and no more than a sub-window longer"
    );
}

#[test]
fn a_repeated_exchange_neither_settles_nor_grants_twice() {
    let server = Server::start();
    let mut store = settled(&server);
    let mut a = Node::new("a");
    a.get(&mut store, 100);
    let ask = a.ask(60, 10, 200, 200);
    let first = store.sync("a", &mut a.seen, &ask);
    let again = store.sync("a", &mut a.seen, &ask);
    assert_eq!((first.lease, first.used, first.leased), (230, 60, 230));
    assert_eq!(
        Reply {
            version: first.version,
            ..again
        },
        first
    );
    a.hear(&first);
    store.sleep(TTL_MS);
    let late = store.sync("a", &mut a.seen, &ask);
    assert_eq!(
        (late.lease, late.used),
        (230, 60),
        "nor after the lease has ended"
    );
}

#[test]
fn an_old_exchange_and_a_second_node_of_one_identity_change_nothing() {
    let server = Server::start();
    let mut store = settled(&server);
    let mut a = Node::new("a");
    let old = a.ask(0, 0, 100, 100);
    a.get(&mut store, 100);
    a.get(&mut store, 100);
    assert_eq!(store.sync("a", &mut a.seen, &old).status, Status::Replaced);
    let mut copy = a.ask(0, 0, 10, 10);
    let reply = a.sync(&mut store, 0, 0, 10, 10);
    copy.nonce = 1;
    assert_eq!(store.sync("a", &mut a.seen, &copy).status, Status::Replaced);
    assert_eq!(a.sync(&mut store, 0, 0, 0, 0).leased, reply.leased);
}

#[test]
fn a_dead_nodes_lease_is_charged_in_full_and_undone_exactly_when_it_speaks() {
    let server = Server::start();
    let mut store = settled(&server);
    let (mut a, mut b) = (Node::new("a"), Node::new("b"));
    a.get(&mut store, 700);
    store.sleep(TTL_MS + 5_000);
    let seen = b.sync(&mut store, 0, 0, 1, 1);
    assert_eq!((seen.used, seen.leased, seen.nodes), (700, 1, 1));
    let back = a.sync(&mut store, 100, 0, 0, 0);
    assert_eq!(
        (back.used, back.leased, back.lease, back.nodes),
        (100, 601, 600, 2)
    );
    store.sleep(60_000 + TTL_MS);
    b.sync(&mut store, 0, 0, 0, 0);
    store.sleep(2_000);
    let gone = b.sync(&mut store, 0, 0, 0, 0);
    assert_eq!(
        (gone.used, gone.leased),
        (0, 1),
        "its charge dates from the end of the lease"
    );
    let fenced = a.sync(&mut store, 30, 0, 50, 50);
    assert_eq!(
        (fenced.lease, fenced.used, fenced.leased),
        (50, 30, 51),
        "what it held is gone, what it spent is not"
    );
}

#[test]
fn what_is_spent_beyond_the_lease_is_owed_and_takes_room_first() {
    let server = Server::start();
    let mut store = settled(&server);
    let (mut a, mut b) = (Node::new("a"), Node::new("b"));
    a.get(&mut store, 400);
    b.get(&mut store, 600);
    let over = a.sync(&mut store, 900, 0, 0, 0);
    assert_eq!(
        (over.used, over.leased, over.debt, over.lease),
        (400, 600, 500, 0)
    );
    let less = b.sync(&mut store, 0, 300, 0, 0);
    assert_eq!((less.used, less.leased, less.debt), (700, 300, 200));
    assert_eq!(b.get(&mut store, 1), 0);
    store.sleep(20_000);
    b.sync(&mut store, 0, 0, 0, 0);
    store.sleep(20_000);
    b.sync(&mut store, 0, 0, 0, 0);
    store.sleep(21_000);
    let drained = b.sync(&mut store, 0, 0, 0, 0);
    assert_eq!((drained.used, drained.leased, drained.debt), (200, 300, 0));
}

#[test]
fn a_lower_limit_grants_nothing_until_there_is_room_again() {
    let server = Server::start();
    let mut store = settled(&server);
    let mut a = Node::new("a");
    a.get(&mut store, 800);
    a.limit = 500;
    assert_eq!(a.get(&mut store, 1), 0);
    assert_eq!(a.sync(&mut store, 100, 400, 100, 100).lease, 400);
}

#[test]
fn a_scarce_budget_is_shared_and_hunger_is_told() {
    let server = Server::start();
    let mut store = settled(&server);
    let (mut a, mut b) = (Node::new("a"), Node::new("b"));
    a.sync(&mut store, 0, 0, 0, 0);
    assert_eq!(
        b.sync(&mut store, 0, 0, 100, 1_000).lease,
        500,
        "its part, since the other one may come"
    );
    assert!(!a.sync(&mut store, 0, 0, 300, 300).hungry);
    assert_eq!(a.get(&mut store, 400), 0);
    assert!(b.sync(&mut store, 0, 0, 0, 0).hungry);
    assert_eq!(
        b.sync(&mut store, 0, 0, 0, 200).lease,
        500,
        "nothing ahead while somebody waits"
    );
    b.sync(&mut store, 0, 400, 0, 0);
    assert_eq!(a.get(&mut store, 400), 400);
    assert!(!b.sync(&mut store, 0, 0, 0, 0).hungry);
}

#[test]
fn a_store_that_restarts_empty_gathers_what_its_nodes_know_before_it_grants() {
    let server = Server::start();
    let mut store = settled(&server);
    let (mut a, mut b, mut dead) = (Node::new("a"), Node::new("b"), Node::new("dead"));
    dead.get(&mut store, 200);
    a.get(&mut store, 300);
    a.sync(&mut store, 100, 0, 0, 0);
    b.get(&mut store, 150);
    store.restart_empty();
    let mut fresh = Node::new("fresh");
    assert!(matches!(
        fresh.sync(&mut store, 0, 0, 1, 1).status,
        Status::Seeding { .. }
    ));
    for _ in 0..3 {
        assert_eq!(
            a.sync(&mut store, 0, 0, 10, 10).status,
            Status::Seeding { wait_ms: TTL_MS }
        );
        assert_eq!(
            b.sync(&mut store, 20, 0, 0, 0).status,
            Status::Seeding { wait_ms: TTL_MS }
        );
    }
    store.sleep(TTL_MS - 1);
    a.sync(&mut store, 0, 0, 10, 10);
    b.sync(&mut store, 20, 0, 0, 0);
    store.sleep(1);
    let reply = fresh.sync(&mut store, 0, 0, 1, 1);
    assert_eq!(
        (reply.used, reply.leased, reply.lease),
        (300, 351, 1),
        "the dead node's 200 and the spent 100"
    );
    let reply = b.sync(&mut store, 20, 0, 0, 0);
    assert_eq!((reply.used, reply.leased, reply.lease), (320, 331, 130));
    assert_eq!(a.get(&mut store, 349), 349);
    assert_eq!(a.get(&mut store, 1), 0);
}

#[test]
fn a_stale_copy_of_the_data_is_only_a_floor() {
    let server = Server::start();
    for new_run in [true, false] {
        let mut store = settled(&server);
        let (mut a, mut b) = (Node::new("a"), Node::new("b"));
        a.get(&mut store, 100);
        a.sync(&mut store, 60, 0, 0, 0);
        let saved = store.save();
        a.get(&mut store, 300);
        b.get(&mut store, 300);
        b.sync(&mut store, 200, 0, 0, 0);
        store.put_back(&saved);
        if new_run {
            store.restart();
        }
        assert!(
            matches!(b.sync(&mut store, 0, 0, 1, 1).status, Status::Seeding { .. }),
            "new run: {new_run}"
        );
        a.sync(&mut store, 0, 0, 0, 0);
        store.sleep(TTL_MS / 2);
        a.sync(&mut store, 0, 0, 0, 0);
        store.sleep(TTL_MS / 2);
        let reply = b.sync(&mut store, 0, 0, 0, 0);
        assert_eq!(
            (reply.used, reply.leased, reply.debt),
            (260, 440, 0),
            "new run: {new_run}"
        );
        store.query::<()>(&redis::cmd("FLUSHALL"));
    }
}

#[test]
fn a_dump_of_more_than_anybody_remembers_counts() {
    let server = Server::start();
    let mut store = settled(&server);
    let mut a = Node::new("a");
    a.get(&mut store, 500);
    a.sync(&mut store, 400, 0, 0, 0);
    store.restart();
    store.sleep(TTL_MS);
    let mut fresh = Node::new("fresh");
    let reply = fresh.sync(&mut store, 0, 0, 0, 0);
    assert!(matches!(reply.status, Status::Seeding { .. }));
    store.sleep(TTL_MS);
    let reply = fresh.sync(&mut store, 0, 0, 500, 500);
    assert_eq!((reply.used, reply.lease), (500, 500));
}

#[test]
fn a_node_that_comes_after_the_seeding_brings_what_it_knows_but_not_its_lease() {
    let server = Server::start();
    let mut store = settled(&server);
    let (mut a, mut late) = (Node::new("a"), Node::new("late"));
    a.get(&mut store, 100);
    late.get(&mut store, 400);
    store.restart_empty();
    a.sync(&mut store, 0, 0, 0, 0);
    store.sleep(TTL_MS);
    let reply = a.sync(&mut store, 0, 0, 0, 0);
    assert_eq!((reply.used, reply.leased), (0, 100));
    let reply = late.sync(&mut store, 0, 0, 0, 0);
    assert_eq!((reply.used, reply.leased, reply.lease), (400, 100, 0));
}

#[test]
fn a_budget_that_was_taken_out_of_the_store_is_gathered_again() {
    let server = Server::start();
    let mut store = settled(&server);
    let mut a = Node::new("a");
    a.get(&mut store, 400);
    store.query::<()>(redis::cmd("DEL").arg(budget_key("test", "tokens", "a")));
    assert!(matches!(
        a.sync(&mut store, 0, 0, 0, 0).status,
        Status::Seeding { .. }
    ));
    store.sleep(TTL_MS);
    assert_eq!(a.sync(&mut store, 10, 0, 0, 0).lease, 390);

    store.query::<()>(redis::cmd("DEL").arg(budget_key("test", "tokens", "a")));
    let mut fresh = Node::new("fresh");
    assert_eq!(
        fresh.get(&mut store, 100),
        100,
        "nobody has told it that there was something"
    );
    let reply = a.sync(&mut store, 0, 0, 0, 0);
    assert_eq!((reply.used, reply.leased, reply.lease), (400, 100, 0));
}

#[test]
fn charges_of_a_lost_store_keep_the_moments_that_nodes_remember() {
    let server = Server::start();
    let mut store = settled(&server);
    let mut a = Node::new("a");
    a.get(&mut store, 500);
    a.sync(&mut store, 500, 0, 0, 0);
    store.restart_empty();
    let mut ask = a.ask(0, 0, 0, 0);
    ask.claim.own = vec![(20_000, 200), (10_000, 100)];
    store.sync("a", &mut a.seen, &ask);
    store.sleep(TTL_MS);
    ask.claim.own = vec![(50_000, 200), (40_000, 100)];
    let reply = store.sync("a", &mut a.seen, &ask);
    a.hear(&reply);
    assert_eq!(reply.used, 500);
    store.sleep(12_000);
    assert_eq!(a.sync(&mut store, 0, 0, 0, 0).used, 300);
    store.sleep(10_000);
    assert_eq!(a.sync(&mut store, 0, 0, 0, 0).used, 200);
    store.sleep(27_000);
    a.sync(&mut store, 0, 0, 0, 0);
    store.sleep(12_000);
    assert_eq!(a.sync(&mut store, 0, 0, 0, 0).used, 0);
}

const DAY: u64 = 86_400_000;

fn day(number: u64) -> Span {
    let start_ms = START_MS + number * DAY;
    Span::Calendar {
        start_ms,
        end_ms: start_ms + DAY,
        next_end_ms: start_ms + 2 * DAY,
    }
}

#[test]
fn a_period_ends_by_the_stores_clock_and_leases_live_on() {
    let server = Server::start();
    let mut store = settled(&server);
    let mut a = Node::new("a");
    a.span = day(0);
    a.get(&mut store, 900);
    a.sync(&mut store, 800, 0, 0, 0);
    a.span = day(1);
    assert_eq!(a.sync(&mut store, 0, 0, 0, 0).status, Status::OtherPeriod);
    store.step_to(START_MS + DAY - 1_000);
    a.span = day(0);
    a.sync(&mut store, 0, 0, 0, 0);
    store.step_to(START_MS + DAY);
    assert_eq!(a.sync(&mut store, 0, 0, 0, 0).status, Status::OtherPeriod);
    a.span = day(1);
    let reply = a.sync(&mut store, 0, 0, 0, 0);
    assert_eq!((reply.used, reply.leased), (0, 100));
}

#[test]
fn a_step_back_of_the_stores_clock_resets_nothing() {
    let server = Server::start();
    let mut store = settled(&server);
    let mut a = Node::new("a");
    a.get(&mut store, 700);
    a.sync(&mut store, 600, 0, 0, 0);
    store.step_to(START_MS - DAY);
    let reply = a.sync(&mut store, 0, 0, 0, 0);
    assert_eq!((reply.used, reply.leased, reply.nodes), (600, 100, 1));
    store.sleep(29_000);
    a.sync(&mut store, 0, 0, 0, 0);
    store.sleep(29_000);
    assert_eq!(a.sync(&mut store, 0, 0, 0, 0).used, 600);
    store.sleep(3_000);
    assert_eq!(a.sync(&mut store, 0, 0, 0, 0).used, 0);

    let mut c = Node::new("c");
    c.span = day(300);
    store.step_to(START_MS + 300 * DAY);
    c.get(&mut store, 500);
    c.sync(&mut store, 500, 0, 0, 0);
    store.step_to(START_MS);
    c.span = day(0);
    assert_eq!(c.sync(&mut store, 0, 0, 0, 0).used, 500);
    store.sleep(TTL_MS);
    assert_eq!(c.sync(&mut store, 0, 0, 0, 0).used, 500);
    store.step_to(START_MS + DAY);
    c.span = day(1);
    assert_eq!(
        c.sync(&mut store, 0, 0, 0, 0).used,
        500,
        "not more than one period ahead"
    );
    store.step_to(START_MS + 2 * DAY);
    c.span = day(2);
    assert_eq!(c.sync(&mut store, 0, 0, 0, 0).used, 0);
}

#[test]
fn what_is_only_held_leaves_with_its_node() {
    let server = Server::start();
    let mut store = settled(&server);
    let (mut a, mut b) = (Node::new("a"), Node::new("b"));
    (a.span, b.span) = (Span::Open, Span::Open);
    a.get(&mut store, 1_000);
    assert_eq!(b.get(&mut store, 1), 0);
    store.sleep(TTL_MS);
    assert_eq!(b.get(&mut store, 1), 1);
}

#[test]
fn tokens_of_every_size_keep_their_last_digit() {
    let server = Server::start();
    let mut store = settled(&server);
    let mut a = Node::new("a");
    a.limit = 1 << 48;
    assert_eq!(a.get(&mut store, (1 << 48) - 1), (1 << 48) - 1);
    let reply = a.sync(&mut store, (1 << 47) + 1, 0, 0, 0);
    assert_eq!((reply.used, reply.lease), ((1 << 47) + 1, (1 << 47) - 2));
}
