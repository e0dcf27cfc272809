//! Clients that have refused the node CA's certificate, so that the next connection can be passed where policy passes it.
//!
//! A client is told by its executable, cgroup and user, because a process that fails ends. Accepted inaccuracy: two
//! programs of one interpreter in one cgroup are the same client here, and what one of them refused passes for both.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lru::LruCache;
use parking_lot::Mutex;

use crate::identity::Workload;

/// Clients and names remembered; the one not met for longest makes room, and fails once more.
const MAX_REFUSALS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
/// How long a refusal counts. After it one connection fails again if nothing has changed; a client that has been given the
/// CA meanwhile is seen again.
const VALID: Duration = Duration::from_secs(600);

/// The table.
pub struct Distrust {
    refusals: Mutex<LruCache<Key, Instant>>,
    /// How many there are, so that connections need no lock where there are none.
    count: AtomicUsize,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    exe: Option<Box<str>>,
    cgroup: Box<str>,
    uid: u32,
    server_name: Box<str>,
}

impl Key {
    fn new(workload: &Workload, server_name: &str) -> Self {
        Self {
            exe: workload.exe.as_deref().map(Into::into),
            cgroup: workload.placement.cgroup.as_str().into(),
            uid: workload.uid,
            server_name: server_name.into(),
        }
    }
}

impl Default for Distrust {
    fn default() -> Self {
        Self {
            refusals: Mutex::new(LruCache::new(MAX_REFUSALS)),
            count: AtomicUsize::new(0),
        }
    }
}

impl Distrust {
    /// Remembers that `workload` refused the certificate for `server_name` just now.
    pub(super) fn remember(&self, workload: &Workload, server_name: &str, now: Instant) {
        let mut refusals = self.refusals.lock();
        refusals.put(Key::new(workload, server_name), now);
        self.count.store(refusals.len(), Ordering::Relaxed);
    }

    /// Whether it did, not too long ago.
    pub(super) fn has(&self, workload: &Workload, server_name: &str, now: Instant) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let key = Key::new(workload, server_name);
        let mut refusals = self.refusals.lock();
        match refusals.get(&key) {
            Some(refused) if now.saturating_duration_since(*refused) < VALID => true,
            Some(_) => {
                refusals.pop(&key);
                self.count.store(refusals.len(), Ordering::Relaxed);
                false
            }
            None => false,
        }
    }

    /// Forgets everything: each client is asked again.
    pub fn clear(&self) {
        let mut refusals = self.refusals.lock();
        refusals.clear();
        self.count.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples;

    #[test]
    fn a_refusal_is_of_one_client_and_one_name_for_a_while() {
        let distrust = Distrust::default();
        let (pinned, now) = (samples::workload(), Instant::now());
        assert!(!distrust.has(&pinned, "api.openai.com", now));
        distrust.remember(&pinned, "api.openai.com", now);
        let mut next_process = Workload::clone(&pinned);
        next_process.pid += 1;
        assert!(distrust.has(&next_process, "api.openai.com", now));
        assert!(!distrust.has(&pinned, "api.anthropic.com", now));
        let mut other = Workload::clone(&pinned);
        other.uid += 1;
        assert!(!distrust.has(&other, "api.openai.com", now));
        assert!(distrust.has(&pinned, "api.openai.com", now + VALID - Duration::from_secs(1)));
        assert!(!distrust.has(&pinned, "api.openai.com", now + VALID));
        assert!(
            !distrust.has(&pinned, "api.openai.com", now),
            "what has expired is gone"
        );
        distrust.remember(&pinned, "api.openai.com", now);
        distrust.clear();
        assert!(!distrust.has(&pinned, "api.openai.com", now));
    }

    #[test]
    fn the_table_is_bounded() {
        let distrust = Distrust::default();
        let (workload, now) = (samples::workload(), Instant::now());
        for index in 0..=MAX_REFUSALS.get() {
            distrust.remember(&workload, &format!("{index}.example"), now);
        }
        assert!(!distrust.has(&workload, "0.example", now));
        assert!(distrust.has(&workload, "1.example", now));
    }
}
