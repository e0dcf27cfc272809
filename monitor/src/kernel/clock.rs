//! The clock the programs stamp their records with.

#![expect(unsafe_code, reason = "the standard library has no CLOCK_BOOTTIME")]

/// Nanoseconds of `CLOCK_BOOTTIME`, which goes on while the machine sleeps and which `/proc/PID/stat` counts in too.
#[must_use]
pub fn boottime_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a value of ours. The call cannot fail with a clock every supported kernel has.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
