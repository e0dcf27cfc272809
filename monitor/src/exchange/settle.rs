//! The end of an exchange: what was spent is settled, and one record is made.

use std::sync::Arc;
use std::time::Instant;

use monitor_budget::{Reservation, Spend};
use monitor_protocol::{Operation, UsageCounters};
use smallvec::SmallVec;

use super::cost;
use super::meter::Spending;
use super::response::Reader;
use super::{Exchange, Outcome};
use crate::event::{
    self, BudgetUse, Certainty, Cost, ErrorClass, Event, Http, OwnCount, Reason, TokenUsage, Verdict,
};
use crate::identity::Attribution;
use crate::policy::AppliedBudget;

impl Exchange {
    /// Settles and records.
    pub fn finish(mut self, outcome: Outcome) {
        self.close(outcome);
    }

    fn close(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        match outcome {
            Outcome::Complete => {}
            Outcome::ClientGone => {
                self.reason.get_or_insert(Reason::ClientGone);
            }
            Outcome::UpstreamFailed => {
                self.reason.get_or_insert(Reason::UpstreamFailed);
                self.error.get_or_insert(ErrorClass::Transport);
            }
        }
        self.origin.count_exchange();
        self.origin.count_bytes(self.request_bytes, self.response_bytes);
        let mut budgets = Vec::new();
        let mut usage = None;
        let mut cost = None;
        let mut counted = None;
        if let Some(mut spending) = self.spending.take() {
            if spending.counters.is_none()
                && let Some(counters) = self.told_by_head(&spending)
            {
                spending.provider(counters);
            }
            let certainty = self.certainty(&spending, outcome);
            let spent = self.usage(&spending, certainty);
            cost = spent.and_then(|spent| self.cost(&spending, &spent));
            counted = Some(OwnCount {
                input: spending.prompt_tokens,
                output: spending.output_tokens(),
            });
            let certainty = spent.map_or(monitor_budget::Certainty::Exact, |usage| match usage.certainty {
                Certainty::Exact => monitor_budget::Certainty::Exact,
                Certainty::Estimated => monitor_budget::Certainty::Estimated,
                Certainty::UnderEstimate => monitor_budget::Certainty::UnderEstimate,
            });
            // One that the provider refused, and one that costs no tokens, is a request all the same.
            let charge = spent.map_or(Spend::request(0, 0), |usage| spending.settled(&usage));
            let (enforced, observed) = spending.take_reservations();
            settle(enforced, &self.budgets.enforced, &charge, certainty, &mut budgets);
            settle(observed, &self.budgets.observed, &charge, certainty, &mut budgets);
            usage = spent;
        }
        let record = self.record(usage, cost, counted, budgets);
        self.origin.node.recorder.send(Event::Exchange(Arc::new(record)));
    }

    /// What the head of a whole answer said it cost. Only Bedrock's are believed, and only where both sides are told: an
    /// answer whose text was seen has cost output.
    fn told_by_head(&self, spending: &Spending) -> Option<UsageCounters> {
        if self.call.operation != Operation::InvokeModel || self.streamed {
            return None;
        }
        let counters = self.head_usage.told()?;
        let usage = counters.usage();
        let is_whole = usage.total_input() > 0 && (usage.total_output() > 0 || spending.output_tokens() == 0);
        is_whole.then_some(counters)
    }

    /// How far the figures can be trusted.
    fn certainty(&self, spending: &Spending, outcome: Outcome) -> Certainty {
        let complete = outcome == Outcome::Complete && self.verdict != Verdict::Cut;
        match &self.reader {
            // The provider's usage is final once the answer is.
            Reader::Whole(_) | Reader::Stream(_) if complete && spending.counters.is_some() => {
                Certainty::Exact
            }
            // What was said before on a WebSocket is asked again with every answer, and not seen again.
            _ if self.call.websocket => Certainty::UnderEstimate,
            Reader::Whole(_) | Reader::Sized => Certainty::Estimated,
            Reader::Stream(stream) if complete && stream.ended => Certainty::Estimated,
            _ => Certainty::UnderEstimate,
        }
    }

