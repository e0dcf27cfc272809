//! What looking up a price and working out a cost takes: `cargo run --release -p monitor-budget --example price_cost`.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::hint::black_box;
use std::time::Instant;

use monitor_budget::{
    Buckets, Glob, MAX_MODEL_BYTES, Media, PicoUsd, Price, PriceEntry, PriceTable, Quantities,
};

const ROUNDS: u32 = 1_000_000;
/// 2026-11-23.
const NOW_MS: u64 = 1_795_435_200_000;

fn main() {
    let started = Instant::now();
    let builtin = PriceTable::builtin();
    println!(
        "read the built-in table: {:>8.0} µs",
        started.elapsed().as_secs_f64() * 1e6
    );

    let entry = |model: String| PriceEntry {
        providers: Glob::new("corp*").into_iter().collect(),
        models: Glob::new(&model).into_iter().collect(),
        price: Price::flat(PicoUsd(1), PicoUsd(2)),
        source: None,
        as_of: None,
    };
    let thousand = (0..500)
        .map(|n| entry(format!("model-{n}")))
        .chain((0..500).map(|n| entry(format!("family-{n}-*"))));
    let large = builtin.clone().with_overrides(thousand.collect());
    let longest = "family-1-".repeat(MAX_MODEL_BYTES / 9);
    for (name, table, provider, model) in [
        ("built-in, exact name", &builtin, "openai", "gpt-4o-2024-08-06"),
        (
            "1,000 more, exact name of the built-in",
            &large,
            "openai",
            "gpt-4o-2024-08-06",
        ),
        ("1,000 more, exact name", &large, "corp-1", "model-321"),
        (
            "1,000 more, pattern",
            &large,
            "corp-1",
            "family-321-large-instruct",
        ),
        (
            "1,000 more, unknown",
            &large,
            "corp-1",
            "unknown-model-of-somebody",
        ),
        (
            "1,000 more, longest unknown name",
            &large,
            "other",
            longest.as_str(),
        ),
    ] {
        time(name, || {
            table
                .price(black_box(provider), black_box(model), black_box(NOW_MS))
                .is_some()
        });
    }
    let Some(price) = builtin.price("anthropic", "claude-sonnet-4-5", NOW_MS) else {
        return;
    };
    let tokens = Buckets {
        input: 21,
        cache_read: 188_086,
        cache_write: 1_000,
        output: 393,
        ..Buckets::default()
    };
    time("cost", || {
        price.cost(black_box(&Quantities { tokens, requests: 1 }))
    });
    time("worst case", || {
        price.worst_case(black_box(190_000), black_box(4_096), Media::ANY)
    });
}

fn time<T>(name: &str, mut run: impl FnMut() -> T) {
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(run());
    }
    println!(
        "{name:<40} {:>8.0} ns",
        started.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
    );
}
