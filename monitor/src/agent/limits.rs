//! The process's own limits.

use std::io;

/// Raises the soft limit of open files to the hard one: an intercepted connection takes two. Returns the limit in force.
///
/// # Errors
/// The system refuses even that, which POSIX does not allow it to.
#[expect(
    unsafe_code,
    reason = "getrlimit and setrlimit have no safe wrapper in the standard library"
)]
pub(super) fn raise_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live, writable `rlimit`.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is to a live `rlimit`, which the call only reads.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        assert!(super::raise_open_files().unwrap() > 0);
    }
}
