//! `weir inspect`: what the detectors find in texts, without an agent.
//!
//! One JSON object a line comes in, `{"id", "text", "part"}`, and lines go out as they are found: one per finding,
//! one per input with its redacted text or its score where that is asked for. A line that cannot be read is told on standard
//! error and the rest goes on.

mod input;
#[cfg(test)]
mod tests;

use std::io::{self, BufReader, BufWriter, Write};
use std::path::PathBuf;

use monitor_content::{
    DetectorCatalog, Detectors, Finding, Judgement, Profile, Scanned, injection_score, redact,
};
use serde::Serialize;
use serde_json::value::RawValue;

use self::input::{Input, Read};
use super::CliError;
use crate::config::Config;
use crate::event::Part;

/// Bytes of input and of output that wait: enough that a file is read at the detectors' speed.
const BUFFER_BYTES: usize = 256 << 10;

/// Arguments of `weir inspect`.
#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// Detectors to run: names (pii.email), families (secret.*) or *
    #[arg(
        long,
        value_name = "PATTERN",
        num_args = 1..,
        value_delimiter = ',',
        default_value = "*"
    )]
    detect: Vec<String>,
    /// Report only findings of at least this confidence, as 70% or 0.7
    #[arg(long, value_name = "CONFIDENCE", value_parser = confidence)]
    min_confidence: Option<u8>,
    /// A configuration, for the detectors that it defines; all of them run where --detect does not say
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Add one line per input, with its text redacted
    #[arg(long)]
    redact: bool,
    /// Add one line per input, with how likely it is to be or to contain a prompt injection, 0 to 1
    #[arg(long)]
    score_all: bool,
}

/// One finding, as it is written.
#[derive(Serialize)]
struct FindingLine<'a> {
    id: &'a RawValue,
    detector: &'a str,
    /// Byte offsets in the input's text.
    start: usize,
    end: usize,
    /// From 0 to 1.
    confidence: f64,
    explanation: &'a str,
}

/// An input with more findings than are reported, as it is written.
#[derive(Serialize)]
struct LimitedLine<'a> {
    id: &'a RawValue,
    limited: bool,
}

/// One input's score, as it is written.
#[derive(Serialize)]
struct ScoreLine<'a> {
    id: &'a RawValue,
    injection_score: f32,
}

/// One input's text with its findings replaced, as it is written.
#[derive(Serialize)]
struct RedactedLine<'a> {
    id: &'a RawValue,
    redacted: String,
}

pub(super) fn run(arguments: &Inspect, out: &mut impl Write) -> Result<(), CliError> {
    let input = BufReader::with_capacity(BUFFER_BYTES, io::stdin().lock());
    let out = BufWriter::with_capacity(BUFFER_BYTES, out);
    inspect(arguments, input, out, &mut io::stderr().lock())
}

fn inspect<R: io::Read>(
    arguments: &Inspect,
    mut input: BufReader<R>,
    mut out: impl Write,
    errors: &mut impl Write,
) -> Result<(), CliError> {
    let reader = Reader::new(arguments)?;
    let mut line = Vec::new();
    let mut findings = Vec::new();
    let mut number: u64 = 0;
    let mut bad: u64 = 0;
    loop {
        // Whoever feeds line by line gets its answer before the next line is waited for.
        if input.buffer().is_empty() {
            out.flush()?;
        }
        let read = input::read_line(&mut input, &mut line).map_err(CliError::Input)?;
        number += 1;
        let parsed = match read {
            Read::End => break,
            Read::TooLong => Err(input::Problem::TooLong),
            Read::Line if line.trim_ascii().is_empty() => continue,
            Read::Line => Input::parse(&line),
        };
        match parsed {
            Ok(input) => reader.answer(&input, &mut findings, &mut out)?,
            Err(problem) => {
                bad += 1;
                // Nothing can be said where standard error is closed; the exit code still tells.
                let _closed = writeln!(errors, "weir: line {number}: {problem}");
            }
        }
    }
    out.flush()?;
    if bad > 0 {
        return Err(CliError::BadLines { bad });
    }
    Ok(())
}

/// The compiled detectors and what to write of what they find.
struct Reader {
    own: Detectors,
    untrusted: Detectors,
    redact: bool,
    score: bool,
}

impl Reader {
    fn new(arguments: &Inspect) -> Result<Self, CliError> {
        let catalog = match &arguments.config {
            Some(path) => Config::load(path)?.detectors.catalog,
            None => DetectorCatalog::default(),
        };
        let compile = |profile| {
            let judgement = Judgement {
                profile,
                min_confidence_percent: arguments.min_confidence,
            };
            catalog.compile(&arguments.detect, judgement)
        };
        Ok(Self {
            own: compile(Profile::Own)?,
            untrusted: compile(Profile::Untrusted)?,
            redact: arguments.redact,
            score: arguments.score_all,
        })
    }

    fn answer(&self, input: &Input<'_>, findings: &mut Vec<Finding>, out: &mut impl Write) -> io::Result<()> {
        let profile = input.part.map_or(Profile::Own, Part::profile);
        let detectors = match profile {
            Profile::Own => &self.own,
            Profile::Untrusted => &self.untrusted,
        };
        findings.clear();
        if detectors.scan(&input.text, findings) == Scanned::Limited {
            let line = LimitedLine {
                id: input.id,
                limited: true,
            };
            write_line(out, &line)?;
        }
        for finding in findings.iter() {
            let line = FindingLine {
                id: input.id,
                detector: finding.detector,
                start: finding.start,
                end: finding.end,
                confidence: f64::from(finding.confidence_percent) / 100.0,
                explanation: finding.explanation,
            };
            write_line(out, &line)?;
        }
        if self.score {
            let line = ScoreLine {
                id: input.id,
                injection_score: injection_score(&input.text, profile),
            };
            write_line(out, &line)?;
        }
        if self.redact {
            let line = RedactedLine {
                id: input.id,
                redacted: redact(&input.text, findings),
            };
            write_line(out, &line)?;
        }
        Ok(())
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// A confidence as an operator writes it: `70%` or `0.7`, in percent.
fn confidence(written: &str) -> Result<u8, String> {
    let percent = match written.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok(),
        None => written.parse::<f64>().ok().map(|fraction| fraction * 100.0),
    };
    percent
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 0 to 100, as filtered"
            )]
            let percent = percent.round() as u8;
            percent
        })
        .ok_or_else(|| "write it from 0% to 100%, or from 0 to 1".to_owned())
}
