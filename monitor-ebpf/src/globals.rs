//! Values the agent sets when it loads the programs.

use aya_ebpf::Global;

/// Where `sched:sched_process_exec` has its `__data_loc` of the file name.
#[unsafe(no_mangle)]
pub(crate) static EXEC_FILENAME_AT: Global<u32> = Global::new(8);

/// Where `task:task_newtask` has the new thread's id.
#[unsafe(no_mangle)]
pub(crate) static NEWTASK_PID_AT: Global<u32> = Global::new(8);

/// Where `task:task_newtask` has the clone flags.
#[unsafe(no_mangle)]
pub(crate) static NEWTASK_FLAGS_AT: Global<u32> = Global::new(32);

/// Where `cgroup:cgroup_mkdir` and `cgroup:cgroup_rmdir` have the hierarchy's id.
#[unsafe(no_mangle)]
pub(crate) static CGROUP_ROOT_AT: Global<u32> = Global::new(8);

/// Where they have the cgroup's level.
#[unsafe(no_mangle)]
pub(crate) static CGROUP_LEVEL_AT: Global<u32> = Global::new(12);

/// Where they have the cgroup's id.
#[unsafe(no_mangle)]
pub(crate) static CGROUP_ID_AT: Global<u32> = Global::new(16);

/// Where they have the `__data_loc` of the cgroup's path.
#[unsafe(no_mangle)]
pub(crate) static CGROUP_PATH_AT: Global<u32> = Global::new(24);

/// Where `sched:sched_process_exit` says that the process's last thread ends; 0 on kernels that do not say.
#[unsafe(no_mangle)]
pub(crate) static EXIT_GROUP_DEAD_AT: Global<u32> = Global::new(0);
