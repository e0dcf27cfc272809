//! What scanning and counting cost: `cargo bench -p monitor-content [-- memory | scans | windows | tokens]`. Prints tables;
//! takes some minutes.

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use monitor_content::{Detectors, Encoding, MAX_HOLD_BYTES, MAX_LAYERS, Meter, Vocabulary, Window};

const ENGLISH: &str = "The weir measures and regulates the stream, and nobody upstream has to change anything for it; \
that was the idea in 2024 (and it still is). \"It's not a dam,\" she said, \"so don't ask it to hold the water.\"\n";
const JSON: &str = "{\"id\":\"chatcmpl-123\",\"created\":1694268190,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\
\"logprobs\":-0.31725305318832397,\"finish_reason\":null}],\"usage\":{\"prompt_tokens\":17,\"total_tokens\":42}},\n";

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let chosen: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |table: &str| chosen.is_empty() || chosen.iter().any(|name| name == table);
    if wanted("memory") {
        memory(&mut out)?;
    }
    if wanted("scans") {
        scans(&mut out)?;
    }
    if wanted("windows") {
        windows(&mut out)?;
    }
    if wanted("tokens") {
        tokens(&mut out)?;
    }
    Ok(())
}

/// Seconds of the fastest of several runs.
fn best(mut run: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    let begun = Instant::now();
    for round in 0.. {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
        if round >= 2 && begun.elapsed() > Duration::from_millis(300) {
            break;
        }
    }
    best.as_secs_f64()
}

fn rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn memory(out: &mut impl Write) -> std::io::Result<()> {
    let mut before = rss_kib();
    writeln!(out, "RSS at start {before} KiB")?;
    let begun = Instant::now();
    black_box(Detectors::compile(&["*"]).is_ok());
    writeln!(
        out,
        "compile all detectors  {:>8.2} ms",
        begun.elapsed().as_secs_f64() * 1e3
    )?;
    for vocabulary in [Vocabulary::O200kBase, Vocabulary::Cl100kBase] {
        let begun = Instant::now();
        vocabulary.preload();
        let loaded = begun.elapsed().as_secs_f64() * 1e3;
        black_box(vocabulary.count(ENGLISH));
        let after = rss_kib();
        writeln!(
            out,
            "load {vocabulary:<12?}      {loaded:>8.1} ms, RSS +{} KiB",
            after.saturating_sub(before)
        )?;
        before = after;
    }
    Ok(())
}

fn megabyte(unit: &str) -> String {
    unit.repeat((1 << 20) / unit.len())
}

/// Ordinary text, without findings but for the last two, and text in other scripts.
fn ordinary() -> Vec<(&'static str, String)> {
    let code = include_str!("../src/window.rs");
    vec![
        ("English", megabyte(ENGLISH)),
        ("JSON", megabyte(JSON)),
        ("code", megabyte(code)),
        (
            "Russian",
            megabyte("Съешь ещё этих мягких французских булок, да выпей чаю. Он с ней, а она о нас. "),
        ),
        (
            "Chinese",
            megabyte("你好，世界。今天天气很好，我们去公园散步吧！这是一个没有空格的句子。"),
        ),
        ("cards", megabyte("4111 1111 1111 1111 ")),
        (
            "base64",
            megabyte("VGhlIHdlaXIgbWVhc3VyZXMgYW5kIHJlZ3VsYXRlcyB0aGUgc3RyZWFtLCBzaGUgc2FpZC4g\n"),
        ),
    ]
}

/// What is repeated, a megabyte of it, to make each step of a detector as dear as can be.
const HOSTILE: [&str; 29] = [
    "a",
    " ",
    ".",
    "@",
    "4",
    "-",
    "/",
    "\n",
    "eyJ",
    "4111 ",
    "99 ",
    "a@b.",
    "sk-",
    "http://",
    "a://u:p",
    "AB 12 ",
    "1.",
    "1-",
    "a:",
    "AB=SK=",
    "-----BEGIN ",
    "eyJhbGciOi.",
    "password=",
    "redis://u:",
    "heroku a1b2 ",
    "ssn 111222333 ",
    "how to make a bomb ",
    "а",
    "4\u{200b}",
];

fn texts() -> Vec<(&'static str, String)> {
    let mut texts = ordinary();
    texts.extend(HOSTILE.map(|unit| (unit, megabyte(unit))));
    texts
}

/// `text` in base64, as often as detectors read it and once more.
fn deep_base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..=MAX_LAYERS).fold(text.to_owned(), |text, _| {
        let mut out = String::new();
        for group in text.as_bytes().chunks(3) {
            let bits = group
                .iter()
                .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
            let bits = bits << (8 * (3 - group.len()));
            for at in 0..=group.len() {
                out.push(char::from(ALPHABET[bits >> (18 - 6 * at) & 63]));
            }
        }
        out
    })
}

/// Seconds of one scan, and what it finds.
fn scan(detectors: &Detectors, text: &str) -> (f64, usize) {
    let mut found = Vec::new();
    let seconds = best(|| {
        found.clear();
        _ = black_box(detectors.scan(black_box(text), &mut found));
    });
    (seconds, found.len())
}

