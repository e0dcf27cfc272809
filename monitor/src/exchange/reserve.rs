//! Making a request fit its budgets: what follows where one has no room.
//!
//! 1. The whole of what the request may cost is reserved, or a first slice of it where its answer is a stream that can be cut.
//!    `reserve: full` always takes the whole; a request without a limit of its own gets one, so that the provider keeps to it.
//! 2. Where a budget with `clamp` has less, the output limit is lowered to what is there, in the same step of the ledger that
//!    reserves it.
//! 3. Where a budget with `downgrade` refuses, the request is made to ask the cheaper model, if policy allows that one, and all of this
//!    is done once more for it.
//! 4. What still does not fit is refused.
//!
//! A signature forbids 2 (of the body) and 3 (of the path, too). Budgets that only observe note what they would have done.

use std::borrow::Cow;
use std::sync::Arc;

use monitor_budget::{Budget, Denied, Ledger, Reservation, Spend, Unit};
use monitor_content::Encoding;
use monitor_protocol::{
    RefusalReason, Request, RequestLine, Rewrite, lower_output_limit, min_output_limit, with_model_in_body,
    with_model_in_target,
};
use smallvec::SmallVec;

use super::inspect::Redaction;
use super::meter::{Demand, Spending, UNLIMITED_OUTPUT_TOKENS, is_free, leased};
use super::rates::Rates;
use super::{Exchange, Fingerprint, Refusal};
use crate::config::{AtLimit, Reserve};
use crate::event::{LimitAction, Reason, ShortText, Verdict};
use crate::policy::{AppliedBudget, BudgetList, ExchangeBudgets, ExchangeFacts};

/// Providers whose newer models take `max_completion_tokens` only.
const NATIVE: [&str; 2] = ["openai", "azure"];

/// Output a choice that a request without a limit of its own is made to ask for at most: every model that is served takes this much
/// (gpt-3.5-turbo and gpt-4-turbo answer a higher one by an error).
const SAID_OUTPUT_TOKENS: u64 = 4_096;

/// What a request is made to say so that it fits.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// In its body.
    pub rewrites: Vec<Rewrite>,
    /// Its path and query.
    pub target: Option<String>,
}

/// A request as it was read.
#[derive(Clone, Copy)]
pub(super) struct Asked<'r> {
    pub body: &'r [u8],
    pub request: &'r Request<'r>,
    pub redactions: &'r [Redaction],
    /// The model, as the request or its path names it.
    pub model: &'r str,
    /// What was said before and counts into the same prompt.
    pub said_tokens: u64,
}

/// What was reserved.
struct Reserved {
    enforced: Option<Reservation>,
    /// Output a choice that the request must say it allows.
    limit: Option<u64>,
}

impl Exchange {
    /// Sets aside what a request may cost: what it must be made to say for that, or a refusal.
    pub(super) fn reserve(&mut self, asked: Asked<'_>) -> Result<Terms, Refusal> {
        let encoding = Encoding::for_model(asked.model);
        let no_rates = Rates::default();
        let demand = self.demand(encoding, asked, &no_rates);
        self.prompt_tokens = demand.prompt_tokens;
        self.check_prompt_size(demand.prompt_tokens, asked.request)?;
        if !asked.request.asks {
            return Ok(Terms::default());
        }
        let more = &asked.request.more_models;
        let mut budgets = self.budgets_of(asked.model, more);
        if is_free(self.call.operation) {
            return self.reserve_free(encoding, demand, budgets);
        }
        let rates = self.rates(&mut budgets, asked.model, more)?;
        let demand = Demand {
            rates: &rates,
            ..demand
        };
        let denied = match self.fit(&budgets.enforced, demand, Some(asked)) {
            Ok((reserved, rewrites)) => {
                self.take(encoding, demand, budgets, reserved);
                return Ok(Terms {
                    rewrites,
                    target: None,
                });
            }
            Err(denied) => denied,
        };
        match self.downgrade(&budgets.enforced, &denied, asked) {
            Some(terms) => Ok(terms),
            None => Err(self.refuse_for_budget(&budgets, &denied)),
        }
    }

