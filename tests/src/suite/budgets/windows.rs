//! Windows across their boundaries: a rolling minute in real time, and calendar windows on a wall clock of the agent's own. The wall
//! clock of agent and client is set with libfaketime, from a file that the test rewrites: nothing in the agent knows of it. Its monotonic
//! clock is the machine's.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

use super::account::Account;
use crate::client::sdk_load::{End, Load, Sdk};
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::wall_clock::WallClock;
use crate::suite::runner::Test;
use crate::suite::stage::Stage;

/// The limit of every window here: some answers fit.
const LIMIT: u64 = 290;

/// Calls at once, more than fit.
const CALLS: usize = 10;

/// How long a boundary may be noticed late, on a busy machine.
const LATE: Duration = Duration::from_secs(5);

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("windows::a_rolling_minute_passes", rolling),
        Test::new("windows::hour_day_week_and_month_begin_anew", calendar),
        Test::new("windows::a_day_of_25_hours_is_one_day", daylight_saving),
        Test::new("windows::a_clock_set_back_resets_nothing", set_back),
    ]
}

pub(super) fn policies(config: AgentConfig) -> AgentConfig {
    config.policy(
        "rolling",
        "rolling",
        &format!("budgets: [{{limit: {LIMIT} tokens, window: 1m}}]"),
    )
}

/// Calls until the budget refuses; true where any was answered.
async fn answered(name: &str, lab: &Lab, trust: &Path, clock: Option<&WallClock>) -> Result<bool> {
    let mut load = Load::new(Sdk::OpenAi, name, CALLS).with(&["--max-tokens", "64"]);
    for (variable, value) in clock.into_iter().flat_map(WallClock::variables) {
        load = load.variable(variable, value);
    }
    let made = load.run(lab, trust).await?;
    made.check()?;
    ensure!(made.count(End::Refused) > 0, "all of {CALLS} calls fitted");
    Ok(made.count(End::Whole) > 0)
}

/// Nothing of a minute is free before it has passed, all of it afterwards.
async fn rolling(stage: Arc<Stage>) -> Result<()> {
    let (lab, trust) = (&stage.lab, &stage.trust);
    let began = Instant::now();
    ensure!(answered("rolling", lab, trust, None).await?, "nothing fitted");
    ensure!(
        !answered("rolling", lab, trust, None).await?,
        "a spent minute had room"
    );
    let rest = Duration::from_secs(40).saturating_sub(began.elapsed());
    tokio::time::sleep(rest).await;
    let in_time = !answered("rolling", lab, trust, None).await? || began.elapsed() > Duration::from_secs(60);
    ensure!(in_time, "room after {:?}", began.elapsed());
    let rest = Duration::from_secs(66).saturating_sub(began.elapsed());
    tokio::time::sleep(rest).await;
    ensure!(
        answered("rolling", lab, trust, None).await?,
        "no room after {:?}",
        began.elapsed()
    );
    Account::of(&*stage.agent().await, "/rolling").await?.check()
}

/// A lab whose agent and clients have a wall clock of their own.
struct Dated {
    lab: Lab,
    agent: Agent,
    trust: std::path::PathBuf,
    clock: WallClock,
}

impl Dated {
    async fn at(time: &str, budgets: &[(&str, &str)]) -> Result<Self> {
        let lab = Lab::up().await?;
        let clock = WallClock::new(lab.dir(), instant(time)?)?;
        let mut config = AgentConfig::new().wall_clock(&clock);
        for (name, window) in budgets {
            config = config.policy(
                name,
                name,
                &format!("budgets: [{{limit: {LIMIT} tokens, {window}}}]"),
            );
        }
        let agent = Agent::start(&lab, "agent", config).await?;
        let trust = agent.trust(&lab)?;
        Ok(Self {
            lab,
            agent,
            trust,
            clock,
        })
    }

