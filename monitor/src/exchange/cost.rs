//! What an exchange used, in the buckets that are billed.

use monitor_budget::{Buckets, Quantities};
use monitor_protocol::UsageCounters;

/// The tokens of an exchange that used at least `prompt_tokens` and `output_tokens`, each in one bucket.
///
/// Tokens beyond what the provider told are text that no cache knows. Which of its audio, images and video came from a cache, and which
/// of them it wrote to one, a provider does not say: they are taken for tokens of no cache as far as there are such, then
/// for tokens read from a cache. Either way a sum at rates by which media are dearer than text comes to no less than the bill.
pub(super) fn quantities(told: Option<&UsageCounters>, prompt_tokens: u64, output_tokens: u64) -> Quantities {
    let usage = told.map(UsageCounters::usage).unwrap_or_default();
    let media = told.map(UsageCounters::modalities).unwrap_or_default();
    let cache_write_1h = told.map_or(0, UsageCounters::cache_write_1h);
    let mut input = usage
        .input
        .saturating_add(prompt_tokens.saturating_sub(usage.total_input()));
    let mut cache_read = usage.cache_read;
    let mut output = usage
        .output
        .saturating_add(output_tokens.saturating_sub(usage.total_output()));
    let mut cache_read_media: u64 = 0;
    let mut of_prompt = |tokens: u64| {
        let fresh = take(&mut input, tokens);
        let cached = take(&mut cache_read, tokens - fresh);
        cache_read_media = cache_read_media.saturating_add(cached);
        fresh
    };
    // The dearest first: where not all of them fit, it is the cheaper ones that count as cached.
    let input_audio = of_prompt(media.input_audio);
    let input_video = of_prompt(media.input_video);
    let input_image = of_prompt(media.input_image);
    let output_image = take(&mut output, media.output_image);
    let output_audio = take(&mut output, media.output_audio);
    Quantities {
        tokens: Buckets {
            input,
            cache_read,
            cache_write: usage.cache_write - cache_write_1h,
            cache_write_1h,
            output,
            reasoning: usage.reasoning,
            input_audio,
            cache_read_media,
            input_image,
            input_video,
            output_audio,
            output_image,
        },
        requests: 1,
    }
}

/// Takes up to `tokens` from a bucket.
fn take(bucket: &mut u64, tokens: u64) -> u64 {
    let taken = tokens.min(*bucket);
    *bucket -= taken;
    taken
}

#[cfg(test)]
mod tests {
    use monitor_protocol::{Api, RequestLine, read_response, recognise};

    use super::*;

    fn told(api: Api, path: &str, body: &str) -> UsageCounters {
        let call = recognise(api, RequestLine::post(path));
        read_response(&call, body.as_bytes()).unwrap().usage.unwrap()
    }

    #[test]
    fn buckets_are_disjoint_in_every_providers_way_of_counting() {
        let openai = told(
            Api::OpenAi,
            "/v1/chat/completions",
            r#"{"usage": {"prompt_tokens": 2000, "completion_tokens": 900, "total_tokens": 2900,
                "prompt_tokens_details": {"cached_tokens": 1500, "audio_tokens": 700},
                "completion_tokens_details": {"reasoning_tokens": 300, "audio_tokens": 250}}}"#,
        );
        assert_eq!(
            quantities(Some(&openai), 0, 0).tokens,
            Buckets {
                input_audio: 500,
                cache_read_media: 200,
                cache_read: 1_300,
                output: 350,
                output_audio: 250,
                reasoning: 300,
                ..Buckets::default()
            }
        );
        let anthropic = told(
            Api::Anthropic,
            "/v1/messages",
            r#"{"usage": {"input_tokens": 21, "cache_read_input_tokens": 1880, "cache_creation_input_tokens": 1456,
                "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 456},
                "output_tokens": 393}}"#,
        );
        assert_eq!(
            quantities(Some(&anthropic), 21, 0).tokens,
            Buckets {
                input: 21,
                cache_read: 1_880,
                cache_write: 1_000,
                cache_write_1h: 456,
                output: 393,
                ..Buckets::default()
            }
        );
        let gemini = told(
            Api::Gemini,
            "/v1beta/models/gemini-2.5-flash:generateContent",
            r#"{"usageMetadata": {"promptTokenCount": 1000, "cachedContentTokenCount": 100,
                "candidatesTokenCount": 50, "thoughtsTokenCount": 400, "totalTokenCount": 1450,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 300}, {"modality": "IMAGE", "tokenCount": 258}],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 60}]}}"#,
        );
        assert_eq!(
            quantities(Some(&gemini), 0, 0).tokens,
            Buckets {
                input: 342,
                input_audio: 300,
                input_image: 258,
                cache_read: 100,
                output_image: 50,
                reasoning: 400,
                ..Buckets::default()
            }
        );
        let bedrock = told(
            Api::Bedrock,
            "/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/converse",
            r#"{"usage": {"inputTokens": 5, "outputTokens": 7, "totalTokens": 42, "cacheReadInputTokens": 10,
                "cacheWriteInputTokens": 20, "cacheDetails": [{"ttl": "1h", "inputTokens": 12}, {"ttl": "5m", "inputTokens": 8}]}}"#,
        );
        assert_eq!(
            quantities(Some(&bedrock), 0, 0).tokens,
            Buckets {
                input: 5,
                cache_read: 10,
                cache_write: 8,
                cache_write_1h: 12,
                output: 7,
                ..Buckets::default()
            }
        );
    }

    #[test]
    fn what_nobody_told_is_plain_text() {
        let tokens = quantities(None, 120, 30).tokens;
        assert_eq!(
            tokens,
            Buckets {
                input: 120,
                output: 30,
                ..Buckets::default()
            }
        );
        let told = told(
            Api::OpenAi,
            "/v1/chat/completions",
            r#"{"usage": {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 60}}}"#,
        );
        let tokens = quantities(Some(&told), 120, 30).tokens;
        assert_eq!(
            tokens,
            Buckets {
                input: 60,
                cache_read: 60,
                output: 30,
                ..Buckets::default()
            }
        );
    }
}
