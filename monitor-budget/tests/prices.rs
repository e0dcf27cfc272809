//! Costs worked out by hand from the built-in prices, in each provider's way of counting.

use monitor_budget::{
    Buckets, Media, MicroUsd, PicoUsd, Price, PriceEntry, PriceTable, Prices, Quantities, Unknown,
    UnknownPrice,
};

/// 2026-11-23, noon.
const NOW_MS: u64 = 1_795_435_200_000;
const DAY_MS: u64 = 86_400_000;

/// What an exchange costs; more than anything where there is no price.
fn micro_usd(provider: &str, model: &str, tokens: Buckets<u64>) -> u64 {
    let table = PriceTable::builtin();
    let price = table.price(provider, model, NOW_MS);
    price.map_or(u64::MAX, |price| {
        price.cost(&Quantities { tokens, requests: 1 }).0
    })
}

#[test]
fn openai_bills_cached_prompt_tokens_at_their_own_rate() {
    // prompt_tokens 2,006 with 1,920 cached, completion_tokens 300 with 128 of reasoning:
    // 86 × 2.50 + 1,920 × 1.25 + 300 × 10 = 5,615 µUSD.
    let tokens = Buckets {
        input: 86,
        cache_read: 1_920,
        output: 172,
        reasoning: 128,
        ..Buckets::default()
    };
    for (provider, model) in [
        ("openai", "gpt-4o"),
        ("azure", "gpt-4o-2024-08-06"),
        ("openai", "GPT-4o-2024-11-20"),
    ] {
        assert_eq!(micro_usd(provider, model, tokens), 5_615, "{provider} {model}");
    }
    // 86 × 0.15 + 1,920 × 0.075 + 300 × 0.60 = 336.9
    assert_eq!(micro_usd("openai", "gpt-4o-mini", tokens), 337);
    // 86 × 1.25 + 1,920 × 0.125 + 300 × 10 = 3,347.5
    assert_eq!(micro_usd("openai", "gpt-5-2025-08-07", tokens), 3_348);
    // Tokens written to a cache are tokens of the prompt where no rate of their own is published.
    let tokens = Buckets {
        input: 86,
        cache_write: 1_920,
        ..Buckets::default()
    };
    assert_eq!(micro_usd("openai", "gpt-4o", tokens), 5_015);
    assert_eq!(
        micro_usd(
            "openai",
            "text-embedding-3-small",
            Buckets {
                input: 1,
                ..Buckets::default()
            }
        ),
        1
    );
}

#[test]
fn openai_bills_audio_apart_and_long_prompts_higher() {
    // 100 × 4 + 500 × 32 + 200 × 0.40 + 60 × 16 + 400 × 64 = 43,040
    let tokens = Buckets {
        input: 100,
        input_audio: 500,
        cache_read: 200,
        output: 60,
        output_audio: 400,
        ..Buckets::default()
    };
    assert_eq!(micro_usd("openai", "gpt-realtime", tokens), 43_040);
    // 272,000 tokens are the last that cost 2.50 and 15; with one more all cost 5, cached ones 0.50, and answers 22.50.
    let tokens = |cache_read| Buckets {
        input: 200_000,
        cache_read,
        output: 1_000,
        ..Buckets::default()
    };
    assert_eq!(
        micro_usd("openai", "gpt-5.4", tokens(72_000)),
        500_000 + 18_000 + 15_000
    );
    assert_eq!(
        micro_usd("openai", "gpt-5.4", tokens(72_001)),
        1_000_000 + 36_001 + 22_500
    );
}

#[test]
fn anthropic_bills_cache_writes_by_their_lifetime() {
    // input_tokens 21, cache_read 188,086, cache_creation 5 minutes 1,000 and an hour 456, output 393, by Sonnet 4.5:
    // 21 × 3 + 188,086 × 0.30 + 1,000 × 3.75 + 456 × 6 + 393 × 15 = 68,869.8
    let tokens = Buckets {
        input: 21,
        cache_read: 188_086,
        cache_write: 1_000,
        cache_write_1h: 456,
        output: 393,
        ..Buckets::default()
    };
    assert_eq!(
        micro_usd("anthropic", "claude-sonnet-4-5-20250929", tokens),
        68_870
    );
    // A tenth more at Bedrock within a region, and at Vertex, whose regions the name does not tell: 75,756.78
    assert_eq!(
        micro_usd("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", tokens),
        75_757
    );
    assert_eq!(
        micro_usd(
            "bedrock",
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            tokens
        ),
        68_870
    );
    assert_eq!(micro_usd("vertex", "claude-sonnet-4-5@20250929", tokens), 75_757);
    // Cached tokens count for the length: 12,000 more make 201,563, and each costs the higher rate:
    // 21 × 6 + 200,086 × 0.60 + 1,000 × 7.50 + 456 × 12 + 393 × 22.50 = 141,992.1
    let tokens = Buckets {
        cache_read: 200_086,
        ..tokens
    };
    assert_eq!(micro_usd("anthropic", "claude-sonnet-4-5", tokens), 141_993);
}

