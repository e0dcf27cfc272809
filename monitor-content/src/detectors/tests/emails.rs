use super::*;

const EMAIL: &str = "pii.email";

#[test]
fn addresses() {
    for address in [
        "anna@example.org",
        "first.last+tag@mail.example.co.uk",
        "a_b%c-d@x-y.io",
        "1@2.museum",
        "_@x.de",
        "user@xn--bcher-kva.example",
        "user@example.xn--p1ai",
        "ops@team.internal",
    ] {
        finds(EMAIL, address, address);
        for (before, after) in [
            ("<", ">"),
            ("mailto:", "?x=1"),
            ("(", ")."),
            ("schreib an ", "!"),
            ("\"", "\","),
            ("「", "」"),
            ("..", "..."),
            ("--", ", "),
            ("user=", "&a=b"),
            ("", "'s"),
        ] {
            finds(EMAIL, &format!("{before}{address}{after}"), address);
        }
    }
    finds(EMAIL, "a@b.example.", "a@b.example");
    finds(EMAIL, "a@b.com-and more", "a@b.com");
    finds(EMAIL, "a@b.com.", "a@b.com");
    finds(EMAIL, "a@b.org.x1", "a@b.org");
}

#[test]
fn not_addresses() {
    for text in [
        "@example.org",
        "a@",
        "a@b",
        "a @ b.org",
        "lodash@4.17.21",
        "npm i react@18.2.0",
        "@app.route('/x')",
        "logo@2x.png",
        "jquery@3.6.0.min.js",
        "git@github.com:rust-lang/rust.git",
        "a@.org",
        "a@-b.org",
        "a@b..org",
        "a@b.c",
        "..@b.org",
        "image@sha256:0011",
        "user@host",
    ] {
        passes(EMAIL, text);
    }
}

#[test]
fn padding_hides_nothing() {
    let text = format!("{}bob@example.org", "x".repeat(300));
    assert_eq!(found(&[EMAIL], &text).len(), 1);
    let text = format!("{}bob@example.org", ".".repeat(300));
    finds(EMAIL, &text, "bob@example.org");
    let text = format!("bob@example.org.{}", "x1".repeat(300));
    finds(EMAIL, &text, "bob@example.org");
}
