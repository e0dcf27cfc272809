//! LiteLLM's proxy as a peer: one process, one key per run with a limit of tokens a minute, and no database.

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

/// A running proxy. Dropping it kills it.
pub(super) struct Litellm {
    port: u16,
    _process: Workload,
}

impl Litellm {
    /// Starts it where no agent sees it; `None` when it is not installed.
    pub(super) async fn start(lab: &Lab) -> Result<Option<Self>> {
        let Some(program) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = lab.dir().join("litellm");
        fs::create_dir_all(&dir)?;
        let (_, clients) = clients()?;
        fs::copy(clients.join("litellm_keys.py"), dir.join("litellm_keys.py"))?;
        let config = dir.join("config.yaml");
        fs::write(&config, CONFIG)?;
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

/// What a key may spend is in its name (`litellm_keys.py`). Headers go on to the provider, so that the stand-in is paced as
/// for the agent.
const CONFIG: &str = "\
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {model: openai/gpt-4o-mini, api_key: sk-lab, api_base: \"https://api.openai.com/v1\"}
general_settings:
  master_key: sk-lab-5c0e1f6b9d7a42838e11a4c7d20f93b6
  custom_auth: litellm_keys.user_api_key_auth
  custom_auth_run_common_checks: true
  forward_client_headers_to_llm_api: true
router_settings: {num_retries: 0}
litellm_settings: {num_retries: 0, request_timeout: 600}
";
