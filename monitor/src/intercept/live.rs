//! Connections that are open now.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::splice::Carried;
use crate::event::Connection;
use crate::exchange::Origin;

/// Connections open at once on a node. Each takes some 100 KiB with both TLS sides; beyond it new ones are closed at once
/// and counted, so that those that are open go on.
pub(super) const MAX_CONNECTIONS: usize = 16_384;

/// The table of open connections.
#[derive(Default)]
pub struct Live {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Entry>>,
}

struct Entry {
    connection: Connection,
    traffic: Traffic,
}

/// Where an open connection's traffic is counted.
pub(super) enum Traffic {
    /// It carries none yet.
    None,
    /// It is intercepted.
    Exchanges(Arc<Origin>),
    /// It is spliced.
    Bytes(Arc<Carried>),
}

/// A connection's place in the table, given back when it is dropped.
pub struct Place {
    live: Arc<Live>,
    id: u64,
}

impl Live {
    /// A place for a new connection; `None` at the bound.
    pub fn enter(self: &Arc<Self>, connection: Connection) -> Option<Place> {
        let mut open = self.open.lock();
        if open.len() >= MAX_CONNECTIONS {
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        open.insert(
            id,
            Entry {
                connection,
                traffic: Traffic::None,
            },
        );
        Some(Place {
            live: self.clone(),
            id,
        })
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.lock().len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.lock().is_empty()
    }

    /// The open connections, oldest first.
    pub fn list(&self) -> Vec<Connection> {
        let open = self.open.lock();
        let mut list: Vec<_> = open.iter().collect();
        list.sort_unstable_by_key(|(id, _)| **id);
        list.into_iter().map(|(_, entry)| entry.now()).collect()
    }
}

impl Entry {
    fn now(&self) -> Connection {
        let mut connection = self.connection.clone();
        match &self.traffic {
            Traffic::None => {}
            Traffic::Exchanges(origin) => origin.add_traffic(&mut connection),
            Traffic::Bytes(carried) => {
                (connection.bytes_up, connection.bytes_down) = (carried.up(), carried.down());
            }
        }
        connection
    }
}

impl Place {
    /// Replaces what is known of the connection.
    pub(super) fn update(&self, connection: &Connection, traffic: Traffic) {
        if let Some(entry) = self.live.open.lock().get_mut(&self.id) {
            *entry = Entry {
                connection: connection.clone(),
                traffic,
            };
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.live.open.lock().remove(&self.id);
    }
}
