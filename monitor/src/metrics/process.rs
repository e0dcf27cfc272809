//! The agent's own process, under the names that Prometheus client libraries agree on.

use std::collections::HashMap;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};

use super::pulled::family;

/// USER_HZ: see [`cpu_seconds`].
const CLOCK_TICKS_PER_SECOND: f64 = 100.0;

/// Reads `/proc/self` at each scrape.
#[derive(Debug)]
pub(super) struct ProcessCollector {
    cpu: Desc,
    memory: Desc,
    threads: Desc,
    files: Desc,
}

impl ProcessCollector {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let desc =
            |name: &str, help: &str| Desc::new(name.to_owned(), help.to_owned(), Vec::new(), HashMap::new());
        Ok(Self {
            cpu: desc(
                "process_cpu_seconds_total",
                "User and system CPU time spent, in seconds.",
            )?,
            memory: desc("process_resident_memory_bytes", "Resident memory size in bytes.")?,
            threads: desc("process_threads", "Number of OS threads.")?,
            files: desc("process_open_fds", "Number of open file descriptors.")?,
        })
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.cpu, &self.memory, &self.threads, &self.files]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = Vec::with_capacity(4);
        if let Some(seconds) = std::fs::read_to_string("/proc/self/stat")
            .ok()
            .and_then(|stat| cpu_seconds(&stat))
        {
            let mut counter = Counter::default();
            counter.set_value(seconds);
            let mut metric = Metric::default();
            metric.set_counter(counter);
            families.extend(family(&self.cpu, MetricType::COUNTER, vec![metric]));
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let gauges = [
            (
                &self.memory,
                field(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024.0),
            ),
            (&self.threads, field(&status, "Threads:")),
            (
                &self.files,
                std::fs::read_dir("/proc/self/fd")
                    .ok()
                    .map(|files| files.count() as f64),
            ),
        ];
        for (desc, value) in gauges {
            let Some(value) = value else { continue };
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            families.extend(family(desc, MetricType::GAUGE, vec![Metric::from_gauge(gauge)]));
        }
        families
    }
}

/// User and system time from `/proc/[pid]/stat`: fields 14 and 15 of proc_pid_stat(5), in units of USER_HZ, which is 100
/// on every architecture the agent is built for. The second field, the command, may hold spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat
        .get(stat.rfind(')')? + 1..)?
        .split_ascii_whitespace()
        .skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / CLOCK_TICKS_PER_SECOND)
}

/// The number of a line of `/proc/[pid]/status`.
fn field(status: &str, name: &str) -> Option<f64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))?
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_proc() {
        let stat = "7 (we ir) x) S 1 7 7 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 4 0 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 (weir)"), None);
        assert_eq!(
            field("Name:\tweir\nVmRSS:\t  1024 kB\nThreads:\t4\n", "VmRSS:"),
            Some(1024.0)
        );
    }

    #[test]
    fn this_process() {
        let families = ProcessCollector::new().unwrap().collect();
        let names: Vec<_> = families.iter().map(|family| family.name()).collect();
        assert_eq!(
            names,
            [
                "process_cpu_seconds_total",
                "process_resident_memory_bytes",
                "process_threads",
                "process_open_fds"
            ]
        );
        assert!(families[1].get_metric()[0].get_gauge().get_value() > 1e6);
    }
}
