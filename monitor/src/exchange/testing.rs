//! A node without a kernel, for tests of exchanges: real policies, a real ledger in memory, records kept.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use monitor_budget::{Ledger, ManualClock};
use monitor_content::DetectorCatalog;
use monitor_protocol::{Api, Catalog};

use super::fields::Coding;
use super::{Fingerprints, Node, Opened, Origin};
use crate::config::Policy;
use crate::event::{Exchange, ExchangeIds, Recorder, RecorderThread};
use crate::identity::{Attribution, ExeHash, Placement, Workload};
use crate::metrics::Metrics;
use crate::policy::{Known, Policies};

/// A node and what it has recorded.
pub(crate) struct Lab {
    pub(crate) node: Arc<Node>,
    _thread: RecorderThread,
}

/// A node with these policies.
pub(crate) fn lab(policies: &[Policy]) -> Lab {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let (recorder, thread) = Recorder::start(&[], Arc::new(Metrics::new().unwrap())).unwrap();
    let detectors = DetectorCatalog::default();
    let known = Known {
        detectors: &detectors,
        guardrails: &[],
    };
    let node = Node {
        policies: ArcSwap::from_pointee(Policies::compile(policies, &known, "node-1").unwrap()),
        prices: ArcSwap::default(),
        fingerprints: Fingerprints::with_key(b"a key of the laboratory's own"),
        ledger: Ledger::in_memory(clock.clone()),
        recorder,
        ids: ExchangeIds::new(),
        clock,
        request_limit_bytes: 4 << 20,
    };
    Lab {
        node: Arc::new(node),
        _thread: thread,
    }
}

impl Lab {
    /// A connection of one workload to OpenAI.
    pub(crate) fn origin(&self) -> Arc<Origin> {
        self.origin_of(self.opened())
    }

    /// A connection opened so.
    pub(crate) fn origin_of(&self, opened: Opened) -> Arc<Origin> {
        Arc::new(Origin::new(self.node.clone(), opened))
    }

    /// How one workload opens a connection to OpenAI.
    pub(crate) fn opened(&self) -> Opened {
        let workload = Workload {
            pid: 1,
            started_ms: Some(1_699_999_000_000),
            uid: 1_000,
            user: Some("app".into()),
            euid: Some(1_000),
            exe: Some("/usr/bin/app".into()),
            exe_sha256: ExeHash::default(),
            command_line: None,
            ancestors: Arc::default(),
            comm: "app".into(),
            netns: 1,
            placement: Arc::new(Placement::of_cgroup("/app")),
        };
        Opened {
            workload: Some(Arc::new(workload)),
            attribution: Attribution::Exact,
            claim: None,
            client: ([127, 0, 0, 1], 40_000).into(),
            original_destination: ([192, 0, 2, 1], 443).into(),
            provider: "openai".into(),
            host: "api.openai.com".into(),
            api: Api::OpenAi,
            catalog: Arc::new(Catalog::builtin()),
        }
    }

    /// The exchanges that have been recorded.
    pub(crate) fn exchanges(&self) -> Vec<Arc<Exchange>> {
        assert!(
            self.node.recorder.flush(Duration::from_secs(5)),
            "the recorder answers"
        );
        self.node.recorder.store().exchanges(usize::MAX)
    }

    /// The one exchange that has been recorded.
    pub(crate) fn one_exchange(&self) -> Arc<Exchange> {
        let exchanges = self.exchanges();
        assert_eq!(exchanges.len(), 1, "one exchange is on record");
        exchanges[0].clone()
    }
}

/// A body with one content coding put on.
pub(crate) fn encoded(coding: Coding, text: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::default();
    let mut out = Vec::new();
    match coding {
        Coding::Gzip => {
            let mut e = flate2::write::GzEncoder::new(&mut out, level);
            e.write_all(text).unwrap();
            e.finish().unwrap();
        }
        Coding::Deflate => {
            let mut e = flate2::write::ZlibEncoder::new(&mut out, level);
            e.write_all(text).unwrap();
            e.finish().unwrap();
        }
        Coding::Brotli => {
            let mut e = brotli::CompressorWriter::new(&mut out, 4_096, 5, 22);
            e.write_all(text).unwrap();
            drop(e);
        }
        Coding::Zstd => out = zstd::encode_all(text, 3).unwrap(),
    }
    out
}