    /// [`Exchange::reserve`] for an answer whose request cannot be rewritten.
    pub(super) fn reserve_unasked(&mut self, model: &str) -> Option<Refusal> {
        let mut budgets = self.budgets_of(model, &[]);
        let rates = match self.rates(&mut budgets, model, &[]) {
            Ok(rates) => rates,
            Err(refusal) => return Some(refusal),
        };
        let demand = Demand {
            prompt_tokens: self.prompt_tokens,
            streamed: true,
            max_output_tokens: None,
            choices: 1,
            rates: &rates,
        };
        match self.fit(&budgets.enforced, demand, None) {
            Ok((reserved, _)) => {
                self.take(Encoding::for_model(model), demand, budgets, reserved);
                None
            }
            Err(denied) => Some(self.refuse_for_budget(&budgets, &denied)),
        }
    }

    /// Sets aside what a request takes whose tokens cost nothing.
    fn reserve_free(
        &mut self,
        encoding: Encoding,
        demand: Demand<'_>,
        mut budgets: ExchangeBudgets,
    ) -> Result<Terms, Refusal> {
        let counts = |applied: &mut Arc<AppliedBudget>| {
            matches!(applied.budget.unit, Unit::Requests | Unit::Concurrency)
        };
        budgets.enforced.retain(counts);
        budgets.observed.retain(counts);
        let of_nothing = Demand {
            prompt_tokens: 0,
            max_output_tokens: Some(0),
            ..demand
        };
        let ledger = &self.origin.node.ledger;
        let enforced = leased(ledger, || {
            reserve_on(ledger, &budgets.enforced, &of_nothing.first())
        });
        let enforced = match enforced {
            Ok(enforced) => enforced,
            Err(denied) => return Err(self.refuse_for_budget(&budgets, &denied)),
        };
        let observed = self.reserve_observed(&mut budgets.observed, of_nothing);
        let prompt_tokens = demand.prompt_tokens;
        let mut spending = Spending::new(encoding, prompt_tokens, Rates::default(), enforced, observed);
        spending.set_free();
        self.spending = Some(spending);
        self.budgets = budgets;
        Ok(Terms::default())
    }

