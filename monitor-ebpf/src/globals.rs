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

/// Where `sched:sched_process_exit` says that the process's last thread ends; 0 on kernels that do not say.
#[unsafe(no_mangle)]
pub(crate) static EXIT_GROUP_DEAD_AT: Global<u32> = Global::new(0);
