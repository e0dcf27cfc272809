//! bpf(2) on links that are pinned: open one, ask what it is attached to, put another program into its place. aya can
//! create and pin a link but not update one.

#![expect(unsafe_code, reason = "bpf(2) is a bare system call over a union")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_link_info, bpf_link_type};

/// A link that is pinned.
#[derive(Debug)]
pub(super) struct Link {
    fd: OwnedFd,
}

/// What a link is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A cgroup: its id, 0 when it has been removed.
    Cgroup(u64),
    /// A perf event, such as a tracepoint; its link cannot be updated.
    PerfEvent,
    /// Anything else.
    Other,
}

impl Link {
    /// Opens the link pinned at `path`; `None` when nothing is there.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let mut attributes = zeroed();
        attributes.__bindgen_anon_4.pathname = path.as_ptr().addr() as u64;
        match call(bpf_cmd::BPF_OBJ_GET, &mut attributes) {
            Ok(fd) => {
                // SAFETY: a descriptor that the kernel has just made for us.
                let fd = unsafe { OwnedFd::from_raw_fd(fd) };
                Ok(Some(Self { fd }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What it is attached to.
    pub(super) fn target(&self) -> io::Result<Target> {
        // SAFETY: plain numbers, for which zero is a value.
        let mut info: bpf_link_info = unsafe { std::mem::zeroed() };
        let mut attributes = zeroed();
        attributes.info.bpf_fd = fd_number(self.fd.as_raw_fd());
        attributes.info.info_len = u32::try_from(size_of::<bpf_link_info>()).unwrap_or_default();
        attributes.info.info = (&raw mut info).addr() as u64;
        call(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attributes)?;
        Ok(if info.type_ == bpf_link_type::BPF_LINK_TYPE_CGROUP as u32 {
            // SAFETY: this member is the one of links of this type, and any bits are a number.
            Target::Cgroup(unsafe { info.__bindgen_anon_1.cgroup.cgroup_id })
        } else if info.type_ == bpf_link_type::BPF_LINK_TYPE_PERF_EVENT as u32 {
            Target::PerfEvent
        } else {
            Target::Other
        })
    }

    /// Runs `program` from now on instead of the one before, without a moment in which neither runs. The kernel answers
    /// `ENOLINK` when the cgroup is gone.
    pub(super) fn update(&self, program: BorrowedFd<'_>) -> io::Result<()> {
        let mut attributes = zeroed();
        attributes.link_update.link_fd = fd_number(self.fd.as_raw_fd());
        attributes.link_update.__bindgen_anon_1.new_prog_fd = fd_number(program.as_raw_fd());
        call(bpf_cmd::BPF_LINK_UPDATE, &mut attributes).map(drop)
    }

    /// Detaches the program at once; removing the pin alone lets the kernel do so some time later. Kinds of links that cannot
    /// be detached so are left to that.
    pub(super) fn detach(&self) -> io::Result<()> {
        let mut attributes = zeroed();
        attributes.link_detach.link_fd = fd_number(self.fd.as_raw_fd());
        match call(bpf_cmd::BPF_LINK_DETACH, &mut attributes) {
            Err(error) if error.raw_os_error() != Some(libc::EOPNOTSUPP) => Err(error),
            _ => Ok(()),
        }
    }
}

fn fd_number(fd: i32) -> u32 {
    // An open descriptor is never negative.
    u32::try_from(fd).unwrap_or(u32::MAX)
}

fn zeroed() -> bpf_attr {
    // SAFETY: plain numbers, for which zero is a value.
    unsafe { std::mem::zeroed() }
}

fn call(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<i32> {
    // SAFETY: attributes of the size given; what they point to outlives the call in each caller.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_long,
            std::ptr::from_mut(attributes),
            size_of::<bpf_attr>(),
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(answer).map_err(io::Error::other)
}
