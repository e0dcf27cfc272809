//! The lab: stand-in providers, namespaces and workloads on the real kernel.
