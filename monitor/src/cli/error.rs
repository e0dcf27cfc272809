//! How a command ends.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use monitor_content::UnknownDetector;

use crate::agent::AgentError;
use crate::config::ConfigError;
use crate::kernel::KernelError;

/// Help text on exit codes; keep it with [`Exit`].
pub(super) const EXIT_CODES: &str = "Exit codes: 0 success, 1 failure (status: the agent is not ready), 2 wrong usage, \
3 the agent is not running, 4 the agent refuses this user, 5 the configuration is not valid";

/// Exit codes of `weir`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// It failed; or, of `status`, the agent is not ready.
    Failure = 1,
    /// The arguments make no sense; clap's own code.
    Usage = 2,
    /// No agent answers.
    NotRunning = 3,
    /// The agent does not answer this user.
    NotAllowed = 4,
    /// The configuration is not valid.
    InvalidConfig = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is not valid.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// Nobody listens on the socket.
    #[error(
        "no agent answers on {socket} ({source}); is it running? start it with `weir run`, or name its socket with --socket"
    )]
    NotRunning {
        /// The socket.
        socket: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// This user may not use the socket.
    #[error("this user may not ask the agent: {reason}")]
    NotAllowed {
        /// The system's or the agent's words.
        reason: String,
    },
    /// The agent answered with an error.
    #[error("the agent answered {status}: {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The agent's words.
        reason: String,
    },
    /// The agent's answer broke off or makes no sense.
    #[error("reading the agent's answer: {0}; did the agent stop, or is it of another version?")]
    Answer(String),
    /// The agent runs, and is not ready.
    #[error("the agent is not ready: {}", .0.join("; "))]
    NotReady(Vec<String>),
    /// An override without an end.
    #[error(
        "an override without an end is a change of the configuration: say --for or --until, or change the policy"
    )]
    NoEnd,
    /// Nobody said yes.
    #[error("nothing was changed: {0} Say yes, or pass --yes")]
    NotConfirmed(String),
    /// The command could not start what it needs of the system.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// The agent cannot run.
    #[error("{0}")]
    Agent(#[from] AgentError),
    /// An agent runs whose programs would be removed.
    #[error(
        "an agent is running with the programs in {pin_dir}; stop it first, or detach them from under it with --force"
    )]
    AgentAlive {
        /// `node.pin_dir`.
        pin_dir: PathBuf,
    },
    /// The pinned programs cannot be read or removed.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The self-test connection was not accepted.
    #[error("self-test: {0}")]
    SelfTest(io::Error),
    /// A pattern on the command line selects no detector.
    #[error("{0}")]
    Detector(#[from] UnknownDetector),
    /// Standard input broke off.
    #[error("cannot read the input: {0}")]
    Input(io::Error),
    /// Lines of the input were passed over; each has been told.
    #[error("{bad} of the input's lines could not be read, as told above")]
    BadLines {
        /// How many.
        bad: u64,
    },
    /// The file of cases could not be read.
    #[error("cannot read the cases in {path}: {source}")]
    Cases {
        /// The file as it was named.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The rules decide otherwise than cases expect; each has been told.
    #[error("{failed} of {cases} cases failed")]
    CasesFailed {
        /// How many.
        failed: usize,
        /// Of how many.
        cases: usize,
    },
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// The process's exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::InvalidConfig,
            Self::NoEnd | Self::Detector(_) => Exit::Usage,
            Self::NotRunning { .. } => Exit::NotRunning,
            Self::NotAllowed { .. } => Exit::NotAllowed,
            Self::Refused { .. }
            | Self::Answer(_)
            | Self::NotReady(_)
            | Self::NotConfirmed(_)
            | Self::Start(_)
            | Self::Agent(_)
            | Self::AgentAlive { .. }
            | Self::Kernel(_)
            | Self::SelfTest(_)
            | Self::Input(_)
            | Self::BadLines { .. }
            | Self::Cases { .. }
            | Self::CasesFailed { .. }
            | Self::Output(_) => Exit::Failure,
        }
    }
}
