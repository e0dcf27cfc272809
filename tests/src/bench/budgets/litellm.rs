//! LiteLLM's proxy as a peer: one process, no database, and a limit of each kind that it has without one: of a key's tokens a
//! minute, of a key's money, and of a deployment's tokens a minute. Each run has a key or a deployment of its own.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::lab::Lab;
use crate::lab::workload::{Launch, Workload};
use crate::suite::clients;

/// Where xtask says its program is.
const VARIABLE: &str = "WEIR_LAB_LITELLM";

/// How long it may take until it listens: it imports for ten seconds on a quiet machine.
const LISTENS_WITHIN: Duration = Duration::from_secs(120);

/// Deployments with a limit of their own: more than there are runs.
const DEPLOYMENTS: usize = 32;

/// What an answer token of gpt-4o-mini costs in USD, by OpenAI's list.
const OUTPUT_USD: f64 = 0.6e-6;

/// Where the limit of a run is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// `tpm_limit` of the key.
    KeyTokens,
    /// `max_budget` of the key: what the limit costs if all of it were output, the least that anybody would set.
    KeyMoney,
    /// `tpm` of the deployment, with the router's check `enforce_model_rate_limits`.
    DeploymentTokens,
}

/// Each, with its name in the table.
pub(super) const LIMITS: [(&str, Limit); 3] = [
    ("litellm, key tpm_limit", Limit::KeyTokens),
    ("litellm, key max_budget", Limit::KeyMoney),
    ("litellm, deployment tpm", Limit::DeploymentTokens),
];

impl Limit {
    /// The key of a run (`litellm_keys.py`).
    pub(super) fn key(self, tokens: u64, tag: &str) -> String {
        match self {
            Self::KeyTokens => format!("sk-tpm-{tokens}-{tag}"),
            Self::KeyMoney => format!("sk-usd-{:.6}-{tag}", tokens as f64 * OUTPUT_USD),
            Self::DeploymentTokens => format!("sk-tpm-1000000000-{tag}"),
        }
    }

    /// The model that a run asks for.
    pub(super) fn model(self, run: usize) -> String {
        match self {
            Self::DeploymentTokens => format!("limited-{run}"),
            _ => "gpt-4o-mini".to_owned(),
        }
    }
}

/// A running proxy. Dropping it kills it.
pub(super) struct Litellm {
    port: u16,
    _process: Workload,
}

impl Litellm {
    /// Starts it where no agent sees it; `None` when it is not installed.
    pub(super) async fn start(lab: &Lab, tokens: u64) -> Result<Option<Self>> {
        let Some(program) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = lab.dir().join("litellm");
        fs::create_dir_all(&dir)?;
        let (_, clients) = clients()?;
        fs::copy(clients.join("litellm_keys.py"), dir.join("litellm_keys.py"))?;
        let config = dir.join("config.yaml");
        fs::write(&config, configuration(tokens))?;
        let log = dir.join("litellm.log");
        // Nobody reads what it prints while it runs: to a file, or it would stop at a full pipe.
        let script = format!("exec \"$@\" >{} 2>&1", log.display());
        let process = Launch::new("litellm", "sh")
            .args(["-c", &script, "sh"])
            .args([program])
            .args([
                "--host",
                "127.0.0.1",
                "--num_workers",
                "1",
                "--port",
                &port.to_string(),
                "--config",
            ])
            .args([&config])
            .variable("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .trust(&lab.lab_bundle())
            .outside()
            .start(lab)
            .await?;
        let proxy = Self {
            port,
            _process: process,
        };
        let deadline = Instant::now() + LISTENS_WITHIN;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(
                Instant::now() < deadline,
                "LiteLLM does not listen after {LISTENS_WITHIN:?}:\n{}",
                fs::read_to_string(&log).context("reading its log")?
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(Some(proxy))
    }

    /// Where clients find it.
    pub(super) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }
}

/// Headers go on to the provider, so that the stand-in is paced as for the agent.
fn configuration(tokens: u64) -> String {
    let provider = "model: openai/gpt-4o-mini, api_key: sk-lab, api_base: \"https://api.openai.com/v1\"";
    let deployments: String = (0..DEPLOYMENTS)
        .map(|number| {
            format!("  - {{model_name: limited-{number}, litellm_params: {{{provider}, tpm: {tokens}}}}}\n")
        })
        .collect();
    format!(
        "model_list:\n  - {{model_name: gpt-4o-mini, litellm_params: {{{provider}}}}}\n{deployments}\
         general_settings:\n  master_key: sk-lab-5c0e1f6b9d7a42838e11a4c7d20f93b6\n\
         \x20 custom_auth: litellm_keys.user_api_key_auth\n  custom_auth_run_common_checks: true\n\
         \x20 forward_client_headers_to_llm_api: true\n\
         router_settings: {{num_retries: 0, optional_pre_call_checks: [enforce_model_rate_limits]}}\n\
         litellm_settings: {{num_retries: 0, request_timeout: 600}}\n"
    )
}
