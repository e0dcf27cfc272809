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

#[test]
fn the_principal_is_what_others_have_named() {
    let id = "a".repeat(64);
    let cases = [
        ("/", "/"),
        ("/lab/a", "/lab/a"),
        ("/system.slice/bot.service", "/system.slice/bot.service"),
        ("/system.slice/bot.service/escape/1", "/system.slice/bot.service"),
        (
            "/user.slice/user-1.slice/user@1.service/app.slice/a.scope",
            "/user.slice/user-1.slice/user@1.service",
        ),
        (
            &format!("/user.slice/user-1.slice/user@1.service/docker/{id}"),
            "/user.slice/user-1.slice/user@1.service",
        ),
        (&format!("/docker/{id}/own"), &format!("/docker/{id}")),
        (
            &format!("/machine.slice/libpod-{id}.scope/container"),
            &format!("/machine.slice/libpod-{id}.scope"),
        ),
        (
            "/kubepods/pod0123456789abcdef0123456789abcdef/x",
            "/kubepods/pod0123456789abcdef0123456789abcdef",
        ),
        (
            &format!("/kubepods/pod0123456789abcdef0123456789abcdef/{id}/{id}"),
            &format!("/kubepods/pod0123456789abcdef0123456789abcdef/{id}"),
        ),
    ];
    for (path, principal) in cases {
        assert_eq!(read_path(path).principal, principal);
    }
}
