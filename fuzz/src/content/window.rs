//! A text in pieces beside the same in one.

use monitor_content::{Finding, MAX_HOLD_BYTES, MAX_HOLD_ORIGINAL_BYTES, MIN_HOLD_BYTES, Window};

use super::{ALL, check_spans, rules, text};

/// The first four bytes choose the pieces, the next one whether less is held; the rest is a text.
pub fn check(input: &[u8]) {
    let Some((chosen, input)) = input.split_first_chunk::<5>() else {
        return;
    };
    let text = text(input);
    let [a, b, c, d, hold] = *chosen;
    let seed = u32::from_le_bytes([a, b, c, d]);
    let one = joined(&read(&text, [text.as_str()], MAX_HOLD_BYTES));
    check_spans(&text, &one);
    let pieces = joined(&read(&text, pieces(&text, seed), MAX_HOLD_BYTES));
    assert_eq!(pieces, one, "{text:?}");
    // A whole text shows some more.
    let whole = rules::scan(&text);
    for finding in &one {
        if finding.detector == "prompt_injection" {
            // Its span is chosen anew where base64 or spaced-out letters are read as what they stand for.
            let mut spans = whole.iter().filter(|f| f.detector == finding.detector);
            assert!(spans.any(|f| f.start < finding.end), "{text:?} {one:?} {whole:?}");
            continue;
        }
        let mut at = finding.start;
        while at < finding.end {
            let around = whole.iter().find(|f| f.start <= at && at < f.end);
            at = around.unwrap_or_else(|| panic!("{text:?} {one:?} {whole:?}")).end;
        }
    }
    if hold & 1 == 1 {
        let hold = MIN_HOLD_BYTES + usize::from(hold) % (MAX_HOLD_BYTES - MIN_HOLD_BYTES);
        joined(&read(&text, self::pieces(&text, seed), hold));
    }
}

/// Pieces whose lengths `seed` decides: its lowest byte how long they may be, one character at least.
fn pieces(text: &str, seed: u32) -> impl Iterator<Item = &str> {
    let most = 1 + seed % 32;
    let (mut state, mut at) = (seed, 0);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let end = text.ceil_char_boundary(text.len().min(at + 1 + (state >> 16) as usize % most as usize));
        let piece = &text[at..end];
        at = end;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Reads a text in pieces, and checks what must hold after each.
fn read<'a>(text: &str, pieces: impl IntoIterator<Item = &'a str>, hold: usize) -> Vec<Finding> {
    let mut window = Window::new(ALL.clone(), hold);
    let mut out = Vec::new();
    let (mut length, mut decided) = (0, 0);
    for piece in pieces {
        let reported = out.len();
        window.push(piece, &mut out);
        length += piece.len();
        assert!(
            window.decided() >= decided && window.decided() <= length,
            "{text:?}"
        );
        assert!(window.held() == length - window.decided(), "{text:?}");
        assert!(window.held() <= MAX_HOLD_ORIGINAL_BYTES, "{text:?}");
        assert!(
            out[reported..].iter().all(|finding| finding.start >= decided),
            "{text:?} {out:?}"
        );
        assert!(
            out.last().is_none_or(|finding| finding.end <= window.decided()),
            "{text:?} {out:?}"
        );
        decided = window.decided();
    }
    window.finish(&mut out);
    assert_eq!((window.decided(), window.held()), (text.len(), 0), "{text:?}");
    out
}

/// Findings with their continuations joined on.
fn joined(findings: &[Finding]) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::new();
    for finding in findings {
        match out.last_mut() {
            Some(last) if finding.continued => {
                assert_eq!(last.detector, finding.detector);
                assert!(last.end <= finding.start);
                last.end = finding.end;
            }
            _ => {
                assert!(!finding.continued, "{findings:?}");
                out.push(*finding);
            }
        }
    }
    out
}
