//! Trust on both sides of an intercepted connection: the node CA that workloads are given, the leaf certificates
//! minted under it, and the roots against which upstreams are verified.

mod authority;
mod leaves;
mod upstream;

pub use authority::Authority;
pub use leaves::Leaves;
pub use upstream::Upstreams;

use std::path::PathBuf;

/// What can go wrong with certificates and keys of the node.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file of the CA could not be read or written.
    #[error(
        "node CA: cannot {action} {path}: {source}; check that the directory exists and belongs to the agent"
    )]
    File {
        /// What was tried: "read", "write", "create".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The CA on disk is not a usable certificate and key.
    #[error(
        "node CA: {path} is not usable: {reason}; restore it from a backup, or remove both CA files to have a new CA made (workloads must then be given the new one)"
    )]
    Unusable {
        /// The file at fault.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// Only one of the CA's two files exists.
    #[error(
        "node CA: {present} exists but {missing} does not; restore the missing file, or remove both to have a new CA made (workloads must then be given the new one)"
    )]
    Half {
        /// The file that is there.
        present: PathBuf,
        /// The file that is not.
        missing: PathBuf,
    },
    /// A leaf certificate could not be made for a name.
    #[error("cannot mint a certificate for {name}: {reason}")]
    Mint {
        /// The server name asked for.
        name: String,
        /// What the library said.
        reason: String,
    },
    /// A configured root file holds no usable certificate.
    #[error("upstream CA file {path}: {reason}; it must hold one or more PEM certificates")]
    Roots {
        /// The configured file.
        path: PathBuf,
        /// What was wrong with it.
        reason: String,
    },
    /// Neither the system nor the configuration gives any root.
    #[error(
        "no root certificates: the system's store gave none ({reason}) and intercept.upstream_ca names none; install ca-certificates"
    )]
    NoRoots {
        /// What the system's store said.
        reason: String,
    },
    /// rustls refused the parameters.
    #[error("TLS set-up: {0}")]
    Tls(#[from] rustls::Error),
}