    /// What the exchange is billed at, where a budget counts money: a refusal where such a budget denies and a model that may
    /// answer has no price.
    fn rates(
        &mut self,
        budgets: &mut ExchangeBudgets,
        model: &str,
        more: &[Cow<'_, str>],
    ) -> Result<Rates, Refusal> {
        if !budgets.counts_money() {
            return Ok(Rates::default());
        }
        if let Some(rates) = self.priced(model, more) {
            return Ok(rates);
        }
        let of_money = |list: &BudgetList| {
            let mut list = list.iter();
            let applied = list.find(|applied| applied.budget.unit == Unit::MicroUsd);
            applied.map(|applied| applied.policy.clone())
        };
        if let Some(policy) = of_money(&budgets.enforced) {
            let name = policy.to_string();
            self.budgets = std::mem::take(budgets);
            return Err(self.refuse(RefusalReason::Unpriced { name }, Reason::Unpriced, Some(policy)));
        }
        if let Some(policy) = of_money(&budgets.observed) {
            self.observe(Verdict::Denied, Reason::Unpriced, &policy);
        }
        // Nobody knows what to charge.
        budgets
            .observed
            .retain(|applied| applied.budget.unit != Unit::MicroUsd);
        Ok(Rates::default())
    }

    /// The prices of the models that may answer; `None` where one has none.
    fn priced(&self, model: &str, more: &[Cow<'_, str>]) -> Option<Rates> {
        let prices = self.origin.node.prices.load();
        let provider = &self.origin.opened.provider;
        let named = Some(model).filter(|model| !model.is_empty());
        let models = std::iter::once(named).chain(more.iter().map(|model| Some(&**model)));
        let found: Result<Vec<_>, _> = models
            .map(|model| prices.price(provider, model, self.started_ms).cloned())
            .collect();
        Some(Rates::new(found.ok()?, self.call.operation))
    }

    /// The budgets that count the exchange, for the model that is asked for and those that may answer in its stead.
    fn budgets_of(&self, model: &str, more: &[Cow<'_, str>]) -> ExchangeBudgets {
        let named = Some(model).filter(|model| !model.is_empty());
        let models: SmallVec<[&str; 4]> = named
            .into_iter()
            .chain(more.iter().map(|model| &**model))
            .collect();
        self.applied.budgets_for(&ExchangeFacts {
            provider: &self.origin.opened.provider,
            models: &models,
            operation: self.call.operation.name(),
            api_key: self.api_key.as_ref().map(Fingerprint::as_str),
        })
    }

    fn demand<'r>(&self, encoding: Encoding, asked: Asked<'_>, rates: &'r Rates) -> Demand<'r> {
        let request = asked.request;
        let counted = self.count(encoding, asked.body, request, asked.redactions);
        let generates = self.call.operation.generates();
        let said = request.max_output_tokens.as_ref().map(|limit| limit.tokens);
        Demand {
            prompt_tokens: asked.said_tokens.saturating_add(counted),
            streamed: request.stream || self.call.streams || self.call.websocket,
            max_output_tokens: if generates { said } else { Some(0) },
            choices: request.choices,
            rates,
        }
    }

    /// Reserves on budgets that refuse, with the request's limit lowered where that helps.
    fn fit(
        &mut self,
        budgets: &BudgetList,
        demand: Demand<'_>,
        asked: Option<Asked<'_>>,
    ) -> Result<(Reserved, Vec<Rewrite>), Denied> {
        let is_full = budgets
            .iter()
            .any(|applied| applied.rule.reserve == Reserve::Full);
        let unsaid = demand.max_output_tokens.is_none();
        // The limit that a full reservation rests on must be in the request.
        let must_say = is_full && unsaid;
        let most = if must_say {
            SAID_OUTPUT_TOKENS
        } else {
            demand.most_per_choice()
        };
        let can_say = asked.is_some_and(|asked| most > 0 && self.lowered(asked, most).is_some());
        if must_say && !can_say {
            return Err(unsayable(budgets, demand));
        }
        let least = min_output_limit(&self.call).min(most);
        let model = asked.map_or("", |asked| asked.model);
        let gives_way = |at: usize| can_say && budgets.get(at).is_some_and(|applied| clamps(applied, model));
        let ledger = &self.origin.node.ledger;
        let list: SmallVec<[&Budget; 4]> = budgets.iter().map(|applied| &applied.budget).collect();
        if list.is_empty() {
            let reserved = Reserved {
                enforced: None,
                limit: None,
            };
            return Ok((reserved, Vec::new()));
        }
        let (reservation, n) = if demand.streamed && !is_full {
            let first = demand.slice_per_choice().max(least).min(most);
            let (reservation, n) = leased(ledger, || {
                ledger.reserve_most(&list, gives_way, least, first, |n| demand.spend(n))
            })?;
            // What the answer may grow to: all that nobody else has.
            let n = if n < first {
                n
            } else {
                most_within(&reservation, budgets, n, most, |n| demand.spend(n), gives_way)
            };
            (reservation, n)
        } else {
            leased(ledger, || {
                ledger.reserve_most(&list, gives_way, least, most, |n| demand.spend(n))
            })?
        };
        let limit = (n < most || must_say).then_some(if unsaid { n.min(SAID_OUTPUT_TOKENS) } else { n });
        let rewrites = match (limit, asked) {
            (Some(limit), Some(asked)) => match self.lowered(asked, limit) {
                Some(rewrites) => rewrites,
                None => {
                    reservation.release();
                    let by = budgets.iter().find(|applied| clamps(applied, model));
                    return Err(never(by, &demand.spend(most)));
                }
            },
            _ => Vec::new(),
        };
        if n < most {
            self.clamped = limit;
            let by = budgets.iter().find(|applied| clamps(applied, model));
            self.note_limit_action(LimitAction::Clamped, by.map(|applied| applied.policy.clone()));
        }
        let reserved = Reserved {
            enforced: Some(reservation),
            limit,
        };
        Ok((reserved, rewrites))
    }

    fn lowered(&self, asked: Asked<'_>, limit: u64) -> Option<Vec<Rewrite>> {
        if self.signed {
            return None;
        }
        let native = NATIVE.contains(&&*self.origin.opened.provider);
        lower_output_limit(&self.call, asked.body, limit, native)
    }

    /// Makes the request ask the model of the budget that refused.
    fn downgrade(&mut self, budgets: &BudgetList, denied: &Denied, asked: Asked<'_>) -> Option<Terms> {
        let by = named(budgets, denied)?.clone();
        let AtLimit::Downgrade(model) = &by.rule.at_limit else {
            return None;
        };
        let is_same = model.eq_ignore_ascii_case(asked.model);
        if is_same || !asked.request.more_models.is_empty() || !self.allows_model(model) {
            return None;
        }
        let mut terms = self.asking(model, asked)?;
        let (before, clamped) = (self.call.clone(), self.clamped);
        if self.call.model.is_some() {
            self.call.model = Some(model.to_ascii_lowercase());
        }
        let encoding = Encoding::for_model(model);
        let cheaper = Asked { model, ..asked };
        let budgets = self.budgets_of(model, &[]);
        let rates = if budgets.counts_money() {
            match self.priced(model, &[]) {
                Some(rates) => rates,
                None => {
                    self.call = before;
                    return None;
                }
            }
        } else {
            Rates::default()
        };
        let demand = self.demand(encoding, cheaper, &rates);
        match self.fit(&budgets.enforced, demand, Some(cheaper)) {
            Ok((reserved, rewrites)) => {
                terms.rewrites.extend(rewrites);
                self.prompt_tokens = demand.prompt_tokens;
                self.requested_model = self.model.replace(ShortText::new(model));
                self.note_limit_action(LimitAction::Downgraded, Some(by.policy.clone()));
                self.take(encoding, demand, budgets, reserved);
                Some(terms)
            }
            Err(_) => {
                (self.call, self.clamped) = (before, clamped);
                None
            }
        }
    }

    /// What makes the request ask `model`, where it can be made to.
    fn asking(&self, model: &str, asked: Asked<'_>) -> Option<Terms> {
        let in_path = self.call.model.is_some();
        let in_body = asked.request.model.is_some();
        if self.call.websocket && in_path && !in_body {
            // Named when the session was opened.
            return None;
        }
        let target = if in_path && !self.call.websocket {
            if self.signed_head {
                return None;
            }
            let line = RequestLine {
                method: self.method.as_str(),
                target: self.target.as_deref()?,
                websocket: false,
            };
            Some(with_model_in_target(self.origin.opened.api, line, model)?)
        } else {
            None
        };
        let rewrites = if in_body {
            if self.signed {
                return None;
            }
            with_model_in_body(asked.body, model)?
        } else {
            Vec::new()
        };
        (target.is_some() || !rewrites.is_empty()).then_some(Terms { rewrites, target })
    }

    fn allows_model(&self, model: &str) -> bool {
        let mut enforced = self.applied.models.iter().filter(|rule| rule.enforce);
        enforced.all(|rule| rule.allows(model))
    }

    /// Goes on with what was reserved, the budgets that never refuse beside it.
    fn take(
        &mut self,
        encoding: Encoding,
        demand: Demand<'_>,
        mut budgets: ExchangeBudgets,
        reserved: Reserved,
    ) {
        let allowed = Demand {
            max_output_tokens: reserved.limit.or(demand.max_output_tokens),
            ..demand
        };
        let observed = self.reserve_observed(&mut budgets.observed, allowed);
        let mut spending = Spending::new(
            encoding,
            demand.prompt_tokens,
            demand.rates.clone(),
            reserved.enforced,
            observed,
        );
        spending.slow_down(&budgets);
        self.spending = Some(spending);
        self.budgets = budgets;
    }

    /// Reserves on budgets that never refuse: what does not fit is charged all the same when it is settled.
    fn reserve_observed(&mut self, budgets: &mut BudgetList, demand: Demand<'_>) -> Option<Reservation> {
        let ledger = self.origin.node.ledger.clone();
        let first = reserve_on(&ledger, budgets, &demand.first());
        let denied = match first {
            Ok(reservation) => return reservation,
            Err(denied) => denied,
        };
        if let Some(applied) = named(budgets, &denied).filter(|applied| !applied.enforce) {
            let applied = applied.clone();
            self.observe_limit(&applied);
        }
        // Nothing is held, so that nothing is refused but what has no room for an account, or counts what is under way.
        while !budgets.is_empty() {
            match reserve_on(&ledger, budgets, &Spend::default()) {
                Ok(reservation) => return reservation,
                Err(denied) => budgets.retain(|applied| applied.budget.key != denied.key),
            }
        }
        None
    }

    /// Notes what a policy that observes would have done about a budget without room.
    fn observe_limit(&mut self, applied: &AppliedBudget) {
        let action = match &applied.rule.at_limit {
            AtLimit::Alert => return,
            AtLimit::Downgrade(_) => Some(LimitAction::Downgraded),
            AtLimit::Deny if applied.rule.clamp => Some(LimitAction::Clamped),
            AtLimit::Deny => None,
        };
        match action {
            Some(action) => self.observe_action(action, &applied.policy),
            None => {
                self.observe(Verdict::Denied, Reason::Budget, &applied.policy);
            }
        }
    }

    /// Notes what a policy that observes would have done near a limit.
    pub(super) fn observe_action(&mut self, action: LimitAction, policy: &Arc<str>) {
        if !self.observed_actions.contains(&action) {
            self.observed_actions.push(action);
        }
        if self.verdict == Verdict::Allowed && self.observed.is_none() && self.reason.is_none() {
            (self.reason, self.policy) = (Some(Reason::Budget), Some(policy.clone()));
        }
    }

    /// Notes what was done near a limit to an exchange that goes on.
    pub(super) fn note_limit_action(&mut self, action: LimitAction, policy: Option<Arc<str>>) {
        if !self.actions.contains(&action) {
            self.actions.push(action);
        }
        if self.verdict == Verdict::Allowed {
            self.reason = Some(Reason::Budget);
            self.policy = policy.or(self.policy.take());
        }
    }

    fn refuse_for_budget(&mut self, budgets: &ExchangeBudgets, denied: &Denied) -> Refusal {
        self.budgets = budgets.clone();
        (self.clamped, self.requested_model) = (None, None);
        self.actions.clear();
        self.refuse_budget(denied)
    }
}

/// Whether a budget is content with less output of a request for `model`. One that has a cheaper model for it rather has the whole
/// answer from that.
fn clamps(applied: &AppliedBudget, model: &str) -> bool {
    let has_cheaper = match &applied.rule.at_limit {
        AtLimit::Downgrade(cheaper) => !cheaper.eq_ignore_ascii_case(model),
        AtLimit::Deny | AtLimit::Alert => false,
    };
    applied.rule.clamp && !has_cheaper
}

/// The budget that refused.
pub(super) fn named<'a>(budgets: &'a BudgetList, denied: &Denied) -> Option<&'a Arc<AppliedBudget>> {
    budgets.iter().find(|applied| applied.budget.key == denied.key)
}

fn reserve_on(ledger: &Ledger, budgets: &BudgetList, spend: &Spend) -> Result<Option<Reservation>, Denied> {
    if budgets.is_empty() {
        return Ok(None);
    }
    let list: SmallVec<[&Budget; 4]> = budgets.iter().map(|applied| &applied.budget).collect();
    ledger.reserve(&list, spend).map(Some)
}

/// The largest `n` of `least..=most` that fits what a reservation holds and what is free beside it.
fn most_within(
    reservation: &Reservation,
    budgets: &BudgetList,
    least: u64,
    most: u64,
    spend: impl Fn(u64) -> Spend,
    gives_way: impl Fn(usize) -> bool,
) -> u64 {
    if !(0..budgets.len()).any(&gives_way) {
        return most;
    }
    let levels = reservation.levels();
    let room: SmallVec<[(usize, u64); 4]> = reservation
        .held()
        .zip(&levels)
        .map(|(held, level)| held.saturating_add(level.limit.saturating_sub(level.taken)))
        .enumerate()
        .filter(|(at, _)| gives_way(*at))
        .collect();
    let fits = |n: u64| {
        let spend = spend(n);
        let fits = |(at, room): &(usize, u64)| {
            budgets
                .get(*at)
                .is_none_or(|applied| applied.budget.unit.of(&spend) <= *room)
        };
        room.iter().all(fits)
    };
    if fits(most) {
        return most;
    }
    let (mut low, mut high) = (least, most);
    while high.saturating_sub(low) > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// A full reservation rests on a limit that the request cannot be made to say.
fn unsayable(budgets: &BudgetList, demand: Demand<'_>) -> Denied {
    let full = budgets
        .iter()
        .find(|applied| applied.rule.reserve == Reserve::Full);
    never(full, &demand.spend(UNLIMITED_OUTPUT_TOKENS))
}

/// A refusal for what waiting does not help.
fn never(applied: Option<&Arc<AppliedBudget>>, spend: &Spend) -> Denied {
    let budget = applied.map(|applied| &applied.budget);
    let unit = budget.map(|budget| budget.unit).unwrap_or_default();
    Denied {
        key: budget.map_or_else(|| "".into(), |budget| budget.key.clone()),
        reason: monitor_budget::DenyReason::Exhausted,
        unit,
        requested: unit.of(spend),
        limit: budget.map_or(0, |budget| budget.limit),
        used: 0,
        reserved: 0,
        debt: 0,
        retry_after_ms: None,
    }
}