#[test]
fn gemini_bills_thoughts_as_output_and_long_prompts_higher() {
    // promptTokenCount 200,000 of which 50,000 cached, candidates 1,000, thoughts 9,000:
    // 150,000 × 1.25 + 50,000 × 0.125 + 10,000 × 10 = 293,750
    let tokens = Buckets {
        input: 150_000,
        cache_read: 50_000,
        output: 1_000,
        reasoning: 9_000,
        ..Buckets::default()
    };
    for provider in ["google", "vertex"] {
        assert_eq!(micro_usd(provider, "gemini-2.5-pro", tokens), 293_750);
        // One token more: 150,001 × 2.50 + 50,000 × 0.25 + 10,000 × 15 = 537,502.5
        let tokens = Buckets {
            input: 150_001,
            ..tokens
        };
        assert_eq!(micro_usd(provider, "gemini-2.5-pro", tokens), 537_503);
    }
    // 1,000 × 0.30 + 3,000 × 1 (audio) + 500 × 0.10 (audio from a cache) + 100 × 2.50 = 3,600
    let tokens = Buckets {
        input: 1_000,
        input_audio: 3_000,
        cache_read_media: 500,
        reasoning: 100,
        ..Buckets::default()
    };
    assert_eq!(micro_usd("google", "models/gemini-2.5-flash", tokens), 3_600);
}

#[test]
fn bedrock_is_billed_by_inference_profile() {
    // 10,000 × 0.80 + 4,000 × 0.20 + 500 × 3.20 = 10,400; in Europe 10,000 × 1.05 + 4,000 × 0.2625 + 500 × 4.20 = 13,650
    let tokens = Buckets {
        input: 10_000,
        cache_read: 4_000,
        output: 500,
        ..Buckets::default()
    };
    assert_eq!(micro_usd("bedrock", "us.amazon.nova-pro-v1:0", tokens), 10_400);
    assert_eq!(micro_usd("bedrock", "eu.amazon.nova-pro-v1:0", tokens), 13_650);
    let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0";
    assert_eq!(micro_usd("bedrock", arn, tokens), 10_400);
    // 14,000 × 0.72 + 500 × 0.72: Llama has no cache, and whatever is told of one costs what the prompt costs.
    assert_eq!(
        micro_usd("bedrock", "meta.llama3-3-70b-instruct-v1:0", tokens),
        10_440
    );
    assert_eq!(
        micro_usd(
            "bedrock",
            "amazon.titan-embed-text-v2:0",
            Buckets {
                input: 10,
                ..Buckets::default()
            }
        ),
        1
    );
}

#[test]
fn others() {
    let tokens = Buckets {
        input: 1_000,
        cache_read: 10_000,
        output: 600,
        reasoning: 400,
        ..Buckets::default()
    };
    for (provider, model, want) in [
        // 1,000 × 0.30 + 10,000 × 0.006 + 1,000 × 1.20
        ("deepseek", "deepseek-flash", 1_560),
        // 1,000 × 2 + 10,000 × 0.50 + 1,000 × 6
        ("xai", "grok-4.7", 13_000),
        // 11,000 × 2.50 + 1,000 × 10
        ("cohere", "command-a-03-2025", 37_500),
        // 1,000 × 0.50 + 10,000 × 0.05 + 1,000 × 1.50
        ("mistral", "mistral-large-2512", 2_500),
        // 1,000 × 0.15 + 10,000 × 0.075 + 1,000 × 0.60
        ("groq", "openai/gpt-oss-120b", 1_500),
        // 11,000 × 1.04 + 1,000 × 1.04
        ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", 12_480),
        // 1,000 × 3 + 10,000 × 0.30 + 1,000 × 15
        ("fireworks", "accounts/fireworks/models/kimi-k3", 21_000),
    ] {
        assert_eq!(micro_usd(provider, model, tokens), want, "{provider} {model}");
    }
}

#[test]
fn the_price_is_that_of_the_day() {
    let table = PriceTable::builtin();
    let at = |date: &str| -> u64 {
        let moment: jiff::Timestamp = format!("{date}T00:00:00Z").parse().unwrap();
        u64::try_from(moment.as_millisecond()).unwrap()
    };
    let rates = |provider, model, at_ms| {
        let rates = table.price(provider, model, at_ms).unwrap().rates;
        (rates.input.0, rates.cache_read.0, rates.output.0)
    };
    // Sonnet 5.5's cache reads, o3 and the promotion of Gemini's Flash models.
    let change = at("2026-10-07");
    assert_eq!(
        rates("anthropic", "claude-sonnet-5-5", change - 1),
        (2_000_000, 200_000, 10_000_000)
    );
    assert_eq!(
        rates("anthropic", "claude-sonnet-5-5", change),
        (2_000_000, 100_000, 10_000_000)
    );
    let change = at("2025-06-10");
    assert_eq!(
        rates("openai", "o3", change - DAY_MS),
        (10_000_000, 2_500_000, 40_000_000)
    );
    assert_eq!(
        rates("openai", "o3", change + DAY_MS),
        (2_000_000, 500_000, 8_000_000)
    );
    let change = at("2027-01-01");
    assert_eq!(
        rates("google", "gemini-3.8-flash", change - 1),
        (750_000, 75_000, 3_750_000)
    );
    assert_eq!(
        rates("google", "gemini-3.8-flash", change),
        (1_500_000, 150_000, 7_500_000)
    );
    // Before a model had a price there is none.
    assert!(table.price("openai", "gpt-5", at("2025-08-06")).is_none());
}

