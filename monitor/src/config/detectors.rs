//! Detectors of an operator's own.

use std::sync::Arc;

use monitor_content::{CustomDetector, CustomSpec, DetectorCatalog};
use serde::{Deserialize, Serialize, Serializer};
use serde_saphyr::{Location, Spanned};

use super::error::Problems;
use super::percent::percent;
use super::spec::OneOrMany;

/// How sure a finding of a detector is that does not say.
const DEFAULT_CONFIDENCE_PERCENT: u8 = 85;

/// The operator's own detectors, and with them all that content rules may name.
#[derive(Debug, Clone, Default)]
pub struct OwnDetectors {
    /// As they are written.
    pub rules: Vec<DetectorRule>,
    /// Them and the built-in ones, compiled.
    pub catalog: DetectorCatalog,
}

/// The catalog is made of the rules.
impl PartialEq for OwnDetectors {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl Eq for OwnDetectors {}

impl Serialize for OwnDetectors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rules.serialize(serializer)
    }
}

/// A detector of an operator's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetectorRule {
    /// `family.name`.
    pub name: String,
    /// The pattern; empty for keywords alone.
    pub regex: String,
    /// Words and phrases; with a pattern, one must stand near.
    pub keywords: Vec<String>,
    /// How sure a finding is.
    pub confidence_percent: u8,
}

/// A detector as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DetectorSpec {
    name: Spanned<String>,
    #[serde(default)]
    regex: Option<Spanned<String>>,
    #[serde(default)]
    keywords: Option<OneOrMany>,
    #[serde(default)]
    confidence: Option<Spanned<String>>,
    #[serde(default)]
    finds: Option<OneOrMany>,
    #[serde(default)]
    passes: Option<OneOrMany>,
}

/// The detectors of the file.
pub(super) fn detectors(specs: Vec<DetectorSpec>, problems: &mut Problems<'_>) -> OwnDetectors {
    let mut rules = Vec::new();
    let mut compiled = Vec::new();
    for spec in specs {
        let at = spec.name.referenced;
        let (rule, detector) = spec.check(problems);
        rules.push(rule);
        compiled.extend(detector);
        // Each is tried with those before it, so that the place is that of the one that is wrong.
        problems.take(at, DetectorCatalog::with_custom(compiled.clone()));
    }
    let catalog = DetectorCatalog::with_custom(compiled).unwrap_or_default();
    OwnDetectors { rules, catalog }
}

impl DetectorSpec {
    fn check(self, problems: &mut Problems<'_>) -> (DetectorRule, Option<Arc<CustomDetector>>) {
        let list = |list: Option<OneOrMany>| {
            let values = list.map(|list| list.values).unwrap_or_default();
            values.into_iter().map(|value| value.value).collect::<Vec<_>>()
        };
        let confidence = self.confidence;
        let confidence = confidence.and_then(|confidence| percent(&confidence, problems));
        let (regex, regex_at) = match self.regex {
            Some(regex) => (regex.value, Some(regex.referenced)),
            None => Default::default(),
        };
        let spec = CustomSpec {
            name: self.name.value,
            regex,
            keywords: list(self.keywords),
            confidence_percent: confidence.unwrap_or(DEFAULT_CONFIDENCE_PERCENT),
            finds: list(self.finds),
            passes: list(self.passes),
        };
        let detector = problems.take(
            place(&spec, self.name.referenced, regex_at),
            CustomDetector::new(&spec),
        );
        let rule = DetectorRule {
            name: spec.name,
            regex: spec.regex,
            keywords: spec.keywords,
            confidence_percent: spec.confidence_percent,
        };
        (rule, detector.map(Arc::new))
    }
}

/// Where to point: at the pattern where there is one, else at the name.
fn place(spec: &CustomSpec, name: Location, regex: Option<Location>) -> Location {
    match regex {
        Some(at) if !spec.regex.is_empty() => at,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    fn parse(text: &str) -> Result<Config, crate::config::ConfigError> {
        Config::parse(text, Path::new("weir.yaml"))
    }

    #[test]
    fn a_rule_may_name_them() {
        let config = parse(
            "detectors:\n- {name: corp.project, regex: 'PRJ-[0-9]{4}', finds: PRJ-1234, passes: [PRJ-12]}\n\
             - {name: topic.merger, keywords: [term sheet], confidence: 70%}\n\
             policies:\n- name: a\n  content:\n  - {detect: [corp.project, 'topic.*'], action: alert}",
        );
        let config = config.unwrap();
        assert_eq!(config.detectors.rules[1].confidence_percent, 70);
        assert_eq!(config.policies[0].content[0].detect, ["corp.project", "topic.*"]);
    }

    #[test]
    fn each_mistake_has_its_place() {
        for (detectors, place, message) in [
            ("- {name: corp.a, regex: 'a*'}", "2:25", "matches the empty text"),
            ("- {name: corp.a, regex: '(a'}", "2:25", "cannot be used"),
            ("- {name: pii.a, keywords: x}", "2:10", "no name of a detector"),
            ("- {name: corp.a}", "2:10", "looks for nothing"),
            (
                "- {name: corp.a, keywords: x}\n- {name: corp.a, keywords: y}",
                "3:10",
                "another detector above",
            ),
            (
                "- {name: corp.a, keywords: x, finds: y}",
                "2:10",
                "number 1 of `finds`",
            ),
            (
                "- {name: corp.a, keywords: x, confidence: high}",
                "2:43",
                "is no share",
            ),
        ] {
            let error = parse(&format!("detectors:\n{detectors}"))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(&format!("weir.yaml:{place}")) && error.contains(message),
                "{error}"
            );
        }
    }
}