    /// What was spent; `None` where nothing was, because the provider refused.
    fn usage(&self, spending: &Spending, certainty: Certainty) -> Option<TokenUsage> {
        if matches!(self.reader, Reader::Failed) || spending.is_free() {
            return None;
        }
        let told = spending.told().unwrap_or_default();
        let counted = (spending.prompt_tokens, spending.output_tokens());
        let (input, output) = match certainty {
            Certainty::Exact => (told.total_input(), told.total_output()),
            // A provider's figures from the middle of an answer lag behind what was seen.
            _ => (
                counted.0.max(told.total_input()),
                counted.1.max(told.total_output()),
            ),
        };
        Some(TokenUsage {
            input,
            output,
            cache_read: told.cache_read,
            cache_write: told.cache_write,
            reasoning: told.reasoning,
            modalities: spending.modalities(),
            certainty,
        })
    }

    /// What that cost; `None` where the model has no price.
    fn cost(&self, spending: &Spending, spent: &TokenUsage) -> Option<Cost> {
        let prices = self.origin.node.prices.load();
        let model = self.model.as_ref().map(|model| model.as_str());
        let price = prices.price(&self.origin.opened.provider, model, self.started_ms);
        // A model without a price is refused by budgets in money; one that passes has none on record.
        let price = price.ok()?;
        let used = cost::quantities(spending.counters.as_ref(), spent.input, spent.output);
        Some(Cost {
            amount: price.cost(&used),
            price_from: price.from,
        })
    }

    /// The grade at the start: as it was known then, or as events that were read since tell of that moment.
    fn final_attribution(&self) -> Attribution {
        match self.attribution {
            Attribution::Ambiguous(_) => self.attribution,
            _ => self.origin.attribution_at(self.began_ns),
        }
    }

    fn record(
        &mut self,
        usage: Option<TokenUsage>,
        cost: Option<Cost>,
        counted: Option<OwnCount>,
        budgets: Vec<BudgetUse>,
    ) -> event::Exchange {
        let attribution = self.final_attribution();
        self.origin.note_attribution(attribution);
        let opened = &self.origin.opened;
        let micros = |since: Instant| u64::try_from((since - self.started).as_micros()).unwrap_or(u64::MAX);
        event::Exchange {
            id: self.id,
            started_ms: self.started_ms,
            duration_us: micros(Instant::now()),
            time_to_first_byte_us: self.first_byte.map(micros),
            workload: self.workload.take(),
            attribution,
            client: opened.client,
            original_destination: opened.original_destination,
            provider: opened.provider.clone(),
            host: opened.host.clone(),
            api: opened.api.name(),
            operation: self.call.operation.name(),
            model: self.model.take(),
            streamed: self.streamed,
            http: Http {
                version: self.version,
                method: self.method.clone(),
                path: self.path.clone(),
                status: self.status,
                request_bytes: self.request_bytes,
                response_bytes: self.response_bytes,
            },
            usage,
            cost,
            counted,
            verdict: self.verdict,
            observed: self.observed,
            requested_model: self.requested_model.take(),
            clamped: self.clamped,
            slowed: self.slowed,
            actions: std::mem::take(&mut self.actions),
            observed_actions: std::mem::take(&mut self.observed_actions),
            reason: self.reason,
            rule: self.rule.take(),
            owasp: self.owasp,
            faults: std::mem::take(&mut self.faults),
            owner: self
                .policy
                .as_deref()
                .and_then(|policy| self.applied.owner_of(policy)),
            policy: self.policy.take(),
            api_key: self.api_key,
            findings: std::mem::take(&mut self.findings),
            budgets,
            error: self.error,
        }
    }
}

impl Drop for Exchange {
    /// The connection failed under the exchange: what it may have spent is spent, and it is on record.
    fn drop(&mut self) {
        self.close(Outcome::UpstreamFailed);
    }
}

fn settle(
    reservation: Option<Reservation>,
    applied: &[Arc<AppliedBudget>],
    spent: &Spend,
    certainty: monitor_budget::Certainty,
    uses: &mut Vec<BudgetUse>,
) {
    let Some(reservation) = reservation else {
        return;
    };
    let reserved: SmallVec<[u64; 4]> = reservation.held().collect();
    let settlement = reservation.settle(spent, certainty);
    let charges = settlement.0.into_iter().zip(reserved);
    uses.extend(
        applied
            .iter()
            .zip(charges)
            .map(|(applied, (charge, reserved))| BudgetUse {
                key: applied.budget.key.clone(),
                unit: applied.budget.unit,
                limit: applied.budget.limit,
                reserved,
                settled: charge.settled,
                debt: charge.debt,
            }),
    );
}