    async fn answered(&self, name: &str) -> Result<bool> {
        let answered = answered(name, &self.lab, &self.trust, Some(&self.clock)).await;
        answered.with_context(|| format!("{name}, on a clock {} s off", self.clock.offset()))
    }

    /// Sets the clock shortly before `time` and waits until it has passed: the boundary comes by itself.
    async fn pass(&self, time: &str) -> Result<()> {
        let time = instant(time)?;
        self.clock.set(time - Duration::from_secs(3))?;
        tokio::time::sleep(Duration::from_secs(3) + LATE).await;
        Ok(())
    }
}

fn instant(time: &str) -> Result<Timestamp> {
    time.parse().with_context(|| format!("{time} is no time"))
}

/// The windows that begin at a moment are empty then, and the others are not.
async fn calendar(_: Arc<Stage>) -> Result<()> {
    let budgets = [
        ("hour", "window: hour"),
        ("day", "window: day"),
        ("week", "window: week"),
        ("month", "window: month"),
    ];
    // A Thursday in the middle of a month.
    let dated = Dated::at("2027-04-15T10:20:00Z", &budgets).await?;
    for (name, _) in budgets {
        ensure!(dated.answered(name).await?, "{name}: nothing fitted");
    }
    // Each moment begins a window of some kinds; Monday the 26th of April, then Saturday the 1st of May.
    let moments: [(&str, &[&str]); 4] = [
        ("2027-04-15T11:00:00Z", &["hour"]),
        ("2027-04-16T00:00:00Z", &["hour", "day"]),
        ("2027-04-26T00:00:00Z", &["hour", "day", "week"]),
        ("2027-05-01T00:00:00Z", &["hour", "day", "month"]),
    ];
    for (time, begin) in moments {
        dated.pass(time).await?;
        for (name, _) in budgets {
            let (was, expected) = (dated.answered(name).await?, begin.contains(&name));
            ensure!(
                was == expected,
                "{time}: {name} answered: {was}, expected {expected}"
            );
        }
    }
    let mut agent = dated.agent;
    agent.stop().await
}

/// The 25th of October 2026 has 25 hours in Berlin: 22:00 UTC of the 24th to 23:00 UTC of the 25th.
async fn daylight_saving(_: Arc<Stage>) -> Result<()> {
    let budgets = [("berlin", "window: day, time_zone: Europe/Berlin")];
    let dated = Dated::at("2026-10-24T21:30:00Z", &budgets).await?;
    ensure!(dated.answered("berlin").await?, "nothing fitted");
    ensure!(!dated.answered("berlin").await?, "a spent day had room");
    dated.pass("2026-10-24T22:00:00Z").await?;
    ensure!(dated.answered("berlin").await?, "the day that begins had no room");
    // 24 hours later it is 23:00 there, and the same day.
    dated.pass("2026-10-25T22:00:00Z").await?;
    ensure!(!dated.answered("berlin").await?, "the day ended after 24 hours");
    dated.pass("2026-10-25T23:00:00Z").await?;
    ensure!(
        dated.answered("berlin").await?,
        "the day has not ended after 25 hours"
    );
    let mut agent = dated.agent;
    agent.stop().await
}

async fn set_back(_: Arc<Stage>) -> Result<()> {
    let dated = Dated::at("2027-04-15T10:20:00Z", &[("back", "window: hour")]).await?;
    ensure!(dated.answered("back").await?, "nothing fitted");
    for time in [
        "2027-04-15T09:59:00Z",
        "2027-04-15T09:30:00Z",
        "2027-04-15T10:25:00Z",
    ] {
        dated.clock.set(instant(time)?)?;
        tokio::time::sleep(LATE).await;
        ensure!(!dated.answered("back").await?, "{time}: a spent hour had room");
    }
    dated.pass("2027-04-15T11:00:00Z").await?;
    ensure!(dated.answered("back").await?, "the next hour had no room");
    let mut agent = dated.agent;
    agent.stop().await
}
