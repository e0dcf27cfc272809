//! Columns.

use std::io::Write;

use comfy_table::presets;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde_json::Value;

use super::CliError;
use super::format::ListFormat;

/// How a single thing is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DocumentFormat {
    /// A line for each part
    #[default]
    Text,
    /// The agent's answer, as JSON
    Json,
    /// The agent's answer, as YAML
    Yaml,
}

/// One column: its heading, which side it is aligned to, and what it shows of a record.
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) right: bool,
    pub(super) wide: bool,
    pub(super) cell: fn(&Value) -> String,
}

/// A column of text.
pub(super) const fn left(heading: &'static str, cell: fn(&Value) -> String) -> Column {
    Column {
        heading,
        right: false,
        wide: false,
        cell,
    }
}

/// A column of numbers.
pub(super) const fn right(heading: &'static str, cell: fn(&Value) -> String) -> Column {
    Column {
        heading,
        right: true,
        wide: false,
        cell,
    }
}

/// A column of text that only the wide table has.
pub(super) const fn wide(heading: &'static str, cell: fn(&Value) -> String) -> Column {
    Column {
        heading,
        right: false,
        wide: true,
        cell,
    }
}

/// A column of numbers that only the wide table has.
pub(super) const fn wide_right(heading: &'static str, cell: fn(&Value) -> String) -> Column {
    Column {
        heading,
        right: true,
        wide: true,
        cell,
    }
}

/// Writes a list: as a table of `columns`, as the `answer` it came in, or as its names.
pub(super) fn write(
    out: &mut impl Write,
    format: ListFormat,
    answer: &Value,
    records: &[Value],
    columns: &[Column],
    name: fn(&Value) -> String,
) -> Result<(), CliError> {
    match format {
        ListFormat::Json => writeln!(out, "{answer:#}")?,
        ListFormat::Yaml => write_yaml(out, answer)?,
        ListFormat::Name => {
            for record in records {
                writeln!(out, "{}", name(record))?;
            }
        }
        ListFormat::Table | ListFormat::Wide => {
            let shown = |column: &&Column| format == ListFormat::Wide || !column.wide;
            let columns: Vec<&Column> = columns.iter().filter(shown).collect();
            let mut table = Table::new();
            table
                .load_style(presets::NOTHING)
                .set_content_arrangement(ContentArrangement::Disabled);
            table.set_header(columns.iter().map(|column| column.heading));
            for record in records {
                table.add_row(columns.iter().map(|column| (column.cell)(record)));
            }
            for (index, column) in columns.iter().enumerate() {
                if let Some(found) = table.column_mut(index) {
                    found.set_padding((0, 2));
                    if column.right {
                        found.set_cell_alignment(CellAlignment::Right);
                    }
                }
            }
            for line in table.lines() {
                writeln!(out, "{}", line.trim_end())?;
            }
        }
    }
    Ok(())
}

/// Writes a single thing: as `text` has it, or as the `answer` it came in.
pub(super) fn write_document<W: Write>(
    out: &mut W,
    format: DocumentFormat,
    answer: &Value,
    text: impl FnOnce(&mut W) -> Result<(), CliError>,
) -> Result<(), CliError> {
    match format {
        DocumentFormat::Text => text(out)?,
        DocumentFormat::Json => writeln!(out, "{answer:#}")?,
        DocumentFormat::Yaml => write_yaml(out, answer)?,
    }
    Ok(())
}

fn write_yaml(out: &mut impl Write, answer: &Value) -> Result<(), CliError> {
    let yaml = serde_saphyr::to_string(answer).map_err(|error| CliError::Answer(error.to_string()))?;
    Ok(writeln!(out, "{}", yaml.trim_end())?)
}
