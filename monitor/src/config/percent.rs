//! Shares as they are written.

use serde_saphyr::Spanned;

use super::error::Problems;

/// A share, 1 to 100 percent.
pub(super) fn percent(spec: &Spanned<String>, problems: &mut Problems<'_>) -> Option<u8> {
    let percent = spec.value.trim().strip_suffix('%').map(str::trim_end);
    let percent = percent
        .and_then(|digits| digits.parse::<u8>().ok())
        .filter(|percent| (1..=100).contains(percent));
    if percent.is_none() {
        problems.add(
            spec.referenced,
            format_args!(
                "`{}` is no share; write `1%` to `100%`, whole numbers",
                spec.value
            ),
        );
    }
    percent
}
