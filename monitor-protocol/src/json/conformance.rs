//! The reader accepts and refuses what serde_json does, and reads the same values.

use proptest::prelude::*;
use serde_json::Value;

use super::{JsonFault, Kind, MAX_DEPTH, Reader};
use crate::JsonError;

/// Reads a whole document without skipping anything, rebuilding it.
fn read(document: &[u8]) -> Result<Value, JsonError> {
    fn value(reader: &mut Reader<'_>) -> Result<Value, JsonError> {
        Ok(match reader.peek()? {
            Kind::Object => {
                let mut members = serde_json::Map::new();
                reader.object(|reader, key| {
                    members.insert(key.text().into_owned(), value(reader)?);
                    Ok(())
                })?;
                Value::Object(members)
            }
            Kind::Array => {
                let mut elements = Vec::new();
                reader.array(|reader| {
                    elements.push(value(reader)?);
                    Ok(())
                })?;
                Value::Array(elements)
            }
            Kind::String => Value::String(reader.string()?.unwrap().text().into_owned()),
            Kind::True | Kind::False => Value::Bool(reader.is_true()?),
            Kind::Null => reader.skip().map(|_| Value::Null)?,
            Kind::Number => {
                let span = reader.skip()?;
                serde_json::from_str(reader.slice(span)).unwrap_or(Value::Null)
            }
        })
    }
    let mut reader = Reader::new(document)?;
    let value = value(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

fn skip(document: &[u8]) -> Result<(), JsonError> {
    let mut reader = Reader::new(document)?;
    reader.skip()?;
    reader.finish()
}

/// serde_json, asked in the way that holds it to the grammar alone: no range of numbers, no pairing of surrogates.
fn serde_accepts(document: &[u8]) -> bool {
    std::str::from_utf8(document)
        .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

fn assert_agrees(document: &[u8]) {
    let expected = serde_accepts(document);
    let shown = String::from_utf8_lossy(document);
    let (walked, skipped) = (read(document), skip(document));
    let too_deep = |error: &JsonError| error.fault == JsonFault::Depth;
    if walked.as_ref().err().is_some_and(too_deep) {
        assert!(skipped.is_err_and(|error| too_deep(&error)));
        return;
    }
    assert_eq!(walked.is_ok(), expected, "walking {shown:?}: {walked:?}");
    assert_eq!(skipped.is_ok(), expected, "skipping {shown:?}: {skipped:?}");
    if let Ok(value) = walked
        && let Ok(theirs) = serde_json::from_slice::<Value>(document)
    {
        assert_eq!(value, theirs, "{shown:?}");
    }
}

#[test]
fn hostile_documents() {
    let mut documents: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "{}",
        "[]",
        "[,]",
        "[1,]",
        "[1 2]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "[1}",
        "{\"a\":1]",
        "{} {}",
        "{}x",
        "[]]",
        "//c\n{}",
        "\u{feff}{}",
        "nul",
        "nulL",
        "null",
        "true",
        "truee",
        "false",
        "fals",
        "True",
        "NaN",
        "Infinity",
        "-",
        "-0",
        "00",
        "01",
        "-01",
        "0",
        "0.",
        ".0",
        "0.0",
        "1.",
        "1e",
        "1e+",
        "1e5",
        "1E-5",
        "1e5.0",
        "+1",
        "1e999",
        "-1e999",
        "0x10",
        "1_0",
        "123456789012345678901234567890",
        "\"",
        "\"\\",
        "\"\\u",
        "\"\\u12",
        "\"\\u12G4\"",
        "\"\\x\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\\ud83d\"",
        "\"a\nb\"",
        "\"a\u{0}b\"",
        "\"a\u{1f}b\"",
        "\"a\u{7f}b\"",
        "\"\t\"",
        "{\"a\":1,\"a\":2}",
        "\u{a0}1",
        "\u{c}1",
        "\u{2028}",
        "\"\u{2028}\"",
        "[1,\u{b}2]",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    documents.push(b"\"\xff\"".to_vec());
    documents.push(b"\"\xc0\x80\"".to_vec());
    documents.push(b"\"\xed\xa0\x80\"".to_vec());
    documents.push(b"\"\xf4\x90\x80\x80\"".to_vec());
    documents.push(b"\"\xe2\x82\"".to_vec());
    // A special byte at every offset of the block that is looked at in one step.
    for at in 0..70 {
        for special in ["\"", "\\", "\\n", "\n", "\u{1f}", "é"] {
            documents.push(format!("\"{}{special}{}\"", "a".repeat(at), "b".repeat(70 - at)).into_bytes());
        }
    }
    for document in documents {
        assert_agrees(&document);
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |open: &str, close: &str, depth: u32| {
        format!("{}1{}", open.repeat(depth as usize), close.repeat(depth as usize)).into_bytes()
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let per_unit = u32::try_from(open.matches(['[', '{']).count()).unwrap();
        let fits = nested(open, close, MAX_DEPTH / per_unit);
        assert!(read(&fits).is_ok() && skip(&fits).is_ok());
        let deeper = nested(open, close, MAX_DEPTH / per_unit + 1);
        assert_eq!(read(&deeper).unwrap_err().fault, JsonFault::Depth);
        assert_eq!(skip(&deeper).unwrap_err().fault, JsonFault::Depth);
    }
    // A million levels end at the bound, not at the end of the stack.
    assert_eq!(skip(&vec![b'['; 1_000_000]).unwrap_err().fault, JsonFault::Depth);
}

/// The recursive walks stay far inside the smallest stack a thread of the agent has.
#[test]
fn depth_fits_a_small_stack() {
    let nested = |open: &str, close: &str| format!("{}0{}", open.repeat(60), close.repeat(60));
    let bodies = [
        format!("{{\"messages\":{}}}", nested("[[", "]]")),
        format!("{{\"tools\":{}}}", nested("[{\"items\":", "}]")),
        format!(
            "{{\"tools\":[{{\"parameters\":{}}}]}}",
            nested("{\"items\":", "}")
        ),
        format!(
            "{{\"messages\":[{{\"content\":{}}}]}}",
            nested("[{\"content\":", "}]")
        ),
    ];
    let worker = std::thread::Builder::new().stack_size(512 << 10).spawn(move || {
        for body in bodies {
            let body = body.as_bytes();
            for (api, operation) in [
                (crate::Api::OpenAi, crate::Operation::ChatCompletions),
                (crate::Api::Anthropic, crate::Operation::Messages),
            ] {
                let call = crate::Call::new(api, operation);
                let request = crate::read_request(&call, None, body).unwrap();
                let plan = crate::prompt_count(&call, body, &request);
                assert!(plan.overhead > 0 || operation == crate::Operation::Messages);
            }
        }
    });
    worker.unwrap().join().unwrap();
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no infinities", |number| number.is_finite())
            .prop_map(Value::from),
        "\\PC{0,40}|[\\x00-\\x7f]{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map("\\PC{0,12}", inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn generated_documents(value in any_value(), pretty in any::<bool>()) {
        let document = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        prop_assert!(read(&document).is_ok());
        assert_agrees(&document);
    }

    #[test]
    fn damaged_documents(
        value in any_value(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(&b"\"\\{}[]:,0-+.eE tn\x00\x1f"[..])],
        how in 0..3,
    ) {
        let mut document = serde_json::to_vec(&value).unwrap();
        let at = at.index(document.len());
        match how {
            0 => document[at] = byte,
            1 => document.insert(at, byte),
            _ => document.truncate(at),
        }
        assert_agrees(&document);
    }

    #[test]
    fn soup(document in prop::collection::vec(
        prop::sample::select(vec!["{", "}", "[", "]", ":", ",", "\"a\"", "\"", "\\", "0", "-1.5e3", "true", "null", " "]), 0..16,
    )) {
        assert_agrees(document.concat().as_bytes());
    }

    #[test]
    fn any_bytes(document in prop::collection::vec(any::<u8>(), 0..64)) {
        assert_agrees(&document);
    }
}
