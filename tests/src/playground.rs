//! `weir-lab lab`: a lab and an agent to try things in by hand.

use anyhow::Result;

use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig, agent_binary};
use crate::screen;

/// Brings both up, says how to use them, and waits.
pub(crate) async fn run() -> Result<()> {
    let lab = Lab::up().await?;
    let agent = Agent::start(&lab, "agent", AgentConfig::new()).await?;
    let trust = agent.trust(&lab)?;
    let cgroup = lab.cgroup.child("shell")?;
    screen::line(&format!(
        "The lab is up, with an agent that has no policies. In another terminal, as root:\n\n\
         \x20 # a shell whose programs are workloads\n\
         \x20 SSL_CERT_FILE={trust} CURL_CA_BUNDLE={trust} {lab_binary} exec --cgroup {cgroup} --resolv-conf {resolv} -- bash\n\
         \x20 # in it: curl https://api.openai.com/v1/models\n\n\
         \x20 # what the agent sees\n\
         \x20 {weir} observe -f -c {config}\n\
         \x20 # other policies: edit the file, then\n\
         \x20 kill -HUP {pid}\n\n\
         Files: {dir}. Ctrl-C removes everything.",
        trust = trust.display(),
        lab_binary = std::env::current_exe()?.display(),
        cgroup = cgroup.path().display(),
        resolv = lab.resolv_conf().display(),
        weir = agent_binary()?.display(),
        config = agent.config_path().display(),
        pid = agent.pid()?,
        dir = lab.dir().display(),
    ));
    std::future::pending().await
}
