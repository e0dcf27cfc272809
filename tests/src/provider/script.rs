//! What a stand-in answers: decided by the last user message and a few `x-lab-*` headers, the same every time.
//!
//! | the prompt begins with | the answer |
//! |---|---|
//! | `Write N words` | N words |
//! | `Repeat: TEXT` | TEXT, streamed in pieces of three characters |
//! | `Tell a card number` | a sentence with one, streamed in pieces of three characters |
//! | `Use the tool` | a call of the first tool offered |
//! | `Use the tool with: TEXT` | a call of the first tool offered, which has TEXT among its arguments |
//! | anything else | one fixed sentence |

use std::time::Duration;

use http::HeaderMap;

use super::count;
use super::encoding::Encoding;

/// Words to answer with, in turn; of one and of several tokens, and not all ASCII.
const WORDS: [&str; 16] = [
    "river",
    "weir",
    "sluice",
    "measure",
    "gauge",
    "headwater",
    "näive",
    "flow",
    "spillway",
    "crest",
    "tailrace",
    "über",
    "notch",
    "reservoir",
    "水",
    "stream",
];

const GREETING: &str = "Hello from the lab: every answer here is scripted.";

const CARD_ANSWER: &str = "The card is 4111 1111 1111 1111 and that is all.";

/// Characters per streamed piece of a repeated text: a number or key is always split over several.
const REPEAT_PIECE_CHARS: usize = 3;

/// The arguments of every tool call.
const TOOL_ARGUMENTS: &str = r#"{"city":"Reykjavík","unit":"celsius"}"#;

/// How to answer one request.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// The answer in the pieces it is streamed in.
    pub(super) pieces: Vec<String>,
    /// Call this tool instead of answering with text; the pieces are the arguments.
    pub(super) tool: Option<String>,
    /// Whether the request's own limit shortened the answer.
    pub(super) limited: bool,
    /// Pause before each piece.
    pub(super) delay: Duration,
    /// Content encoding of the answer.
    pub(super) encoding: Option<Encoding>,
    /// Answer with this error status instead.
    pub(super) status: Option<u16>,
    /// Break the connection off after so many pieces.
    pub(super) break_after: Option<usize>,
    /// Send the provider's error event after so many pieces.
    pub(super) error_after: Option<usize>,
    /// End with a trailer.
    pub(super) trailers: bool,
}

impl Script {
    /// Reads the script for a prompt. `limit` is the request's output limit in tokens.
    pub(super) fn of(
        model: &str,
        prompt: &str,
        tool: Option<&str>,
        limit: Option<u64>,
        headers: &HeaderMap,
    ) -> Self {
        let number = |name: &str| -> Option<u64> { headers.get(name)?.to_str().ok()?.parse().ok() };
        let tool = tool
            .filter(|_| prompt.starts_with("Use the tool"))
            .map(str::to_owned);
        let mut pieces = if tool.is_some() {
            match prompt.strip_prefix("Use the tool with: ") {
                Some(text) => in_pieces(&serde_json::json!({ "city": text }).to_string()),
                None => in_pieces(TOOL_ARGUMENTS),
            }
        } else if let Some(count) = words_asked(prompt) {
            words(count)
        } else if let Some(text) = prompt.strip_prefix("Repeat: ") {
            in_pieces(text)
        } else if prompt.starts_with("Tell a card number") {
            in_pieces(CARD_ANSWER)
        } else {
            GREETING.split_inclusive(' ').map(str::to_owned).collect()
        };
        let limited = limit.is_some_and(|limit| shorten(model, &mut pieces, limit));
        Self {
            pieces,
            tool,
            limited,
            delay: Duration::from_millis(number("x-lab-delay-ms").unwrap_or_default()),
            encoding: headers
                .get("x-lab-encoding")
                .and_then(|value| Encoding::named(value.to_str().ok()?)),
            status: number("x-lab-status").and_then(|status| u16::try_from(status).ok()),
            break_after: number("x-lab-break-after").and_then(|pieces| usize::try_from(pieces).ok()),
            error_after: number("x-lab-error-after").and_then(|pieces| usize::try_from(pieces).ok()),
            trailers: headers.contains_key("x-lab-trailers"),
        }
    }

    /// Tokens of the answer: the text, or the tool's name and its arguments.
    pub(super) fn tokens(&self, model: &str) -> count::Tokens {
        count::text(model, self.tool.as_deref().unwrap_or_default()) + count::text(model, &self.text())
    }

    /// Waits as long as the script wants before a whole answer.
    pub(super) async fn pause(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }

    /// The whole answer.
    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }
}

fn words_asked(prompt: &str) -> Option<usize> {
    let mut words = prompt.strip_prefix("Write ")?.split(' ');
    let count = words.next()?.parse().ok()?;
    words.next()?.starts_with("word").then_some(count)
}

fn words(count: usize) -> Vec<String> {
    WORDS
        .iter()
        .cycle()
        .take(count)
        .enumerate()
        .map(|(index, word)| {
            if index == 0 {
                (*word).to_owned()
            } else {
                format!(" {word}")
            }
        })
        .collect()
}

fn in_pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(REPEAT_PIECE_CHARS)
        .map(|piece| piece.iter().collect())
        .collect()
}

/// Drops pieces until the answer has at most `limit` tokens; true when it dropped any.
fn shorten(model: &str, pieces: &mut Vec<String>, limit: u64) -> bool {
    let whole = pieces.len();
    let (mut fits, mut too_many) = (0, whole + 1);
    while too_many - fits > 1 {
        let middle = usize::midpoint(fits, too_many);
        let tokens = count::text(
            model,
            &pieces.iter().take(middle).map(String::as_str).collect::<String>(),
        );
        if tokens <= limit {
            fits = middle
        } else {
            too_many = middle
        }
    }
    pieces.truncate(fits);
    fits < whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(prompt: &str, limit: Option<u64>) -> Script {
        Script::of("gpt-4o", prompt, None, limit, &HeaderMap::new())
    }

    #[test]
    fn writes_as_many_words_as_asked() {
        assert_eq!(
            script("Write 40 words, please", None).text().split(' ').count(),
            40
        );
    }

    #[test]
    fn keeps_to_the_limit() {
        let script = script("Write 400 words", Some(50));
        assert!(script.limited);
        let tokens = count::text("gpt-4o", &script.text());
        assert!((48..=50).contains(&tokens), "{tokens}");
    }

    #[test]
    fn repeats_in_small_pieces() {
        let script = script("Repeat: 4111 1111 1111 1111", None);
        assert_eq!(script.text(), "4111 1111 1111 1111");
        assert_eq!(script.pieces[0], "411");
    }
}
