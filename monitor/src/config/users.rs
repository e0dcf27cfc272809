//! User names in the configuration.

use serde::Serialize;

/// A user's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Uid(pub u32);

/// The number of a user who is given by name or by number, from the text of `/etc/passwd`.
pub(super) fn uid(user: &str, passwd: &str) -> Option<Uid> {
    if let Ok(number) = user.parse() {
        return Some(Uid(number));
    }
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == user).then(|| fields.nth(1)?.parse().ok().map(Uid))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_and_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nops:x:1001:1001::/:/bin/false\n";
        assert_eq!(uid("root", passwd), Some(Uid(0)));
        assert_eq!(uid("ops", passwd), Some(Uid(1001)));
        assert_eq!(uid("65534", passwd), Some(Uid(65534)));
        assert_eq!(uid("broken", passwd), None);
        assert_eq!(uid("nobody-here", passwd), None);
        assert_eq!(uid("-1", passwd), None);
    }
}
