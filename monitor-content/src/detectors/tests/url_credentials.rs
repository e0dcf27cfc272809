use super::*;

const URL: &str = "pii.url_credentials";

#[test]
fn users_with_passwords() {
    for (text, expected) in [
        ("https://anna:hunter2@example.org/x", "anna:hunter2"),
        ("see postgres://app:p%40ss@db.internal:5432/app.", "app:p%40ss"),
        ("redis://:s3cr3t@10.0.0.5:6379", ":s3cr3t"),
        (
            "\"mongodb+srv://u:Pa55!word@cluster0.mongodb.net/\"",
            "u:Pa55!word",
        ),
        ("amqp://guest:guest@localhost", "guest:guest"),
        ("https://x:12345@[2001:db8::1]/", "x:12345"),
        ("ftp://a:b@h", "a:b"),
    ] {
        // Alone: a database's whole address is a connection string, which comes first.
        assert_eq!(found(&[URL], text), [(URL, expected.to_owned())]);
        passes("pii.email", text);
    }
}

#[test]
fn not_credentials() {
    for text in [
        "https://example.org:8080/@user",
        "https://example.org/a:b@c",
        "https://example.org?mail=a:b@example.org",
        "https://example.org:80?mail=a@example.org",
        "ssh://git@github.com/a/b",
        "https://user:password@example.org",
        "https://user:****@example.org",
        "https://${USER}:${PASSWORD}@example.org",
        "https://user:$PASSWORD@example.org",
        "https://user:<password>@example.org",
        "https://user:@example.org",
        "://user:pass1@example.org",
        "https://user:pass word@example.org",
        "scheme://user:hunter2",
        "a:b@example.org",
    ] {
        passes(URL, text);
    }
}
