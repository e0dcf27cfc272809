//! Which keys and words of free-form JSON are text, and which belong to its shape.

/// Schemas are full of fixed words (`"type": "object"`, Gemini's `"OBJECT"`); they are not text.
pub(super) fn is_fixed_word(word: &str) -> bool {
    matches!(
        word,
        "array"
            | "boolean"
            | "content"
            | "custom"
            | "function"
            | "grammar"
            | "integer"
            | "json_object"
            | "json_schema"
            | "lark"
            | "null"
            | "number"
            | "object"
            | "regex"
            | "string"
            | "text"
            | "ARRAY"
            | "BOOLEAN"
            | "INTEGER"
            | "NULL"
            | "NUMBER"
            | "OBJECT"
            | "STRING"
    )
}

/// What a key inside a free-form value is to the model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    /// A word chosen by the workload: listed like a value.
    Text,
    /// A word of the shape: not listed, its value is walked.
    Shape,
    /// Its value is no text.
    Skip,
}

pub(crate) type KeyRule = fn(&str) -> KeyUse;

/// The rule for JSON Schema: keywords are shape, property names are text.
pub(crate) fn schema_key(key: &str) -> KeyUse {
    match key {
        "type"
        | "function"
        | "custom"
        | "name"
        | "description"
        | "parameters"
        | "input_schema"
        | "properties"
        | "required"
        | "items"
        | "enum"
        | "const"
        | "default"
        | "examples"
        | "title"
        | "format"
        | "anyOf"
        | "oneOf"
        | "allOf"
        | "not"
        | "$ref"
        | "$defs"
        | "definitions"
        | "additionalProperties"
        | "strict"
        | "minimum"
        | "maximum"
        | "minLength"
        | "maxLength"
        | "minItems"
        | "maxItems"
        | "pattern"
        | "$schema"
        | "json_schema"
        | "schema"
        | "grammar"
        | "definition"
        | "syntax"
        | "input_examples" => KeyUse::Shape,
        "cache_control" => KeyUse::Skip,
        _ => KeyUse::Text,
    }
}

/// The rule for free-form JSON: every key is text.
pub(crate) fn any_key(_: &str) -> KeyUse {
    KeyUse::Text
}

/// The rule for values of a shape that is not known here.
pub(crate) fn unknown_key(key: &str) -> KeyUse {
    match key {
        "cache_control" | "prompt_cache_breakpoint" => KeyUse::Skip,
        _ => KeyUse::Shape,
    }
}
