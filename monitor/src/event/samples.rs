//! Records for tests.

use std::sync::Arc;

use super::*;
use crate::exchange::Fingerprints;
use crate::identity::{
    Ancestor, Attribution, AttributionReason, Container, ExeHash, Owner, Placement, Pod, Sha256, SpiffeId,
    SpiffeSource, Workload,
};

/// 2024-12-08, midnight.
pub(crate) const MIDNIGHT_MS: u64 = 1_733_616_000_000;

pub(crate) fn workload() -> Arc<Workload> {
    Arc::new(Workload {
        pid: 4711,
        started_ms: Some(MIDNIGHT_MS - 60_000),
        uid: 1001,
        user: Some("bot".into()),
        euid: Some(1001),
        exe: Some("/usr/bin/python3.11".into()),
        exe_sha256: ExeHash::known(Sha256::from_bytes([0xab; 32])),
        command_line: None,
        ancestors: Arc::new([Ancestor {
            pid: 4700,
            exe: Some("/usr/bin/bash".into()),
        }]),
        comm: "python3".into(),
        netns: 4_026_531_840,
        placement: unit(),
    })
}

/// Where the sample's workload runs.
pub(crate) fn unit() -> Arc<Placement> {
    Arc::new(Placement {
        unit: Some("bot.service".into()),
        slice: Some("system.slice".into()),
        ..Placement::of_cgroup("/system.slice/bot.service")
    })
}

/// The uid of the sample's pod.
pub(crate) const POD_UID: &str = "1f9f1a7e-4a0b-4a44-8f4e-2f1c6f1f0a01";

/// The same program in a pod.
pub(crate) fn pod_workload() -> Arc<Workload> {
    let id = "c".repeat(64);
    Arc::new(Workload {
        placement: Arc::new(Placement {
            container: Some(Container {
                id: id.clone(),
                runtime: Some("containerd"),
                name: Some("main".into()),
                image: Some("registry.example/bot:1".into()),
            }),
            pod: Some(Arc::new(Pod {
                uid: POD_UID.into(),
                namespace: Some("billing".into()),
                name: Some("bot-7d9-x".into()),
                service_account: Some("bot".into()),
                labels: [("tier".to_owned(), "gold".to_owned())].into(),
                owner: Some(Owner {
                    kind: "ReplicaSet".into(),
                    name: "bot-7d9".into(),
                }),
            })),
            spiffe: Some(SpiffeId {
                id: "spiffe://example.org/ns/billing/sa/bot".into(),
                source: SpiffeSource::Derived,
            }),
            ..Placement::of_cgroup(format!("/kubepods/burstable/pod{POD_UID}/{id}"))
        }),
        ..Workload::clone(&workload())
    })
}

