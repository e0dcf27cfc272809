//! Fits the weights by which o200k's tokens are turned into estimates of other models' counts, and prints how far the
//! weights that are built in are off. Reads what `estimates/tokens.mjs` prints; `cargo xtask measure-tokens` runs both.
//!
//! Every other piece of each kind of text is fitted on; the errors are of the other half.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::collections::BTreeMap;
use std::io::stdin;

use monitor_content::{Encoding, Vocabulary};
use serde::Deserialize;

/// Rounds of coordinate descent; the fit moves no more after some hundred.
const ROUNDS: usize = 2_000;
/// How strongly a class of which there is little text is held at one token for one.
const RIDGE: f64 = 0.02;

#[derive(Deserialize)]
struct Piece {
    kind: String,
    text: String,
    tokens: BTreeMap<String, u64>,
}

struct Row {
    counts: Vec<f64>,
    tokens: f64,
}

fn main() -> Result<(), serde_json::Error> {
    let pieces: Vec<Piece> = stdin()
        .lines()
        .map_while(Result::ok)
        .map(|line| serde_json::from_str(&line))
        .collect::<Result<_, _>>()?;
    let families: Vec<String> = pieces
        .first()
        .map_or_else(Vec::new, |piece| piece.tokens.keys().cloned().collect());
    for family in families {
        let fitted: Vec<Row> = pieces
            .iter()
            .step_by(2)
            .map(|piece| row(piece, &family))
            .collect();
        let weights: Vec<String> = fit(&fitted)
            .iter()
            .map(|weight| format!("{:.0}", weight * 1000.0))
            .collect();
        println!("{family}: weights [{}]", weights.join(", "));
        let mut errors: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for piece in pieces.iter().skip(1).step_by(2) {
            let told = piece.tokens.get(&family).copied().unwrap_or_default() as f64;
            let counted = Encoding::for_model(&family).count(&piece.text) as f64;
            errors.entry(&piece.kind).or_default().push(counted / told - 1.0);
        }
        for (kind, errors) in &errors {
            let mean = errors.iter().sum::<f64>() / errors.len() as f64;
            let worst = errors
                .iter()
                .copied()
                .fold(0.0, |worst: f64, error| worst.max(error.abs()));
            println!(
                "  {kind:<20} mean {:>6.1} %   worst {:>5.1} %",
                mean * 100.0,
                worst * 100.0
            );
        }
    }
    Ok(())
}

fn row(piece: &Piece, family: &str) -> Row {
    let counts = Vocabulary::O200kBase.tally(&piece.text).counts();
    Row {
        counts: counts.iter().map(|count| *count as f64).collect(),
        tokens: piece.tokens.get(family).copied().unwrap_or_default() as f64,
    }
}

/// Weights that are not negative, with the least sum of squared relative errors.
fn fit(rows: &[Row]) -> Vec<f64> {
    let classes = rows.first().map_or(0, |row| row.counts.len());
    let mut weights = vec![1.0; classes];
    for _ in 0..ROUNDS {
        for class in 0..classes {
            let (mut above, mut below) = (RIDGE, RIDGE);
            for row in rows {
                let share = row.counts[class] / row.tokens;
                let others: f64 = row
                    .counts
                    .iter()
                    .zip(&weights)
                    .enumerate()
                    .filter(|(other, _)| *other != class)
                    .map(|(_, (count, weight))| count * weight)
                    .sum();
                above += share * (1.0 - others / row.tokens);
                below += share * share;
            }
            weights[class] = (above / below).max(0.0);
        }
    }
    weights
}
