//! LLM wire protocols: recognise, read, edit, refuse, usage.
