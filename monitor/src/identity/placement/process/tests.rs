use super::*;

#[test]
fn the_unified_line_is_found_among_others() {
    let lines = "12:pids:/a\n1:name=systemd:/b\n0::/c\n";
    assert_eq!(unified(lines), Some("/c"));
    assert!(is_hybrid(lines));
    assert!(!is_hybrid("0::/c\n"));
}
