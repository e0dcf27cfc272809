//! Folds texts as the agent reads them, for `training/train.py`: a JSON string a line comes in on standard input; a JSON
//! array a line goes out, of the folded text and, where letters were spaced out, of the text with them put together.

use std::io::{BufRead, Write};

use monitor_content::Folded;

fn main() -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let folded = Folded::of(&text);
        let joined = folded.joined();
        let mut forms = vec![folded.text()];
        forms.extend(joined.as_ref().map(|joined| joined.text()));
        serde_json::to_writer(&mut out, &forms)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