/// A stream that ran into its budget.
pub(crate) fn exchange() -> Exchange {
    Exchange {
        id: ExchangeId::from_parts(MIDNIGHT_MS, 0, 1),
        started_ms: MIDNIGHT_MS,
        duration_us: 1_250_000,
        time_to_first_byte_us: Some(310_000),
        workload: Some(workload()),
        attribution: Attribution::Exact,
        client: "10.0.0.7:40312".parse().unwrap(),
        original_destination: "162.159.140.245:443".parse().unwrap(),
        provider: "openai".into(),
        host: "api.openai.com".into(),
        api: "openai",
        operation: "chat_completions",
        model: Some(ShortText::new("gpt-4o-mini")),
        streamed: true,
        http: Http {
            version: "1.1",
            method: ShortText::new("POST"),
            path: ShortText::path("/v1/chat/completions?api-version=1"),
            status: Some(200),
            request_bytes: 812,
            response_bytes: 20_480,
        },
        usage: Some(TokenUsage {
            input: 120,
            output: 300,
            cache_read: 64,
            cache_write: 0,
            reasoning: 40,
            modalities: ModalityTokens {
                input_image: 12,
                ..ModalityTokens::default()
            },
            certainty: Certainty::Exact,
        }),
        cost: Some(Cost {
            amount: monitor_budget::MicroUsd(194),
            price_from: Some(jiff::civil::date(2024, 10, 1)),
        }),
        counted: Some(OwnCount {
            input: 120,
            output: 260,
        }),
        verdict: Verdict::Cut,
        observed: None,
        requested_model: None,
        clamped: None,
        slowed: None,
        actions: Default::default(),
        observed_actions: Default::default(),
        reason: Some(Reason::Budget),
        rule: None,
        owasp: Some(Owasp::Llm10),
        faults: Default::default(),
        policy: Some("billing-bots".into()),
        owner: Some("team-payments".into()),
        api_key: Some(Fingerprints::with_key(b"k").of(b"sk-1")),
        findings: vec![FindingCount {
            detector: "pii.credit_card",
            part: Part::User,
            policy: "billing-bots".into(),
            rule: "0".into(),
            action: FindingAction::Redact,
            enforced: true,
            owasp: Some(Owasp::Llm02),
            confidence_percent: 95,
            explanation: "issuer range, length and Luhn check digit",
            count: 2,
            hashes: vec![Fingerprints::with_key(b"k").of(b"4111 1111 1111 1111")],
        }],
        budgets: vec![BudgetUse {
            key: "billing-bots/0/workload:/system.slice/bot.service".into(),
            unit: monitor_budget::Unit::Tokens,
            limit: 200_000,
            reserved: 600,
            settled: 420,
            debt: 0,
        }],
        error: None,
    }
}

/// A connection that was none of ours.
pub(crate) fn connection() -> Connection {
    Connection {
        opened_ms: MIDNIGHT_MS,
        closed_ms: Some(MIDNIGHT_MS + 2_500),
        workload: None,
        attribution: Attribution::Unknown(AttributionReason::NoRecord),
        client: "[fd00::7]:40312".parse().unwrap(),
        original_destination: None,
        server_name: Some("example.com".into()),
        outcome: Outcome::Spliced(SpliceReason::NotListed),
        alpn: None,
        bytes_up: 517,
        bytes_down: 4_096,
        exchanges: 0,
    }
}

/// A datagram of a socket of which only the cgroup is known.
pub(crate) fn bypass() -> Bypass {
    Bypass {
        at_ms: MIDNIGHT_MS,
        workload: None,
        attribution: Attribution::Ambiguous(AttributionReason::ProcessNotSeen),
        placement: Some(unit()),
        reason: BypassReason::OlderQuic,
        denied: true,
        transport: Transport::Udp,
        destination: Some("162.159.140.245:443".parse().unwrap()),
        server_name: None,
        unreported: 3,
    }
}

/// A limit that root, logged in as another user, raised for two hours.
pub(crate) fn audit() -> Audit {
    let before = monitor_budget::Figures {
        limit: 1_000,
        settled: 400,
        ..Default::default()
    };
    Audit {
        at_ms: MIDNIGHT_MS,
        change: monitor_budget::Change::Override,
        outcome: AuditOutcome::Done,
        reason: None,
        actor: AuditActor {
            uid: 0,
            login_uid: Some(1001),
            pid: Some(4711),
            workload: Some(workload()),
        },
        budget: "billing-bots/0/workload:/system.slice/bot.service".into(),
        unit: Some(monitor_budget::Unit::Tokens),
        before: Some(before),
        after: Some(monitor_budget::Figures {
            limit: 3_000,
            override_until_ms: Some(MIDNIGHT_MS + 7_200_000),
            ..before
        }),
    }
}

/// A budget that has spent four fifths of its limit.
pub(crate) fn budget_threshold() -> BudgetThreshold {
    BudgetThreshold {
        at_ms: MIDNIGHT_MS,
        key: "billing-bots/0/workload:/system.slice/bot.service".into(),
        unit: monitor_budget::Unit::Tokens,
        limit: 1_000,
        settled: 815,
        percent: 80,
        window: Some(monitor_budget::Window::rolling(3_600_000)),
        owner: Some("team-payments".into()),
    }
}