fn scans(out: &mut impl Write) -> std::io::Result<()> {
    let compile = |patterns: &[&str]| Detectors::compile(patterns).map_err(std::io::Error::other);
    let sets = [
        ("card", compile(&["pii.credit_card"])?),
        ("email", compile(&["pii.email"])?),
        ("ids", compile(&["pii.national_id.*"])?),
        ("pii", compile(&["pii.*"])?),
        ("secret", compile(&["secret.*"])?),
        ("topic", compile(&["topic.*"])?),
        ("pii+sec", compile(&["pii.*", "secret.*"])?),
        ("all", compile(&["*"])?),
    ];
    write!(out, "\nscan, MB/s            ")?;
    for (name, _) in &sets {
        write!(out, " {name:>8}")?;
    }
    writeln!(out)?;
    for (name, text) in ordinary() {
        write!(out, "{:<22}", format!("{name:?}"))?;
        for (_, detectors) in &sets {
            let (seconds, _) = scan(detectors, &text);
            write!(out, " {:>8.0}", text.len() as f64 / 1e6 / seconds)?;
        }
        writeln!(out)?;
    }
    let all = compile(&["*"])?;
    for bytes in [300, 4096] {
        let prompt = &ENGLISH.repeat(20)[..bytes];
        let (seconds, _) = scan(&all, prompt);
        writeln!(out, "scan of a {bytes}-byte prompt, all: {:.1} µs", seconds * 1e6)?;
    }
    writeln!(
        out,
        "\nscan of hostile text, all: MB/s of 1 MB, seconds of 2 MB by those of 1 MB, findings"
    )?;
    let mut hostile: Vec<(&str, String)> = HOSTILE.map(|unit| (unit, megabyte(unit))).to_vec();
    let deep = deep_base64(&ENGLISH.repeat(1200));
    hostile.push(("deep base64", deep));
    hostile.push(("a million findings", "a@b.co ".repeat(1_000_000)));
    for (name, text) in &hostile {
        let (one, findings) = scan(&all, text);
        let (two, _) = scan(&all, &text.repeat(2));
        let rate = text.len() as f64 / 1e6 / one;
        writeln!(
            out,
            "{:<22} {rate:>8.0} {:>8.2} {findings:>8}",
            format!("{name:?}"),
            two / one
        )?;
    }
    Ok(())
}

fn deltas(text: &str, length: usize) -> Vec<&str> {
    let mut at = 0;
    let mut deltas = Vec::new();
    while at < text.len() {
        let end = text.ceil_char_boundary((at + length).min(text.len()));
        deltas.push(&text[at..end]);
        at = end;
    }
    deltas
}

fn windows(out: &mut impl Write) -> std::io::Result<()> {
    let Ok(detectors) = Detectors::compile(&["*"]).map(Arc::new) else {
        return Ok(());
    };
    writeln!(
        out,
        "\nwindow, all, ns/delta  {:>8} {:>8} {:>8}",
        "1 B", "5 B", "50 B"
    )?;
    for (name, text) in texts() {
        write!(out, "{:<22}", format!("{name:?}"))?;
        let text = &text[..text.floor_char_boundary(100_000)];
        for length in [1, 5, 50] {
            let deltas = deltas(text, length);
            let mut found = Vec::new();
            let seconds = best(|| {
                let mut window = Window::new(detectors.clone(), MAX_HOLD_BYTES);
                for delta in &deltas {
                    window.push(black_box(delta), &mut found);
                }
                window.finish(&mut found);
                found.clear();
            });
            write!(out, " {:>8.0}", seconds * 1e9 / deltas.len() as f64)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn tokens(out: &mut impl Write) -> std::io::Result<()> {
    let encoding = Encoding::for_model("gpt-4o");
    let mut texts = texts();
    texts.truncate(3);
    texts.push((
        "Chinese",
        megabyte("你好,世界。今天天气很好,我们去公园散步吧!这是一个没有空格的句子。"),
    ));
    texts.push(("all a", megabyte("a")));
    texts.push(("all space", megabyte(" ")));
    texts.push(("all dash", megabyte("-")));
    texts.push(("all 中B", megabyte("中B")));
    texts.push(("random letters", {
        let mut state = 1_u32;
        let mut letter = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + (state >> 24) as u8 % 26)
        };
        (0..1 << 20).map(|_| letter()).collect()
    }));
    writeln!(
        out,
        "\ncount                      MB/s; meter, ns/delta {:>6} {:>6} {:>6}",
        "1 B", "5 B", "50 B"
    )?;
    for (name, text) in &texts {
        let seconds = best(|| {
            black_box(encoding.count(black_box(text)));
        });
        write!(
            out,
            "{name:<22} {:>8.1}{:>22}",
            text.len() as f64 / 1e6 / seconds,
            ""
        )?;
        let part = &text[..text.floor_char_boundary(20_000)];
        for length in [1, 5, 50] {
            let deltas = deltas(part, length);
            let seconds = best(|| {
                let mut meter = Meter::new(encoding);
                for delta in &deltas {
                    black_box(meter.push(black_box(delta)));
                }
            });
            write!(out, " {:>6.0}", seconds * 1e9 / deltas.len() as f64)?;
        }
        writeln!(out)?;
    }
    let prompt = &ENGLISH.repeat(2)[..300];
    let seconds = best(|| {
        (0..1000).for_each(|_| {
            black_box(encoding.count(black_box(prompt)));
        })
    }) / 1000.0;
    writeln!(
        out,
        "count of a 300-byte prompt: {:.0} ns ({} tokens)",
        seconds * 1e9,
        encoding.count(prompt)
    )?;
    for model in [
        "gpt-4o-mini",
        "gpt-4o-2024-08-06",
        "claude-sonnet-4-5",
        "some-azure-deployment",
    ] {
        let seconds = best(|| {
            (0..1000).for_each(|_| {
                black_box(Encoding::for_model(black_box(model)));
            })
        }) / 1000.0;
        writeln!(out, "encoding of {model}: {:.0} ns", seconds * 1e9)?;
    }
    Ok(())
}
