//! What policy does not edit leaves as it came: golden exchanges over the real path, split everywhere.

mod golden;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::runner::Test;
use super::stage::Stage;
use crate::chunked;
use crate::client::replay::{Talk, Turn, Until};
use crate::lab::address::SCRIPTED;
use crate::provider::Step;
use golden::{Golden, all};

/// Piece sizes that every golden exchange is sent in, both ways. 1 splits everything; the others hit other boundaries.
const PIECES: [usize; 4] = [1, 2, 7, 64];

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("byte_identity::in_one_piece", whole),
        Test::new("byte_identity::in_small_pieces", pieces),
        Test::new("byte_identity::requests_split_at_every_byte", request_splits),
        Test::new("byte_identity::responses_split_at_every_byte", response_splits),
        Test::new("byte_identity::pipelined_requests", pipelined),
        Test::new("byte_identity::under_policies_that_find_nothing", under_policies),
    ]
}

async fn whole(stage: Arc<Stage>) -> Result<()> {
    let cases: Vec<Case> = all().into_iter().map(Case::whole).collect();
    check(&stage, "golden-whole", cases).await
}

async fn pieces(stage: Arc<Stage>) -> Result<()> {
    for size in PIECES {
        let cases = all().into_iter().map(|golden| Case {
            request_pieces: Some(size),
            response_pieces: Some(size),
            ..Case::whole(golden)
        });
        check(&stage, &format!("golden-pieces-{size}"), cases.collect()).await?;
    }
    Ok(())
}

async fn request_splits(stage: Arc<Stage>) -> Result<()> {
    for golden in all().into_iter().filter(|golden| golden.split_request) {
        let splits = (1..golden.request("x").len()).map(|at| Case {
            request_split: Some(at),
            ..Case::whole(golden.clone())
        });
        check(
            &stage,
            &format!("golden-request-{}", golden.name),
            splits.collect(),
        )
        .await?;
    }
    Ok(())
}

async fn response_splits(stage: Arc<Stage>) -> Result<()> {
    for golden in all()
        .into_iter()
        .filter(|golden| golden.split_response && !golden.closes)
    {
        let splits = (1..golden.response.len()).map(|at| Case {
            response_split: Some(at),
            ..Case::whole(golden.clone())
        });
        check(
            &stage,
            &format!("golden-response-{}", golden.name),
            splits.collect(),
        )
        .await?;
    }
    Ok(())
}

async fn under_policies(stage: Arc<Stage>) -> Result<()> {
    for policy in ["redact-golden", "passive-golden"] {
        let cases = all()
            .into_iter()
            .filter(|golden| golden.readable)
            .map(|golden| Case {
                response_pieces: Some(64),
                any_chunks: true,
                ..Case::whole(golden)
            });
        check(&stage, policy, cases.collect()).await.context(policy)?;
    }
    Ok(())
}

/// Requests written at once, before the first answer.
async fn pipelined(stage: Arc<Stage>) -> Result<()> {
    let goldens: Vec<Golden> = all()
        .into_iter()
        .filter(|golden| !golden.closes && !golden.expects && !golden.is_chunked())
        .collect();
    let (mut requests, mut responses): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    for golden in &goldens {
        let case = format!("pipelined-{}", golden.name);
        stage
            .lab
            .golden
            .lay(&case, vec![Step::Send(golden.response.clone())]);
        requests.extend(golden.request(&case));
        responses.extend(&golden.response);
    }
    let talk = Talk::tls(
        SCRIPTED.name,
        stage.trust.clone(),
        vec![Turn::new(&requests, Until::Bytes(responses.len()))],
    );
    let (_, heard) = stage.talk("golden-pipelined", &[talk]).await?;
    let heard = heard.first().context("nothing heard")?;
    ensure!(
        heard.turns.concat() == responses,
        "answers differ: {:?} {}",
        heard.error,
        text(&heard.turns.concat())
    );
    for golden in &goldens {
        let case = format!("pipelined-{}", golden.name);
        let captured = stage.lab.golden.captured(&case);
        ensure!(
            captured
                .first()
                .is_some_and(|captured| captured.bytes == golden.request(&case)),
            "{case}: {captured:?}"
        );
    }
    Ok(())
}

/// One golden exchange and how it is split.
struct Case {
    golden: Golden,
    request_pieces: Option<usize>,
    request_split: Option<usize>,
    response_pieces: Option<usize>,
    response_split: Option<usize>,
    /// Chunks of the answer may begin and end elsewhere.
    any_chunks: bool,
}

impl Case {
    fn whole(golden: Golden) -> Self {
        Self {
            golden,
            request_pieces: None,
            request_split: None,
            response_pieces: None,
            response_split: None,
            any_chunks: false,
        }
    }

