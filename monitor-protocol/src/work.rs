//! Counts the bytes that scanning looks at, so that tests can hold it to linear time without a clock. Nothing outside
//! tests.

use std::cell::Cell;

thread_local! {
    static LOOKED_AT: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn look_at(bytes: usize) {
    LOOKED_AT.with(|total| total.set(total.get() + bytes as u64));
}

/// Bytes looked at while `run` ran on this thread.
pub(crate) fn of<T>(run: impl FnOnce() -> T) -> u64 {
    let before = LOOKED_AT.with(Cell::get);
    run();
    LOOKED_AT.with(Cell::get) - before
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        Api, Call, Edit, FrameDecoder, Framing, Operation, RawSpans, edit, read_event, read_request,
        read_response,
    };

    /// Runs a hostile input of two sizes; the work may grow as the size does, and not be more than `each` per byte.
    fn assert_linear(name: &str, each: u64, input: impl Fn(usize) -> Vec<u8>, run: impl Fn(&[u8])) {
        let (small, large) = (input(2_000), input(20_000));
        let (work_small, work_large) = (of(|| run(&small)), of(|| run(&large)));
        assert!(work_small > 0, "{name}: nothing was counted");
        let growth = large.len() as u64 / small.len() as u64 + 1;
        assert!(
            work_large <= work_small * growth * 3 / 2,
            "{name}: {work_small} then {work_large}"
        );
        assert!(
            work_large <= large.len() as u64 * each,
            "{name}: {work_large} for {} bytes",
            large.len()
        );
    }

    fn read_both(body: &[u8]) {
        for call in [
            Call::new(Api::OpenAi, Operation::ChatCompletions),
            Call::new(Api::Anthropic, Operation::Messages),
        ] {
            let _ = read_request(&call, None, body).map(|request| {
                request.texts.iter().for_each(|text| drop(text.text()));
                drop(crate::prompt_count(&call, body, &request));
            });
            let _ = read_response(&call, body);
        }
    }

    #[test]
    fn hostile_documents_cost_linear_work() {
        let repeat = |open: &str, unit: &str, count: usize, close: &str| {
            format!("{open}{}{close}", vec![unit; count].join(",")).into_bytes()
        };
        let string = |unit: &'static str| {
            move |count: usize| {
                format!(r#"{{"messages":[{{"content":"{}"}}]}}"#, unit.repeat(count)).into_bytes()
            }
        };
        assert_linear("one letter", 20, string("a"), read_both);
        assert_linear("escapes", 80, string(r"\n"), read_both);
        assert_linear("surrogates", 80, string(r"\ud83d"), read_both);
        assert_linear("unclosed", 20, |count| vec![b'"'; count], read_both);
        for unit in [
            r#""tools":["x"]"#,
            r#""tools":[{"function":{"parameters":{"properties":{"a":{"enum":["b"]}}}}}]"#,
            r#""response_format":"x""#,
            r#""messages":[{"role":"user","content":[{"text":"x"}]}]"#,
            r#""stream_options":{"include_usage":false}"#,
            r#""choices":[{"message":{"content":"x","reasoning_details":[{"text":"y"}]}}]"#,
            r#""content":[{"type":"tool_result","content":[{"text":"x"}]}]"#,
            r#""system":[{"type":"tool_result","content":[{"text":"x"}]}]"#,
        ] {
            assert_linear(unit, 80, |count| repeat("{", unit, count / 10, "}"), read_both);
        }
        let empty = |count: usize| repeat(r#"{"messages":["#, "{}", count, "]}");
        assert_linear("empty messages", 80, empty, read_both);
    }

    #[test]
    fn hostile_documents_of_self_hosted_servers_cost_linear_work() {
        let read = |body: &[u8]| {
            for operation in [Operation::Generate, Operation::Completions, Operation::Rerank] {
                let call = Call::new(Api::OpenAi, operation);
                let _ = read_request(&call, None, body).map(|request| {
                    request.texts.iter().for_each(|text| drop(text.text()));
                    drop(crate::prompt_count(&call, body, &request));
                });
                let _ = read_response(&call, body);
            }
        };
        for unit in [
            r#""prompt":["x",{"prompt_string":"y"}]"#,
            r#""sampling_params":[{"max_new_tokens":1},{"n":2}]"#,
            r#""documents":[[["x"]],{"content":[{"content":"y"}]}]"#,
            r#""n_predict":1,"max_tokens":2"#,
            r#""details":{"prefill":[{}],"best_of_sequences":[{"generated_text":"x"}]}"#,
            r#""text":["x","y"],"meta_info":{"finish_reason":{"type":"stop"}}"#,
            r#""token":{"text":"x"},"choices":[{"text":"y"}],"content":"z""#,
        ] {
            let units = |count: usize| vec![unit; count / 10].join(",");
            assert_linear(
                unit,
                120,
                |count| format!("{{{}}}", units(count)).into_bytes(),
                read,
            );
            let answers = |count: usize| vec![format!("{{{unit}}}"); count / 10].join(",");
            assert_linear(
                unit,
                120,
                |count| format!("[{}]", answers(count)).into_bytes(),
                read,
            );
        }
    }

    #[test]
    fn hostile_forms_cost_linear_work() {
        let read_as = |operation: Operation, body: &[u8]| {
            let call = Call::new(Api::OpenAi, operation);
            let _ = read_request(&call, Some("b"), body).map(|request| {
                request.texts.iter().for_each(|text| drop(text.text()));
                drop(crate::prompt_count(&call, body, &request));
            });
        };
        let forms = |body: &[u8]| {
            read_as(Operation::Images, body);
            read_as(Operation::Transcriptions, body);
        };
        const HEAD: &str = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f.jsonl\"\r\n";
        let repeat = |open: &str, unit: &str, count: usize, close: &str| {
            format!("{open}{}{close}", unit.repeat(count / unit.len() + 1)).into_bytes()
        };
        let part = format!("{HEAD}\r\nx\r\n");
        let body = format!("{HEAD}\r\n");
        for (open, unit) in [
            ("", "x"),
            ("", "--b"),
            ("", "--b\r\n"),
            ("--b\r\n", "\n--b"),
            ("", &*part),
            (&*body, "--b "),
            (&*body, "\r\n--"),
            (HEAD, "a: b\r\n"),
            (HEAD, "content-disposition: form-data; name=x; "),
        ] {
            for close in ["", "\r\n--b--\r\n"] {
                assert_linear(unit, 20, |count| repeat(open, unit, count, close), forms);
            }
        }
        let files = |body: &[u8]| read_as(Operation::Files, body);
        for line in [
            "{}\n",
            "\n",
            "{\"url\":\"/v1/completions\",\"body\":{\"prompt\":\"x\"}}\n",
            "{\"body\":{},\"body\":{\"input\":\"x\"},\"url\":\"/%2525252525\"}\n",
        ] {
            let file = |count: usize| repeat(&body, line, count, "\r\n--b--\r\n");
            assert_linear(line, 80, file, files);
        }
    }

    #[test]
    fn hostile_streams_cost_linear_work() {
        let read_as = |framing: Framing, body: &[u8]| {
            let call = Call::new(Api::OpenAi, Operation::ChatCompletions);
            let mut decoder = FrameDecoder::new(framing);
            for chunk in body.chunks(1) {
                decoder.push(Bytes::copy_from_slice(chunk));
                while let Ok(Some(event)) = decoder.next() {
                    let _ = read_event(&call, &event);
                }
            }
        };
        let read = |body: &[u8]| read_as(Framing::Sse, body);
        assert_linear("an event byte by byte", 12, |count| vec![b'd'; count], read);
        assert_linear("blank lines", 12, |count| vec![b'\n'; count], read);
        assert_linear("carriage returns", 12, |count| vec![b'\r'; count], read);
        assert_linear("empty data lines", 12, |count| b"data\n".repeat(count / 5), read);
        assert_linear("short events", 12, |count| b"data:1\n\n".repeat(count / 8), read);
        let read = |body: &[u8]| read_as(Framing::Ndjson, body);
        assert_linear("a line byte by byte", 12, |count| vec![b'd'; count], read);
        assert_linear("empty lines", 12, |count| vec![b'\n'; count], read);
        let read = |body: &[u8]| read_as(Framing::JsonArray, body);
        let repeat = |unit: &'static str| {
            move |count: usize| [b"[", &unit.as_bytes().repeat(count / unit.len())[..]].concat()
        };
        for unit in ["[", "\"", "{},", "\\\"", " ", "{\"\\\\\":[]},", "1,"] {
            assert_linear(unit, 12, repeat(unit), read);
        }
        assert_linear(
            "white space after an array",
            12,
            |count| [&b"[]"[..], &vec![b' '; count]].concat(),
            read,
        );
        let read = |body: &[u8]| read_as(Framing::EventStream, body);
        let message = |count: usize| crate::frame::exception("e", &vec![b'x'; count]);
        assert_linear("a message byte by byte", 12, message, read);
        let messages = |count: usize| crate::frame::exception("e", b"").repeat(count / 80);
        assert_linear("short messages", 12, messages, read);
    }

    #[test]
    fn many_ranges_of_one_text_cost_one_walk() {
        for unit in ["a", r"\n", r"aaaaaaaa\n"] {
            let ranges = |body: &[u8]| {
                let raw = std::str::from_utf8(body).unwrap();
                let mut spans = RawSpans::of(raw, 0);
                let mut edits = Vec::new();
                for at in (0..).step_by(4) {
                    let Some(span) = spans.span(at..at + 3) else { break };
                    edits.push(Edit::text(span, "*"));
                }
                assert!(edits.len() * 10 > raw.len() / unit.len());
                look_at(edit(body, &edits).unwrap().len());
            };
            assert_linear(unit, 12, |count| unit.repeat(count).into_bytes(), ranges);
        }
    }
}
