//! Streams that are no server-sent events, through the whole pipeline.

use monitor_protocol::Api;

use super::*;
use crate::event::Certainty;
use crate::exchange::Opened;

struct Family {
    api: Api,
    host: &'static str,
    target: &'static str,
    request: &'static str,
    media: &'static str,
    /// The stream: a text goes from the first piece to the second.
    pieces: [String; 3],
}

fn ollama() -> Family {
    let line = |text: &str| {
        format!(
            "{{\"model\":\"llama3\",\"created_at\":\"t\",\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"done\":false}}\n"
        )
    };
    Family {
        api: Api::Ollama,
        host: "ollama.corp.example",
        target: "/api/chat",
        request: r#"{"model":"llama3","messages":[{"role":"user","content":"hi"}]}"#,
        media: "application/x-ndjson",
        pieces: [
            line("mail a@exam"),
            line("ple.org now"),
            "{\"model\":\"llama3\",\"created_at\":\"t\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":11,\"eval_count\":6}\n".into(),
        ],
    }
}

fn gemini() -> Family {
    let element = |text: &str, rest: &str| {
        format!(
            "{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}],\"role\":\"model\"}},\"index\":0{rest}}}],\"usageMetadata\":{{\"promptTokenCount\":11,\"candidatesTokenCount\":6,\"totalTokenCount\":17}}}}"
        )
    };
    Family {
        api: Api::Gemini,
        host: "generativelanguage.googleapis.com",
        target: "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        request: r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        media: "application/json; charset=UTF-8",
        pieces: [
            format!("[{}", element("mail a@exam", "")),
            format!("\n,\r\n{}", element("ple.org now", "")),
            format!("\n,\r\n{}\n]\n", element(".", ",\"finishReason\":\"STOP\"")),
        ],
    }
}

impl Family {
    fn ask(&self, lab: &Lab) -> Run {
        let opened = Opened {
            host: self.host.into(),
            api: self.api,
            provider: "test".into(),
            ..lab.opened()
        };
        let mut run = Run::of(lab.origin_of(opened));
        let body = self.request;
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.target,
            self.host,
            body.len()
        );
        run.client(request.as_bytes());
        assert_eq!(run.to_upstream, request.as_bytes());
        run
    }

    fn answer(&self) -> Vec<u8> {
        let mut wire = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
            self.media
        );
        for piece in &self.pieces {
            wire.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
        }
        wire.push_str("0\r\n\r\n");
        wire.into_bytes()
    }
}

#[test]
fn a_text_split_over_frames_is_masked_and_the_rest_keeps_its_bytes() {
    for family in [ollama(), gemini()] {
        let wire = family.answer();
        for cut in (0..wire.len()).step_by(7) {
            let lab = lab(&[policy(
                vec![rule("pii.email", false, true, Action::Redact)],
                vec![budget(100_000)],
            )]);
            let mut run = family.ask(&lab);
            run.upstream(&wire[..cut]);
            run.upstream(&wire[cut..]);
            let expected = family
                .pieces
                .concat()
                .replace("a@exam", "[REDACTED:email]")
                .replace("ple.org", "");
            assert_eq!(dechunk(&run.to_client), expected, "{} cut at {cut}", family.host);
            let exchange = lab.one_exchange();
            let usage = exchange.usage.unwrap();
            assert!(exchange.streamed && exchange.verdict == Verdict::Redacted);
            assert_eq!(
                (usage.input, usage.output, usage.certainty),
                (11, 6, Certainty::Exact)
            );
        }
    }
}

#[test]
fn without_policies_every_framing_passes_as_it_came_and_is_metered() {
    for family in [ollama(), gemini()] {
        let lab = lab(&[]);
        let mut run = family.ask(&lab);
        run.upstream(&family.answer());
        assert_eq!(run.to_client, family.answer());
        let usage = lab.one_exchange().usage.unwrap();
        assert_eq!((usage.input, usage.output), (11, 6), "{}", family.host);
    }
}

#[test]
fn a_stream_over_its_budget_ends_in_its_own_framing() {
    for family in [ollama(), gemini()] {
        let lab = lab(&[policy(vec![], vec![budget(300)])]);
        let mut run = family.ask(&lab);
        let long = vec!["word"; 2_000].join(" ");
        let wire = String::from_utf8(family.answer()).unwrap();
        let piece = family.pieces[1].replace("ple.org now", &long);
        let framed = format!("{:x}\r\n{}\r\n", family.pieces[1].len(), family.pieces[1]);
        let wire = wire.replace(&framed, &format!("{:x}\r\n{piece}\r\n", piece.len()));
        run.upstream(wire.as_bytes());
        let sent = dechunk(&run.to_client);
        assert!(sent.starts_with(&family.pieces[0]), "{sent}");
        let documents: Vec<serde_json::Value> = match family.api {
            Api::Gemini => serde_json::from_str(&sent).unwrap(),
            _ => sent
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        };
        assert_eq!(documents.len(), 2, "{sent}");
        assert!(documents[1].get("error").is_some(), "{sent}");
        assert_eq!(lab.one_exchange().verdict, Verdict::Cut);
    }
}
