//! Many streams at once.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::runner::Test;
use super::stage::Stage;

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new("streams::two_hundred_at_once", two_hundred)]
}

async fn two_hundred(stage: Arc<Stage>) -> Result<()> {
    let prompt = "Write 60 words (two hundred)";
    let arguments = [
        "--asynchronous",
        "--stream",
        "--parallel",
        "200",
        "--prompt",
        prompt,
        "--header",
        "x-lab-delay-ms=20",
    ];
    let (truth, reports) = stage.reports(stage.openai("streams", &arguments)?).await?;
    let served = stage.lab.log.containing(prompt);
    let whole = served
        .first()
        .map(|served| served.sent_text())
        .unwrap_or_default();
    ensure!(
        reports.len() == 200 && served.len() == 200,
        "{} reports, {} served",
        reports.len(),
        served.len()
    );
    let wrong = reports
        .iter()
        .filter(|report| report["answer"]["text"][0] != whole.as_str())
        .count();
    ensure!(
        wrong == 0,
        "{wrong} streams came back wrong or broken: {:?}",
        reports
            .iter()
            .find(|report| report["answer"]["text"][0] != whole.as_str())
    );
    let exchanges = stage.exchanges(&truth, 200).await?;
    let (input, output) = served
        .first()
        .and_then(|served| served.usage())
        .unwrap_or_default();
    let wrong = exchanges
        .iter()
        .filter(|exchange| exchange["usage"]["input"] != input || exchange["usage"]["output"] != output)
        .count();
    ensure!(
        exchanges.len() == 200 && wrong == 0,
        "{} exchanges on record, {wrong} with a wrong usage",
        exchanges.len()
    );
    Ok(())
}
