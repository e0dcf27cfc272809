//! Budgets: specification → configuration.

use std::collections::HashSet;

use monitor_budget::{OnStoreLoss, Period, Scope, Unit, Window, Zone};
use serde_saphyr::{Location, Spanned};

use super::spec::{AtLimitSpec, BudgetSpec, OnStoreLossSpec, ScopeSpec, SlowDownSpec};
use super::{AtLimit, BudgetRule, Dimension, ExchangeFilter, Grouping, Reserve, SlowDown, counts_output};
use crate::config::error::Problems;
use crate::config::percent::percent;
use crate::config::spec::OneOrMany;
use crate::config::validate::{globs, name, operation_globs};
use crate::config::{Glob, MAX_WINDOW_MS, MIN_WINDOW_MS, quantity};

/// Longest name of a model to downgrade to.
const MAX_MODEL_BYTES: usize = 256;

/// What of the rest of the configuration a policy's budgets depend on.
#[derive(Clone, Copy)]
pub(in crate::config) struct Surroundings<'a> {
    /// Models that the policy allows, where it says.
    pub(in crate::config) models: Option<&'a [Glob]>,
    /// There is a `cluster`.
    pub(in crate::config) cluster: bool,
    /// Its nodes share a key for fingerprints.
    pub(in crate::config) shared_fingerprints: bool,
}

/// The budgets of one policy.
pub(in crate::config) fn budgets(
    specs: Vec<BudgetSpec>,
    around: Surroundings<'_>,
    problems: &mut Problems<'_>,
) -> Vec<BudgetRule> {
    let mut seen = HashSet::new();
    let mut rules = Vec::with_capacity(specs.len());
    for spec in specs {
        if let Some(name) = &spec.name
            && !seen.insert(name.value.clone())
        {
            problems.add(name.referenced, format_args!(
                "a budget `{}` already exists in this policy; its name is a part of its accounts' keys: give this one another", name.value
            ));
        }
        rules.extend(budget(spec, around, problems));
    }
    rules
}

fn budget(spec: BudgetSpec, around: Surroundings<'_>, problems: &mut Problems<'_>) -> Option<BudgetRule> {
    let limit = problems.take(spec.limit.referenced, quantity::limit(&spec.limit.value));
    if let Some((0, _)) = limit {
        problems.add(
            spec.limit.referenced,
            format_args!(
                "a limit of `{}` would deny every request; give more than nothing",
                spec.limit.value
            ),
        );
    }
    let unit = limit.map(|(_, unit)| unit);
    if let Some(unit) = unit {
        fits_unit(&spec, unit, problems);
    }
    let limit_at = spec.limit.referenced;
    let at_limit = spec.at_limit.as_ref().map(|at_limit| at_limit.referenced);
    let window = window(unit, limit_at, spec.window, spec.time_zone, problems);
    let per = grouping(spec.per, problems);
    let filter = filter(spec.providers, spec.models, spec.operations, problems);
    let clamp = spec.clamp.as_ref().is_some_and(|clamp| clamp.value);
    let scope = scope(spec.scope.as_ref(), spec.on_store_loss, &per, around, problems);
    let mut rule = BudgetRule {
        name: spec.name.and_then(|spec| budget_name(spec, problems)),
        limit: limit?.0,
        unit: unit?,
        window: window?,
        per,
        filter,
        alert_at: alert_at(spec.alert_at, problems).into(),
        at_limit: match spec.at_limit.map(|spec| spec.value) {
            None | Some(AtLimitSpec::Deny) => AtLimit::Deny,
            Some(AtLimitSpec::Alert) => AtLimit::Alert,
            Some(AtLimitSpec::Downgrade(model)) => AtLimit::Downgrade(model.value),
        },
        slow_down: spec.slow_down.and_then(|spec| slow_down(&spec.value, problems)),
        clamp,
        reserve: spec.reserve.map(|reserve| reserve.value).unwrap_or_default(),
        scope,
    };
    // What only alerts and does not say when would tell nobody.
    if rule.at_limit == AtLimit::Alert && rule.alert_at.is_empty() && rule.unit != Unit::Concurrency {
        rule.alert_at = [100].into();
    }
    if let AtLimit::Downgrade(model) = &rule.at_limit {
        downgrade(model, at_limit.unwrap_or(limit_at), &rule, around, problems);
    }
    if let (AtLimit::Alert, Some(spec)) = (&rule.at_limit, spec.clamp.filter(|clamp| clamp.value)) {
        problems.add(
            spec.referenced,
            "a budget with `at_limit: alert` changes no request; remove `clamp`, or let it deny",
        );
    }
    Some(rule)
}

