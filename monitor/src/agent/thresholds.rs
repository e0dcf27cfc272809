//! Budgets' thresholds that were passed go on record.

use std::sync::Arc;
use std::time::Duration;

use monitor_budget::Ledger;

use crate::event::{BudgetThreshold, Event, Recorder};
use crate::policy::Policies;

/// How often the ledger is asked: whoever is alerted need not know sooner.
pub(super) const TELL: Duration = Duration::from_secs(1);

/// Puts the thresholds on record that were passed since the last time.
pub(super) fn tell(ledger: &Ledger, policies: &Policies, recorder: &Recorder) {
    for crossing in ledger.take_crossings() {
        let window = ledger.account(&crossing.key).map(|account| account.window);
        let owner = policies.owner_of(&crossing.key).cloned();
        let threshold = BudgetThreshold::new(crossing, window, owner);
        recorder.send(Event::BudgetThreshold(Arc::new(threshold)));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use monitor_budget::{Budget, Certainty, ManualClock, Spend, Unit, Window};

    use super::*;
    use crate::config::{Config, FileSink, Format, Sink};
    use crate::event::RecordKind;
    use crate::metrics::Metrics;
    use crate::policy::Known;

    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn each_threshold_is_on_record_once_per_window() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let sink = Sink::File(FileSink {
            path: path.clone(),
            format: Format::Native,
        });
        let metrics = Arc::new(Metrics::new().unwrap());
        let (recorder, thread) = Recorder::start(&[sink], metrics.clone()).unwrap();
        let text = "policies: [{name: bots, owner: team-payments}]";
        let config = Config::parse(text, Path::new("weir.yaml")).unwrap();
        let known = Known {
            detectors: &config.detectors.catalog,
            guardrails: &[],
        };
        let policies = Policies::compile(&config.policies, &known, "node").unwrap();
        let clock = Arc::new(ManualClock::new(1_733_616_000_000));
        let ledger = Ledger::in_memory(clock.clone());
        let mut budget = Budget::new("bots/daily/all", 100, Unit::Tokens, Window::rolling(HOUR_MS));
        budget.alert_at = [50, 80].into();
        let spend = |tokens| {
            let spend = Spend::request(tokens, 0);
            let reserved = ledger.reserve(&[&budget], &spend).unwrap();
            let _charged = reserved.settle(&spend, Certainty::Exact);
            tell(&ledger, &policies, &recorder);
        };
        spend(40);
        spend(20);
        spend(5);
        spend(20);
        spend(10);
        clock.advance_ms(2 * HOUR_MS);
        spend(60);
        thread.stop();

        let told = recorder.store().records(RecordKind::BudgetThreshold, 10);
        let told = told.iter().map(|event| match event {
            Event::BudgetThreshold(threshold) => (threshold.percent, threshold.settled),
            other => panic!("{other:?}"),
        });
        assert_eq!(told.collect::<Vec<_>>(), [(50, 60), (80, 85), (50, 60)]);
        let lines = std::fs::read_to_string(path).unwrap();
        assert_eq!(lines.lines().count(), 3);
        assert!(
            lines.contains(r#""window":"rolling:3600000ms","owner":"team-payments""#),
            "{lines}"
        );
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        let counted = r#"weir_budget_thresholds_total{budget="daily",percent="50",policy="bots"} 2"#;
        assert!(text.contains(counted), "{text}");
    }
}
