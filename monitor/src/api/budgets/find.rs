//! Which account a person means: by its key, or by an unambiguous part of it.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::api::routes::Refused;

/// Most candidates named when a part of a key fits several.
const MAX_CANDIDATES: usize = 10;
/// Most near keys named when nothing fits.
const MAX_NEAR: usize = 3;

/// The one key that `part` stands for: the key itself, else the only one that begins with it, else the only one that contains it.
///
/// # Errors
/// 409 with the candidates where several fit; 404 with near keys where none does.
pub(super) fn find(part: &str, keys: &[Arc<str>]) -> Result<Arc<str>, Refused> {
    if let Some(key) = keys.iter().find(|key| &***key == part) {
        return Ok(key.clone());
    }
    for fits in [str::starts_with, |key: &str, part: &str| key.contains(part)] {
        let mut fitting: Vec<_> = keys.iter().filter(|key| fits(key, part)).collect();
        fitting.sort_unstable();
        match fitting.as_slice() {
            [] => {}
            [one] => return Ok(Arc::clone(one)),
            several => return Err(ambiguous(part, several)),
        }
    }
    Err(unknown(part, keys))
}

fn ambiguous(part: &str, fitting: &[&Arc<str>]) -> Refused {
    let shown: Vec<_> = fitting
        .iter()
        .take(MAX_CANDIDATES)
        .map(|key| key.to_string())
        .collect();
    let more = match fitting.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "`{part}` fits {} budgets: {}{more}; say which",
        fitting.len(),
        shown.join(", ")
    );
    Refused(StatusCode::CONFLICT, message)
}

/// The refusal of a key that fits nothing.
pub(super) fn unknown(part: &str, keys: &[Arc<str>]) -> Refused {
    let mut near: Vec<_> = keys
        .iter()
        .map(|key| (nearness(part, key), key))
        .filter(|(nearness, _)| *nearness >= part.chars().count().div_ceil(2).max(1))
        .collect();
    near.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let near: Vec<_> = near
        .iter()
        .take(MAX_NEAR)
        .map(|(_, key)| key.to_string())
        .collect();
    let message = match near.as_slice() {
        [] => format!(
            "no budget has the key `{part}`; `weir budget list` shows those in use, and a whole key also finds one that was \
             not used yet"
        ),
        _ => format!("no budget has the key `{part}`; near it are {}", near.join(", ")),
    };
    Refused(StatusCode::NOT_FOUND, message)
}

/// How many characters of `part`, in order and without regard to case, `key` has. Linear in both.
fn nearness(part: &str, key: &str) -> usize {
    let mut rest = key.chars().map(|c| c.to_ascii_lowercase());
    let mut found = 0;
    for wanted in part.chars().map(|c| c.to_ascii_lowercase()) {
        let mut ahead = rest.clone();
        if ahead.any(|c| c == wanted) {
            rest = ahead;
            found += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Vec<Arc<str>> {
        [
            "bots/daily/workload:/a",
            "bots/daily/workload:/b",
            "bots/monthly/all",
            "bots/monthly/all/model:gpt",
        ]
        .map(Arc::from)
        .to_vec()
    }

    #[test]
    fn a_key_goes_before_a_prefix_before_a_part() {
        let found = |part| find(part, &keys()).ok().map(|key| key.to_string());
        assert_eq!(
            found("bots/monthly/all").as_deref(),
            Some("bots/monthly/all"),
            "although it is a prefix of another"
        );
        assert_eq!(
            found("bots/monthly/all/").as_deref(),
            Some("bots/monthly/all/model:gpt")
        );
        assert_eq!(found("workload:/b").as_deref(), Some("bots/daily/workload:/b"));
        assert_eq!(found("bots/daily"), None);
    }

    #[test]
    fn several_are_named_and_so_are_near_ones() {
        let refused = |part| find(part, &keys()).unwrap_err();
        let Refused(status, said) = refused("bots/daily");
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(
            said.contains("2 budgets") && said.contains("workload:/a, bots/daily/workload:/b;"),
            "{said}"
        );
        let Refused(status, said) = refused("bots/dayly/workload:/a");
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(said.contains("near it are bots/daily/workload:/a"), "{said}");
        let Refused(_, said) = refused("zzz");
        assert!(said.contains("weir budget list"), "{said}");
        let many: Vec<Arc<str>> = (0..30).map(|n| format!("p/0/{n}").into()).collect();
        let Refused(_, said) = find("p/0/", &many).unwrap_err();
        assert!(
            said.contains("30 budgets") && said.contains("and 20 more"),
            "{said}"
        );
    }
}