/// What has a meaning only in some units.
fn fits_unit(spec: &BudgetSpec, unit: Unit, problems: &mut Problems<'_>) {
    let mut only_for = |key: &str, at: Option<Location>, fits: bool, units: &str| {
        if let Some(at) = at.filter(|_| !fits) {
            problems.add(
                at,
                format_args!("`{key}` means nothing for a limit in {}; {units}", counted(unit)),
            );
        }
    };
    let output = counts_output(unit);
    const OUTPUT: &str = "it is for limits in tokens, output tokens or USD: remove it";
    let clamp = spec.clamp.as_ref().filter(|clamp| clamp.value);
    only_for("clamp", clamp.map(|clamp| clamp.referenced), output, OUTPUT);
    let slow_down = spec.slow_down.as_ref().map(|slow_down| slow_down.referenced);
    only_for("slow_down", slow_down, output, OUTPUT);
    let full = spec
        .reserve
        .as_ref()
        .filter(|reserve| reserve.value == Reserve::Full);
    only_for(
        "reserve: full",
        full.map(|reserve| reserve.referenced),
        output,
        OUTPUT,
    );
    let alert_at = spec.alert_at.as_ref().map(|alert_at| alert_at.at);
    const WINDOW: &str = "an alert is told once a window, and requests under way have none: remove it";
    only_for("alert_at", alert_at, unit != Unit::Concurrency, WINDOW);
}

fn counted(unit: Unit) -> &'static str {
    match unit {
        Unit::Tokens => "tokens",
        Unit::InputTokens => "input tokens",
        Unit::OutputTokens => "output tokens",
        Unit::CacheTokens => "cache tokens",
        Unit::MicroUsd => "USD",
        Unit::Requests => "requests",
        Unit::Concurrency => "concurrent requests",
    }
}

/// A name, which must not be taken for a budget's place in the policy.
fn budget_name(spec: Spanned<String>, problems: &mut Problems<'_>) -> Option<String> {
    if !spec.value.is_empty() && spec.value.bytes().all(|byte| byte.is_ascii_digit()) {
        problems.add(spec.referenced, format_args!(
            "`{}` is what a budget without a name is called by its place in the policy; begin the name with a letter", spec.value
        ));
        return None;
    }
    name(spec, "budget", problems)
}

fn window(
    unit: Option<Unit>,
    limit_at: Location,
    window: Option<Spanned<String>>,
    zone: Option<Spanned<String>>,
    problems: &mut Problems<'_>,
) -> Option<Window> {
    if unit == Some(Unit::Concurrency) {
        for at in [window, zone].into_iter().flatten().map(|spec| spec.referenced) {
            problems.add(
                at,
                "a limit of concurrent requests counts those under way and has no window; remove this",
            );
        }
        return Some(Window::Open);
    }
    let Some(window) = window else {
        if unit.is_some() {
            problems.add(limit_at, "the budget has no `window`; write for example `window: 1h` for any hour, or `window: day` for each day of the calendar");
        }
        return None;
    };
    if let Some(period) = Period::parse(&window.value) {
        let zone = match zone {
            Some(zone) => problems.take(zone.referenced, Zone::parse(&zone.value))?,
            None => Zone::UTC,
        };
        return Some(Window::Calendar { period, zone });
    }
    if let Some(zone) = zone {
        problems.add(
            zone.referenced,
            "only windows of the calendar (`hour`, `day`, `week`, `month`) begin somewhere; remove `time_zone`, or write such a window",
        );
    }
    let ms = problems.take(
        window.referenced,
        quantity::duration_ms(&window.value)
            .map_err(|error| format!("{error}, or one of `hour`, `day`, `week` and `month` of the calendar")),
    )?;
    if !(MIN_WINDOW_MS..=MAX_WINDOW_MS).contains(&ms) {
        problems.add(
            window.referenced,
            format_args!(
                "a window of `{}` is out of range; give 1m to 30d, or `month`",
                window.value
            ),
        );
    }
    Some(Window::rolling(ms))
}

fn grouping(spec: Option<OneOrMany>, problems: &mut Problems<'_>) -> Grouping {
    let Some(spec) = spec else {
        return Grouping::default();
    };
    if spec.values.is_empty() {
        problems.add(
            spec.at,
            "the list tells no budgets apart; write `per: all` where all share one",
        );
    }
    let all = spec.values.iter().find(|value| value.value == "all");
    if let Some(all) = all {
        if spec.values.len() > 1 {
            problems.add(
                all.referenced,
                "`all` is one budget for all and stands alone; remove it or the others",
            );
        }
        return Grouping::all();
    }
    let mut dimensions = Vec::with_capacity(spec.values.len());
    for value in &spec.values {
        let Some(dimension) = problems.take(value.referenced, Dimension::parse(&value.value)) else {
            continue;
        };
        if dimensions.contains(&dimension) {
            problems.add(
                value.referenced,
                format_args!("`{dimension}` is there twice; remove one"),
            );
        } else {
            dimensions.push(dimension);
        }
    }
    Grouping::by(dimensions)
}

