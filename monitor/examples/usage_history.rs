//! How large the usage history gets and how fast it answers: 1,000,000 exchanges over 30 days, of 1,000 workloads that ask 3 models each.
//!
//! `cargo run --release -p monitor --example usage_history [DIRECTORY]`

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use monitor::config::Usage;
use monitor::event::{
    Certainty, Exchange, ExchangeIds, Http, ModalityTokens, ShortText, TokenUsage, Verdict,
};
use monitor::history::{Dimension, History, Level, Order, Question};
use monitor::identity::{Attribution, ExeHash, Placement, Workload};
use monitor_budget::{Clock, SystemClock};

const EXCHANGES: u64 = 1_000_000;
const DAYS: u64 = 30;
const DAY_MS: u64 = 86_400_000;
const WORKLOADS: u64 = 1_000;
const MODELS: [&str; 3] = ["gpt-4o", "gpt-4o-mini", "o3"];
/// Sums handed over before the history's thread is given time to write them.
const BATCH: usize = 25_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("weir-usage-history-{}", std::process::id())),
        PathBuf::from,
    );
    std::fs::create_dir_all(&dir)?;
    let clock = Arc::new(SystemClock::new());
    let now_ms = clock.now_ms();
    // All minutes are kept: the file is as large as it can get.
    let kept = Usage {
        minutes_ms: (DAYS + 1) * DAY_MS,
        ..Usage::default()
    };
    let (history, thread) = History::start(&dir, kept, clock)?;
    let workloads: Vec<_> = (0..WORKLOADS).map(workload).collect();
    let ids = ExchangeIds::new();
    let mut recording = Duration::ZERO;
    let started = Instant::now();
    for number in 0..EXCHANGES {
        let at_ms = now_ms - DAYS * DAY_MS + number * (DAYS * DAY_MS / EXCHANGES);
        // Every combination comes up, in no order.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let model = MODELS[usize::try_from(mixed / WORKLOADS % 3)?];
        let exchange = exchange(
            &ids,
            &workloads[usize::try_from(mixed % WORKLOADS)?],
            model,
            at_ms,
        );
        let before = Instant::now();
        history.record(&exchange);
        recording += before.elapsed();
        if number % 1_000 == 0 {
            wait(&history, BATCH);
        }
    }
    wait(&history, 0);
    println!(
        "recorded in {:.0?}, of which on the recorder's thread {:.0?}: {:.0?} each",
        started.elapsed(),
        recording,
        recording / u32::try_from(EXCHANGES)?
    );
    let health = history.health();
    println!("{health}: minutes, hours and days have {:?} rows", health.rows);
    let every = [Dimension::Workload, Dimension::Model];
    for (what, since_ms, by, step) in [
        ("--since 24h --by workload,model", DAY_MS, &every[..], None),
        ("--since 24h --by model", DAY_MS, &every[1..], None),
        (
            "--since 24h --by model --step hour",
            DAY_MS,
            &every[1..],
            Some(Level::Hour),
        ),
        ("--since 30d --by workload,model", DAYS * DAY_MS, &every[..], None),
        ("--since 30d --by model", DAYS * DAY_MS, &every[1..], None),
        (
            "--since 30d --by model --step day",
            DAYS * DAY_MS,
            &every[1..],
            Some(Level::Day),
        ),
    ] {
        let question = Question {
            by: by.to_vec(),
            step,
            since_ms: now_ms - since_ms,
            until_ms: None,
            only: Vec::new(),
            order: Order::Tokens,
            limit: None,
        };
        let mut times = Vec::new();
        let mut rows = (0, 0);
        for _ in 0..11 {
            let before = Instant::now();
            let answer = history.answer(&question)?;
            times.push(before.elapsed());
            rows = (
                answer.rows.len(),
                answer.rows.iter().map(|row| row.counts.exchanges).sum::<u64>(),
            );
        }
        times.sort_unstable();
        println!(
            "{what:<36} {:>8.1?} (median of 11), {} rows, {} exchanges",
            times[5], rows.0, rows.1
        );
    }
    thread.stop();
    if std::env::args_os().nth(1).is_none() {
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(())
}

fn wait(history: &History, waiting: usize) {
    while history.health().waiting > waiting {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn workload(number: u64) -> Arc<Workload> {
    Arc::new(Workload {
        pid: 1,
        started_ms: None,
        uid: 1_000,
        user: Some("batch".into()),
        euid: None,
        exe: Some("/usr/bin/python3.11".into()),
        exe_sha256: ExeHash::default(),
        command_line: None,
        ancestors: Arc::new([]),
        comm: "python3".into(),
        netns: 1,
        placement: Arc::new(Placement::of_cgroup(format!(
            "/system.slice/batch-{number}.service"
        ))),
    })
}

fn exchange(ids: &ExchangeIds, workload: &Arc<Workload>, model: &str, at_ms: u64) -> Exchange {
    Exchange {
        id: ids.next(at_ms),
        started_ms: at_ms,
        duration_us: 0,
        time_to_first_byte_us: None,
        workload: Some(workload.clone()),
        attribution: Attribution::Exact,
        client: ([127, 0, 0, 1], 1).into(),
        original_destination: ([127, 0, 0, 1], 443).into(),
        provider: "openai".into(),
        host: "api.openai.com".into(),
        api: "openai",
        operation: "chat_completions",
        model: Some(ShortText::new(model)),
        streamed: false,
        http: Http {
            version: "1.1",
            method: ShortText::new("POST"),
            path: ShortText::new("/v1/chat/completions"),
            status: Some(200),
            request_bytes: 800,
            response_bytes: 300,
        },
        usage: Some(TokenUsage {
            input: 120,
            output: 300,
            cache_read: 64,
            cache_write: 0,
            reasoning: 40,
            modalities: ModalityTokens::default(),
            certainty: Certainty::Exact,
        }),
        cost: None,
        counted: None,
        verdict: Verdict::Allowed,
        observed: None,
        requested_model: None,
        clamped: None,
        slowed: None,
        actions: Default::default(),
        observed_actions: Default::default(),
        reason: None,
        rule: None,
        owasp: None,
        faults: Default::default(),
        policy: None,
        owner: None,
        api_key: None,
        findings: Vec::new(),
        budgets: Vec::new(),
        error: None,
    }
}