#[test]
fn a_price_is_of_one_provider_and_one_model() {
    let table = PriceTable::builtin();
    for (provider, model) in [
        ("corp", "gpt-4o"),
        ("anthropic", "gpt-4o"),
        ("openai", "gpt-4o-2099-01-01"),
        ("openai", "gpt-4o-mini-tts"),
        ("openai", "gpt-4"),
        ("openai", "ft:gpt-4o-2024-08-06"),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
        ),
        ("ollama", "llama3.3"),
        ("openai", ""),
    ] {
        let is_priced = table.price(provider, model, NOW_MS).is_some();
        assert_eq!(
            is_priced,
            model == "gpt-4" && provider == "openai",
            "{provider} {model}"
        );
    }
    let tuned = table
        .price("openai", "ft:gpt-4o-2024-08-06:acme::abc", NOW_MS)
        .unwrap();
    assert_eq!(tuned.rates.input, PicoUsd(3_750_000));
}

#[test]
fn unknown_models_by_rule() {
    let price = |unknown, model| {
        let prices = Prices::new(PriceTable::builtin(), unknown);
        prices.price("corp", model, NOW_MS).cloned()
    };
    assert_eq!(price(Unknown::Deny, Some("m")), Err(UnknownPrice));
    assert_eq!(price(Unknown::Deny, None), Err(UnknownPrice));
    let used = Quantities {
        tokens: Buckets {
            input: 900,
            cache_write_1h: 100,
            output: 90,
            reasoning: 10,
            ..Buckets::default()
        },
        requests: 1,
    };
    assert_eq!(price(Unknown::Free, Some("m")).unwrap().cost(&used), MicroUsd(0));
    let at = Unknown::At {
        input: PicoUsd(10_000_000),
        output: PicoUsd(50_000_000),
    };
    for model in [None, Some("m")] {
        let price: Price = price(at, model).unwrap();
        assert_eq!(price.cost(&used), MicroUsd(15_000));
        assert_eq!(price.from, None);
    }
    let prices = Prices::new(PriceTable::builtin(), Unknown::Free);
    assert_ne!(
        prices
            .price("openai", Some("gpt-4o"), NOW_MS)
            .unwrap()
            .cost(&used),
        MicroUsd(0)
    );
    assert_eq!(Prices::default().unknown(), Unknown::Deny);
}

#[test]
fn the_operators_entries_come_first() {
    let json = r#"{"currency": "USD", "prices": [
        {"provider": "openai", "model": "gpt-4o*", "input": "1", "output": "2", "per_request": "0.01"},
        {"provider": "corp-*", "model": "*", "input": "0", "output": "0"}
    ]}"#;
    let table = PriceTable::builtin().with_overrides(PriceEntry::parse_table(json).unwrap());
    let cost = |provider, model| {
        let tokens = Buckets {
            input: 1_000,
            output: 100,
            ..Buckets::default()
        };
        let price = table.price(provider, model, NOW_MS).unwrap();
        (
            price.cost(&Quantities { tokens, requests: 1 }).0,
            price.worst_case(1_000, 100, Media::TEXT).0,
        )
    };
    assert_eq!(
        cost("openai", "gpt-4o-2024-08-06"),
        (11_200, 11_200),
        "a pattern of the operator's, before an exact name"
    );
    assert_eq!(cost("corp-vllm", "anything"), (0, 0));
    // 1,000 × 2.50 + 100 × 10: not the operator's provider.
    assert_eq!(cost("azure", "gpt-4o"), (3_500, 3_500));
}

#[test]
fn the_worst_case_is_that_of_the_dearest_bucket() {
    let table = PriceTable::builtin();
    let worst = |provider, model, prompt, answer, media| {
        table
            .price(provider, model, NOW_MS)
            .unwrap()
            .worst_case(prompt, answer, media)
            .0
    };
    // As if all were written to a cache for an hour: 1,000 × 6 + 100 × 15.
    assert_eq!(
        worst("anthropic", "claude-sonnet-4-5", 1_000, 100, Media::TEXT),
        7_500
    );
    // 200,001 × 12 + 100 × 22.50
    assert_eq!(
        worst("anthropic", "claude-sonnet-4-5", 200_001, 100, Media::TEXT),
        2_402_262
    );
    assert_eq!(worst("openai", "gpt-realtime", 1_000, 100, Media::TEXT), 5_600);
    assert_eq!(
        worst(
            "openai",
            "gpt-realtime",
            1_000,
            100,
            Media {
                prompt: true,
                answer: false
            }
        ),
        33_600
    );
    assert_eq!(worst("openai", "gpt-realtime", 1_000, 100, Media::ANY), 38_400);
}