fn filter(
    providers: Option<OneOrMany>,
    models: Option<OneOrMany>,
    operations: Option<OneOrMany>,
    problems: &mut Problems<'_>,
) -> ExchangeFilter {
    const EMPTY: &str = "is empty, so that the budget would count nothing; name what it counts, or remove the key to count all";
    let models = models.map(|mut list| {
        list.values
            .iter_mut()
            .for_each(|value| value.value.make_ascii_lowercase());
        list
    });
    ExchangeFilter {
        providers: providers.map(|list| globs(list, EMPTY, problems)),
        models: models.map(|list| globs(list, EMPTY, problems)),
        operations: operations.map(|list| operation_globs(list, EMPTY, problems)),
    }
}

fn alert_at(spec: Option<OneOrMany>, problems: &mut Problems<'_>) -> Vec<u8> {
    let Some(spec) = spec else { return Vec::new() };
    let mut shares: Vec<u8> = Vec::with_capacity(spec.values.len());
    for value in &spec.values {
        let Some(share) = percent(value, problems) else {
            continue;
        };
        if shares.last().is_some_and(|last| *last >= share) {
            problems.add(
                value.referenced,
                "shares must rise, as in `alert_at: [50%, 80%]`; put them in order, each once",
            );
        }
        shares.push(share);
    }
    shares
}

fn slow_down(spec: &SlowDownSpec, problems: &mut Problems<'_>) -> Option<SlowDown> {
    let from = percent(&spec.from, problems);
    let to = problems.take(spec.to.referenced, quantity::tokens_per_s(&spec.to.value));
    if to == Some(0) {
        problems.add(
            spec.to.referenced,
            "a stream without tokens would never end; give at least `1 tokens/s`",
        );
    }
    Some(SlowDown {
        from_percent: from?,
        tokens_per_s: to?,
    })
}

fn scope(
    spec: Option<&Spanned<ScopeSpec>>,
    on_store_loss: Option<Spanned<OnStoreLossSpec>>,
    per: &Grouping,
    around: Surroundings<'_>,
    problems: &mut Problems<'_>,
) -> Scope {
    let Some(Spanned {
        value: ScopeSpec::Cluster,
        referenced: at,
        ..
    }) = spec
    else {
        if let Some(spec) = on_store_loss {
            problems.add(
                spec.referenced,
                "a budget of one node has no store to lose; write `scope: cluster`, or remove `on_store_loss`",
            );
        }
        return Scope::Node;
    };
    if !around.cluster {
        problems.add(
            *at,
            "a budget of the cluster needs the cluster's store; add `cluster: {name: …, redis: {url: …}}`, or remove `scope`",
        );
    }
    if per.has(&Dimension::Node) {
        problems.add(
            *at,
            "`per: node` gives each node a budget of its own, which needs no cluster; remove `scope`, or `node` from `per`",
        );
    }
    if around.cluster && !around.shared_fingerprints && per.has(&Dimension::ApiKey) {
        problems.add(
            *at,
            "each node has a key of its own for fingerprints, so that an API key would have a budget on each; give all nodes the same `cluster.fingerprint_key_file`",
        );
    }
    let on_store_loss = match on_store_loss.map(|spec| spec.value) {
        None => OnStoreLoss::default(),
        Some(OnStoreLossSpec::NodeShare) => OnStoreLoss::NodeShare,
        Some(OnStoreLossSpec::Deny) => OnStoreLoss::Deny,
        Some(OnStoreLossSpec::Allow) => OnStoreLoss::Allow,
    };
    Scope::Cluster { on_store_loss }
}

/// Another model helps only where the policy allows it and it does not count in the same account, or is cheaper there.
fn downgrade(
    model: &str,
    at: Location,
    rule: &BudgetRule,
    around: Surroundings<'_>,
    problems: &mut Problems<'_>,
) {
    if !(1..=MAX_MODEL_BYTES).contains(&model.len()) || model.chars().any(char::is_control) {
        problems.add(
            at,
            "the model to downgrade to has no usable name; write it as requests do, as in `{downgrade: gpt-4o-mini}`",
        );
        return;
    }
    let allowed = |list: &[Glob]| list.iter().any(|glob| glob.matches(model));
    if !around.models.is_none_or(allowed) {
        problems.add(
            at,
            format_args!("this policy's `models` do not allow `{model}`, so that every request would be refused at the limit; allow it, or downgrade to another model"),
        );
    }
    let lower = model.to_ascii_lowercase();
    let counts_it = rule
        .filter
        .models
        .as_deref()
        .is_none_or(|list| list.iter().any(|glob| glob.matches(&lower)));
    if counts_it && rule.unit != Unit::MicroUsd && !rule.per.has(&Dimension::Model) {
        problems.add(
            at,
            format_args!("this budget counts `{model}` as well, so that the downgraded request would not fit either; limit it to other models with `models`, or add `model` to `per`"),
        );
    }
}
