use super::*;
use crate::event::{ShortText, samples};

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
fn sums_by_workload() {
    let mut totals = Totals::default();
    totals.add_exchange(&exchange(1, "openai", "a", 10));
    totals.add_exchange(&exchange(1, "openai", "b", 20));
    totals.add_exchange(&exchange(2, "anthropic", "c", 100));
    let mut unknown = exchange(3, "openai", "a", 5);
    unknown.workload = None;
    totals.add_exchange(&unknown);
    let workloads = totals.workloads();
    let mut sums: Vec<_> = workloads
        .iter()
        .map(|total| {
            (
                total.uid,
                total.counts.exchanges,
                total.counts.input,
                total.counts.cut,
            )
        })
        .collect();
    sums.sort_unstable();
    assert_eq!(sums, [(1, 2, 30, 2), (2, 1, 100, 1)]);
}

#[test]
fn workloads_are_bounded() {
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
