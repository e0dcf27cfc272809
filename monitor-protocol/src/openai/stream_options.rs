//! `stream_options`: asking for the usage chunk of a stream.

use std::ops::Range;

use crate::{Edit, JsonError, Request, json::Reader};

/// Where `stream_options.include_usage` can be set. Of duplicated keys the last one counts.
pub(super) enum Asked {
    /// There are no options.
    Nowhere,
    /// It is set, to something other than `true`.
    No(Range<usize>),
    /// The options are an empty object that begins before this offset.
    InEmpty(usize),
    /// The options are an object with members.
    InObject(usize),
    /// The options are no object (`null`).
    NoObject(Range<usize>),
}

impl Asked {
    /// Reads the options.
    pub(super) fn read(reader: &mut Reader<'_>, request: &mut Request<'_>) -> Result<Self, JsonError> {
        request.include_usage = false;
        let start = reader.position()?;
        let mut asked = Self::InEmpty(start + 1);
        let is_object = reader.object(|reader, key| {
            if key.text() == "include_usage" {
                let value = reader.position()?;
                request.include_usage = reader.is_true()?;
                asked = Self::No(value..reader.offset());
                return Ok(());
            }
            if let Self::InEmpty(at) = asked {
                asked = Self::InObject(at);
            }
            reader.skip().map(drop)
        })?;
        Ok(if is_object {
            asked
        } else {
            Self::NoObject(start..reader.offset())
        })
    }

    /// Writes the edit that asks, where the request does not.
    pub(super) fn ask(self, request: &mut Request<'_>) {
        if !request.stream || request.include_usage {
            return;
        }
        request.ask_usage = Some(match self {
            Self::Nowhere => Edit::json(
                request.insert_at..request.insert_at,
                "\"stream_options\":{\"include_usage\":true},",
            ),
            Self::No(value) => Edit::json(value, "true"),
            Self::InEmpty(at) => Edit::json(at..at, "\"include_usage\":true"),
            Self::InObject(at) => Edit::json(at..at, "\"include_usage\":true,"),
            Self::NoObject(value) => Edit::json(value, "{\"include_usage\":true}"),
        });
    }
}
