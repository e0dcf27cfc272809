use super::*;

#[test]
fn a_monitor_is_not_its_container() {
    let id = "a".repeat(64);
    for name in ["crio-conmon", "libpod-conmon"] {
        let path = format!("/machine.slice/{name}-{id}.scope");
        assert_eq!(read_path(&path).container, None);
    }
}

#[test]
fn a_users_manager_is_told_from_other_units() {
    assert!(is_users_manager("user@1000.service"));
    assert!(is_users_manager("user@1000.service/app.service"));
    assert!(!is_users_manager("user-runtime-dir@1000.service"));
    assert!(!is_users_manager("a.service/user@1000.service"));
}