    fn steps(&self) -> Vec<Step> {
        let response = &self.golden.response;
        let mut steps = match (self.response_pieces, self.response_split) {
            (Some(size), _) => vec![Step::Pieces(response.clone(), size)],
            (None, Some(at)) => {
                let (head, tail) = response.split_at(at);
                // Long enough for the first part to be read alone.
                vec![
                    Step::Send(head.to_vec()),
                    Step::Wait(std::time::Duration::from_micros(300)),
                    Step::Send(tail.to_vec()),
                ]
            }
            (None, None) => vec![Step::Send(response.clone())],
        };
        if self.golden.closes {
            steps.push(Step::Close);
        }
        steps
    }

    /// What the client says: the whole request, or its head and, once it is told to go on, its body.
    fn turns(&self, request: &[u8]) -> Vec<Turn> {
        let until = self.golden.until();
        if self.golden.expects {
            let (head, body) = request.split_at(request.len() - self.golden.body_length());
            let interim = Turn::new(head, Until::Bytes(golden::CONTINUE.len()));
            return vec![interim, Turn::new(body, until)];
        }
        let turn = Turn::new(request, until);
        vec![match (self.request_pieces, self.request_split) {
            (Some(size), _) => turn.in_pieces_of(size),
            (None, Some(at)) => turn.split_at(at),
            (None, None) => turn,
        }]
    }
}

/// Holds all cases from one process: those that leave the connection open share one, the others have one each.
async fn check(stage: &Stage, name: &str, cases: Vec<Case>) -> Result<()> {
    let identifier = |index: usize| format!("{name}-{index}");
    let mut shared = Talk::tls(SCRIPTED.name, stage.trust.clone(), Vec::new());
    let mut together = Vec::new();
    let mut talks: Vec<(Talk, Vec<&Case>)> = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        stage.lab.golden.lay(&identifier(index), case.steps());
        let turns = case.turns(&case.golden.request(&identifier(index)));
        if case.golden.closes {
            talks.push((Talk::tls(SCRIPTED.name, stage.trust.clone(), turns), vec![case]));
        } else {
            shared.turns.extend(turns);
            together.push(case);
        }
    }
    talks.push((shared, together));
    let (talks, expected): (Vec<Talk>, Vec<Vec<&Case>>) = talks.into_iter().unzip();
    let (_, heard) = stage.talk(name, &talks).await?;
    for (heard, cases) in heard.iter().zip(&expected) {
        let mut came = heard.turns.iter();
        for case in cases {
            let golden = &case.golden;
            let interim = if golden.expects { came.next() } else { None };
            ensure!(
                interim.is_none_or(|interim| interim == golden::CONTINUE),
                "{case}: not told to continue"
            );
            let answer = came
                .next()
                .with_context(|| format!("{case}: no answer: {:?}", heard.error))?;
            ensure!(
                *answer == golden.response || (case.any_chunks && same_content(&golden.response, answer)?),
                "{case}: the answer differs ({:?}):\n{}",
                heard.error,
                text(answer)
            );
        }
    }
    for (index, case) in cases.iter().enumerate() {
        let captured = stage.lab.golden.captured(&identifier(index));
        let sent = case.golden.request(&identifier(index));
        let came = captured
            .first()
            .map(|captured| captured.bytes.as_slice())
            .unwrap_or_default();
        ensure!(
            captured.len() == 1 && sent == *came,
            "{case}: the provider got {} requests:\n{}",
            captured.len(),
            text(came)
        );
    }
    Ok(())
}

/// Whether two messages differ at most in where chunks begin and end. A policy that may cut or edit a stream lets go of it
/// event by event; chunks belong to one hop (RFC 9112, section 7.1), so the payload is the same and its framing need not be.
fn same_content(one: &[u8], other: &[u8]) -> Result<bool> {
    let (Some((head, body)), Some((other_head, other_body))) = (in_two(one), in_two(other)) else {
        return Ok(false);
    };
    if head != other_head {
        return Ok(false);
    }
    if !head
        .to_ascii_lowercase()
        .windows(7)
        .any(|window| window == b"chunked")
    {
        return Ok(body == other_body);
    }
    let contents =
        |body| Ok::<_, anyhow::Error>(chunked::read(body)?.map(|content| (content.data, content.trailers)));
    Ok(contents(body)? == contents(other_body)?)
}

/// Head and body; interim answers before it belong to the head.
fn in_two(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        let rest = message.get(at..)?;
        let end = at + rest.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        if !rest.starts_with(b"HTTP/1.1 1") {
            return Some(message.split_at(end));
        }
        at = end;
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            golden,
            request_pieces,
            request_split,
            response_pieces,
            response_split,
            any_chunks: _,
        } = self;
        write!(
            formatter,
            "{} (request in pieces of {request_pieces:?} or split at {request_split:?}, answer {response_pieces:?} or {response_split:?})",
            golden.name
        )
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
