//! The names of users.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

/// The users of the host's own file. Others (a directory service, a container's file) have no name here.
#[derive(Debug)]
pub(super) struct Users {
    path: PathBuf,
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    modified: Option<SystemTime>,
    names: Arc<HashMap<u32, String>>,
}

impl Users {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: Mutex::default(),
        }
    }

    /// The name of a user. The file is read again when it has changed.
    pub(super) fn name(&self, uid: u32) -> Option<String> {
        let modified = fs::metadata(&self.path).and_then(|found| found.modified()).ok();
        let mut read = self.read.lock();
        if read.modified != modified {
            let text = fs::read_to_string(&self.path).unwrap_or_default();
            *read = Read {
                modified,
                names: Arc::new(parse(&text)),
            };
        }
        read.names.get(&uid).cloned()
    }
}

/// Lines of `name:password:uid:…` (passwd(5)). Of several names for a user the first counts, as for `getpwuid`.
fn parse(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok())) {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        let users = Users::new(path.clone());
        assert_eq!(users.name(0), None);
        fs::write(
            &path,
            "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbroken\nbilling:x:1001:1001::/:/x\n",
        )
        .unwrap();
        assert_eq!(users.name(0).as_deref(), Some("root"));
        assert_eq!(users.name(1001).as_deref(), Some("billing"));
        assert_eq!(users.name(7), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(users.name(0), None);
    }
}
