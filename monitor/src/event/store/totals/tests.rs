use super::*;
use crate::event::samples;

fn exchange(user: u32, provider: &str, model: &str, input: u64) -> Exchange {
    let mut exchange = samples::exchange();
    let mut workload = (*samples::workload()).clone();
    workload.uid = user;
    exchange.workload = Some(workload.into());
    exchange.provider = provider.into();
    exchange.model = Some(ShortText::new(model));
    if let Some(usage) = &mut exchange.usage {
        (usage.input, usage.output) = (input, 1);
    }
    exchange
}

#[test]
fn splits() {
    let mut totals = Totals::default();
    totals.add_exchange(&exchange(1, "openai", "a", 10));
    totals.add_exchange(&exchange(1, "openai", "b", 20));
    totals.add_exchange(&exchange(2, "anthropic", "c", 100));
    let mut unknown = exchange(3, "openai", "a", 5);
    unknown.workload = None;
    totals.add_exchange(&unknown);

    let [all] = &totals.usage(&[])[..] else {
        panic!("one total")
    };
    assert_eq!(
        (
            all.counts.exchanges,
            all.counts.input,
            all.counts.output,
            all.counts.cut
        ),
        (4, 135, 4, 4)
    );
    assert_eq!((&all.workload, &all.provider, &all.model), (&None, &None, &None));

    let providers = totals.usage(&[Dimension::Provider]);
    let figures: Vec<_> = providers
        .iter()
        .map(|total| (total.provider.as_deref().unwrap(), total.counts.input))
        .collect();
    assert_eq!(figures, [("anthropic", 100), ("openai", 35)]);

    let full = totals.usage(&[Dimension::Workload, Dimension::Provider, Dimension::Model]);
    let users: Vec<_> = full
        .iter()
        .map(|total| total.workload.as_ref().map(|key| key.uid))
        .collect();
    assert_eq!(users, [Some(2), Some(1), Some(1), None]);

    let workloads = totals.workloads();
    assert_eq!(workloads.len(), 2);
    assert_eq!(workloads.iter().map(|total| total.counts.input).sum::<u64>(), 130);
}

#[test]
fn models_of_a_workload_are_bounded() {
    let mut totals = Totals::default();
    for number in 0..1_000 {
        totals.add_exchange(&exchange(1, "openai", &number.to_string(), 1));
    }
    let models = totals.usage(&[Dimension::Model]);
    assert_eq!(models.len(), MAX_MODELS_PER_WORKLOAD + 1);
    assert_eq!(models.iter().map(|total| total.counts.input).sum::<u64>(), 1_000);
}

#[test]
fn workloads_are_bounded_and_sums_stay() {
    let mut totals = Totals::default();
    for user in 0..MAX_WORKLOADS as u32 + 10 {
        totals.add_exchange(&exchange(user, "openai", "a", 1));
    }
    let workloads = totals.workloads();
    assert_eq!(workloads.len(), MAX_WORKLOADS);
    assert!(
        !workloads.iter().any(|total| total.uid < 10),
        "those not seen for longest made room"
    );
    assert_eq!(totals.usage(&[])[0].counts.exchanges, MAX_WORKLOADS as u64 + 10);
}

#[test]
fn connections_make_a_workload_known() {
    let mut totals = Totals::default();
    let mut connection = samples::connection();
    totals.add_connection(&connection);
    assert!(totals.workloads().is_empty());
    connection.workload = Some(samples::workload());
    totals.add_connection(&connection);
    let [total] = &totals.workloads()[..] else {
        panic!("one workload")
    };
    assert_eq!(
        (total.connections, total.last_pid, total.user.as_deref()),
        (1, 4711, Some("bot"))
    );
    assert_eq!(total.last_seen_ms, samples::MIDNIGHT_MS + 2_500);
}
