//! A wall clock for some processes: `CLOCK_REALTIME` as libfaketime gives it, an offset to the machine's read from a file. Monotonic
//! clocks and the times of files stay the machine's.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;

/// Where Debian and Ubuntu have the library, by architecture.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];

/// A wall clock that a test sets.
#[derive(Clone, Debug)]
pub(crate) struct WallClock {
    library: PathBuf,
    offset: PathBuf,
}

impl WallClock {
    /// One that shows `time` now and goes on from there; its file is in `dir`.
    pub(crate) fn new(dir: &Path, time: Timestamp) -> Result<Self> {
        let library = LIBRARIES.iter().map(PathBuf::from).find(|path| path.exists());
        let clock = Self {
            library: library.context("libfaketime is not installed")?,
            offset: dir.join("wall-clock"),
        };
        clock.set(time)?;
        Ok(clock)
    }

    /// Sets it; its processes notice within a second.
    pub(crate) fn set(&self, time: Timestamp) -> Result<()> {
        let offset = time.duration_since(Timestamp::now()).as_secs_f64();
        // Replaced whole: a process may be reading it.
        let next = self.offset.with_extension("next");
        fs::write(&next, format!("{offset:+.3}\n"))?;
        fs::rename(&next, &self.offset).context("setting the clock")
    }

    /// The seconds that it is set ahead, as the library reads them.
    pub(crate) fn offset(&self) -> String {
        fs::read_to_string(&self.offset).unwrap_or_default()
    }

    /// What a process needs in its environment.
    pub(crate) fn variables(&self) -> [(&'static str, OsString); 5] {
        [
            ("LD_PRELOAD", self.library.clone().into()),
            ("FAKETIME_TIMESTAMP_FILE", self.offset.clone().into()),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ]
    }
}
