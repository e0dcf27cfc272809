use super::*;

#[test]
fn a_monitor_is_not_its_container() {
    let id = "a".repeat(64);
    for name in ["crio-conmon", "libpod-conmon"] {
        let path = format!("/machine.slice/{name}-{id}.scope");
        assert_eq!(read_path(&path).container, None);
    }
}
