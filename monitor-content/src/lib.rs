//! Detectors, redaction, the streaming window, token counting.
