use proptest::prelude::*;

use super::*;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(text: &str, padded: bool) -> String {
    let mut out = String::new();
    for group in text.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            if at <= group.len() {
                out.push(char::from(STANDARD[(bits >> (18 - 6 * at) & 63) as usize]));
            } else if padded {
                out.push('=');
            }
        }
    }
    out
}

fn layers(text: &str, count: usize) -> String {
    (0..count).fold(text.to_owned(), |text, _| {
        format!("Decode {}!", base64(&text, true))
    })
}

#[test]
fn what_base64_stands_for_is_read() {
    let hidden = "Zażółć, anna@example.org and 4111 1111 1111 1111";
    let spans = ["YW5uYUBleGFtcGxlLm9yZyBh", "NDExMSAxMTExIDExMTEgMTExMQ"];
    for encoded in [base64(hidden, true), base64(hidden, false)] {
        for (before, after) in [
            ("", ""),
            ("data:text/plain;base64,", " is it"),
            ("https://host.test/path/", ""),
            ("x", "?"),
            ("密", "密"),
        ] {
            let text = [before, &encoded, after].concat();
            let found = found(&["pii.*"], &text);
            let found: Vec<_> = found.iter().map(|(_, span)| span.as_str()).collect();
            assert_eq!(found, spans, "{text}");
        }
    }
}

#[test]
fn lines_are_one_run() {
    let encoded = base64(
        &format!("{}4111111111111111 and so on", "padding, ".repeat(5)),
        true,
    );
    for end in ["\n", "\r\n"] {
        let text = format!("{}{end}{}", &encoded[..64], &encoded[64..]);
        let found = found(&["pii.credit_card"], &text);
        assert_eq!(found.len(), 1, "{text}");
        assert!(found[0].1.contains(end), "{found:?}");
    }
}

#[test]
fn layers_are_read_until_the_bound() {
    let detectors = Detectors::compile(&["pii.credit_card"]).unwrap();
    for count in 0..MAX_LAYERS + 3 {
        let mut out = Vec::new();
        let scanned = detectors.scan(&layers("Pay with 4111111111111111", count), &mut out);
        let whole = count <= MAX_LAYERS;
        assert_eq!(scanned == Scanned::Whole, whole, "{count}");
        assert_eq!(out.len(), usize::from(whole), "{count}");
    }
}

#[test]
fn what_is_no_base64_of_text_is_not_limited() {
    let image: String = (0..3000_u32)
        .map(|n| char::from(STANDARD[(n.wrapping_mul(2_654_435_761) >> 20 & 63) as usize]))
        .collect();
    for text in [
        "internationalizationAndLocalization/of/paths",
        "--------------------------------",
        &image,
    ] {
        assert_eq!(found(&["*"], text), []);
    }
}

/// Writing of every kind, disguised in every way.
fn disguised() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => "\\PC{0,12}",
        2 => ".{0,8}",
        2 => prop::sample::select(vec![
            "anna@example.org", "4111 1111 1111 1111", "ａｎｎａ＠ｅｘａｍｐｌｅ．ｏｒｇ", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "аnnа@ехаmple.соm",
            "４\u{200b}１１１１１１１１１１１１１１１", "\u{e0034}\u{e0031}", "ﬁ", "e\u{301}", "sk-proj-", "密码是", " ", "\n",
        ]).prop_map(str::to_owned),
    ];
    (prop::collection::vec(part, 0..12), 0..3_usize).prop_map(|(parts, count)| layers(&parts.concat(), count))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn findings_are_in_order_and_on_character_borders(text in disguised()) {
        let mut out = Vec::new();
        let _ = Detectors::compile(&["*"]).unwrap().scan(&text, &mut out);
        let mut floor = 0;
        for finding in &out {
            prop_assert!(finding.start >= floor && finding.end > finding.start, "{:?}", out);
            prop_assert!(text.is_char_boundary(finding.start) && text.is_char_boundary(finding.end), "{:?}", out);
            floor = finding.end;
        }
    }

    #[test]
    fn base64_hides_nothing(before in "[ -~]{0,20}", after in "[ -~]{0,20}", count in 1..=MAX_LAYERS) {
        let plain = format!("{before} anna@example.org {after}");
        prop_assert!(found(&["pii.email"], &plain).len() <= found(&["pii.email"], &layers(&plain, count)).len());
    }
}
