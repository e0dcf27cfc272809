//! Content rules as they apply.

use std::sync::Arc;

use monitor_content::{
    DetectorCatalog, Detectors, Finding, Judgement, Profile, Scanned, UnknownDetector, selects,
};

use crate::config::{Action, ContentRule, OnDetectorLimit, PartSet, Redaction};
use crate::event::{FindingAction, Owasp, Part};

/// One content rule.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The policy.
    pub policy: Arc<str>,
    /// The rule, by its name or place in the policy.
    pub rule: Arc<str>,
    /// Whether its action is carried out.
    pub enforce: bool,
    /// Where it looks.
    pub parts: PartSet,
    /// What it does about a finding.
    pub action: FindingAction,
    /// What stands in a finding's place.
    pub redaction: Redaction,
    /// What it does about a text that was not read to its end.
    pub(super) on_limit: OnDetectorLimit,
    /// What it looks for in text of the workload's own, and in text from outside.
    own: Arc<Detectors>,
    untrusted: Arc<Detectors>,
    owasp: Option<Owasp>,
    /// Exceptions that earlier rules of the policy make.
    except: Arc<[Exception]>,
}

/// What a rule with the action `allow` takes out of the rules after it.
#[derive(Debug, Clone)]
struct Exception {
    detectors: Vec<String>,
    parts: PartSet,
}

impl Exception {
    fn covers(&self, finding: &Finding, part: Part) -> bool {
        self.parts.has(part)
            && self
                .detectors
                .iter()
                .any(|pattern| selects(pattern, finding.detector))
    }
}

impl Scan {
    /// Compiles the rules of a policy.
    pub(crate) fn compile(
        policy: &Arc<str>,
        enforce: bool,
        rules: &[ContentRule],
        catalog: &DetectorCatalog,
    ) -> Result<Vec<Self>, UnknownDetector> {
        let mut scans = Vec::new();
        let mut exceptions: Vec<Exception> = Vec::new();
        for rule in rules {
            let compile = |profile| {
                let min_confidence_percent = rule.min_confidence_percent;
                let judgement = Judgement {
                    profile,
                    min_confidence_percent,
                };
                catalog.compile(&rule.detect, judgement)
            };
            let action = match rule.action {
                Action::Allow => {
                    exceptions.push(Exception {
                        detectors: rule.detect.clone(),
                        parts: rule.parts,
                    });
                    continue;
                }
                Action::Alert => FindingAction::Alert,
                Action::Redact => FindingAction::Redact,
                Action::Block => FindingAction::Block,
            };
            scans.push(Self {
                policy: policy.clone(),
                rule: rule.name.as_str().into(),
                enforce,
                parts: rule.parts,
                action,
                on_limit: OnDetectorLimit::default(),
                redaction: rule.redaction,
                own: Arc::new(compile(Profile::Own)?),
                untrusted: Arc::new(compile(Profile::Untrusted)?),
                owasp: rule.owasp,
                except: exceptions.as_slice().into(),
            });
        }
        Ok(scans)
    }

    /// What it looks for in a part.
    pub fn detectors(&self, part: Part) -> &Arc<Detectors> {
        match part.profile() {
            Profile::Own => &self.own,
            Profile::Untrusted => &self.untrusted,
        }
    }

    /// Reads a whole text of a part; `findings` become those that no earlier rule of the policy excepts.
    pub fn find(&self, text: &str, part: Part, findings: &mut Vec<Finding>) -> Scanned {
        findings.clear();
        let scanned = self.detectors(part).scan(text, findings);
        findings.retain(|finding| !self.excepts(finding, part));
        scanned
    }

    /// Whether an earlier rule of the policy makes an exception of a finding.
    pub fn excepts(&self, finding: &Finding, part: Part) -> bool {
        self.except
            .iter()
            .any(|exception| exception.covers(finding, part))
    }

    /// The risk that a finding of it is a sign of.
    pub fn owasp(&self, detector: &str) -> Option<Owasp> {
        self.owasp.or_else(|| Owasp::of_detector(detector))
    }

    /// Findings are replaced.
    pub fn redacts(&self) -> bool {
        self.enforce && self.action == FindingAction::Redact
    }

    /// A finding refuses the request, or cuts the response.
    pub fn blocks(&self) -> bool {
        self.enforce && self.action == FindingAction::Block
    }

    /// Whether a text of this part that was not read to its end is refused, where the rule is enforced. Of a response that
    /// goes through whatever is found in it, nothing can be refused.
    pub fn denies_limit(&self, part: Part) -> bool {
        self.on_limit == OnDetectorLimit::Deny && (part.is_prompt() || self.action != FindingAction::Alert)
    }

    /// A finding changes what passes.
    pub fn acts(&self) -> bool {
        self.redacts() || self.blocks()
    }
}
