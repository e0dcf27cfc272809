//! Model providers, and services made for their callers.

use super::{
    ALNUM, BASE64, Detector, URL_SAFE, UUID, WORD, checked, dotted, exact, hexadecimal, key, mixed, openai,
    random, uuid,
};

pub(super) const DETECTORS: &[Detector] = &[
    detector!(
        "openai",
        90,
        [
            checked("sk-", &URL_SAFE, 20, openai),
            exact("sess-", &ALNUM, 40, random),
        ]
    ),
    detector!("anthropic", 99, [key("sk-ant-", &URL_SAFE, 24)]),
    detector!("openrouter", 99, [key("sk-or-v1-", &URL_SAFE, 24)]),
    detector!(
        "google",
        95,
        [
            key("AIza", &URL_SAFE, 35),
            key("GOCSPX-", &URL_SAFE, 24),
            dotted("ya29.", 30, random),
            key("AQ.Ab8", &URL_SAFE, 40),
            key("1//0", &URL_SAFE, 40),
        ]
    ),
    detector!(
        "hugging_face",
        95,
        [key("hf_", &ALNUM, 30), key("api_org_", &ALNUM, 30)]
    ),
    detector!("groq", 95, [key("gsk_", &ALNUM, 40)]),
    detector!("xai", 95, [key("xai-", &ALNUM, 60)]),
    detector!("perplexity", 95, [key("pplx-", &ALNUM, 40)]),
    detector!("replicate", 95, [exact("r8_", &ALNUM, 37, random)]),
    detector!("nvidia", 95, [key("nvapi-", &URL_SAFE, 50)]),
    detector!("fireworks", 80, [key("fw_", &ALNUM, 22)]),
    detector!("cerebras", 95, [key("csk-", &ALNUM, 40)]),
    detector!("together", 95, [key("tgp_v1_", &URL_SAFE, 36)]),
    detector!(
        "elevenlabs",
        95,
        [
            exact("sk_", &ALNUM, 48, hexadecimal),
            exact("xi_", &ALNUM, 48, hexadecimal)
        ]
    ),
    detector!("voyage", 90, [exact("pa-", &URL_SAFE, 43, mixed)]),
    detector!("jina", 95, [key("jina_", &URL_SAFE, 40)]),
    detector!("runpod", 95, [key("rpa_", &ALNUM, 40)]),
    detector!(
        "anyscale",
        95,
        [key("esecret_", &URL_SAFE, 24), key("aph0_", &URL_SAFE, 24)]
    ),
    detector!("llama_cloud", 95, [key("llx-", &ALNUM, 40)]),
    detector!("pinecone", 95, [key("pcsk_", &WORD, 48)]),
    detector!("tavily", 90, [key("tvly-", &URL_SAFE, 24)]),
    detector!("brave", 85, [checked("BSA", &URL_SAFE, 27, mixed)]),
    detector!("firecrawl", 95, [exact("fc-", &ALNUM, 32, hexadecimal)]),
    detector!("e2b", 95, [exact("e2b_", &ALNUM, 40, hexadecimal)]),
    detector!(
        "langsmith",
        95,
        [
            key("lsv2_pt_", &WORD, 32),
            key("lsv2_sk_", &WORD, 32),
            exact("ls__", &ALNUM, 32, hexadecimal),
        ]
    ),
    detector!("langfuse", 95, [checked("sk-lf-", &UUID, 36, uuid)]),
    detector!(
        "helicone",
        95,
        [
            key("sk-helicone-", &URL_SAFE, 24),
            key("pk-helicone-", &URL_SAFE, 24)
        ]
    ),
    detector!("mem0", 95, [key("m0-", &ALNUM, 36)]),
    detector!("browserbase", 95, [key("bb_live_", &URL_SAFE, 20)]),
    detector!(
        "cursor",
        95,
        [key("crsr_", &ALNUM, 40), exact("key_", &ALNUM, 64, hexadecimal)]
    ),
    detector!("wandb", 90, [key("wandb_v1_", &WORD, 40)]),
    detector!("azure_openai", 85, []),
    detector!("cohere", 85, []),
    detector!("mistral", 85, []),
    detector!("deepgram", 85, []),
    detector!("assemblyai", 85, []),
    detector!("portkey", 80, []),
    detector!("exa", 80, []),
    detector!("baidu", 95, [checked("bce-v3/ALTAK-", &BASE64, 40, random)]),
    detector!(
        "modal",
        90,
        [exact("ak-", &ALNUM, 22, mixed), exact("as-", &ALNUM, 22, mixed)]
    ),
    detector!("scale", 90, [exact("scaleint_", &ALNUM, 32, random)]),
];
