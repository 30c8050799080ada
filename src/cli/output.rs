//! The one door to the screen: data on the standard output, messages on the standard error. A reader that went away
//! (`liaison history | head`) ends the command quietly.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the door")]

use std::fmt::Display;
use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::process::ExitCode;

use serde_json::Value as Json;

use super::exit::{self, Exit};

/// What a command has to say.
#[derive(Debug, Clone)]
pub struct Answer {
    /// For the person.
    pub page: Page,
    /// The same for programs.
    pub json: Json,
    /// What to do next; beside the data.
    pub notes: Vec<String>,
    pub exit: Exit,
}

impl Answer {
    pub fn new(page: Page, json: Json) -> Self {
        Self { page, json, notes: Vec::new(), exit: Exit::Done }
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

/// What a line may take.
const COLUMNS: usize = 80;

/// Text that grows line by line.
#[derive(Debug, Clone, Default)]
pub struct Page(String);

impl Page {
    pub fn line(&mut self, text: impl Display) {
        // White space at the end of a line is nobody's wish.
        self.0.push_str(text.to_string().trim_end());
        self.0.push('\n');
    }

    /// A paragraph of lines that fit a terminal of 80 columns, broken at blanks: the first begins with `mark`, the others stand
    /// below its text. A word that is longer stays whole.
    pub fn wrapped(&mut self, mark: &str, text: &str) {
        let below = " ".repeat(width(mark));
        let mut line = mark.to_owned();
        let mut is_empty = true;
        for word in text.split_whitespace() {
            if !is_empty && width(&line) + 1 + width(word) > COLUMNS {
                self.line(&line);
                line.clone_from(&below);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.line(line);
    }

    /// An empty line, unless it would be the first.
    pub fn gap(&mut self) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
    }

    /// Rows in columns as wide as they need: the first column left, the others as told (`<` or `>`, one sign a column).
    pub fn table(&mut self, align: &str, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|column| rows.iter().filter_map(|row| Some(width(row.get(column)?))).max())
            .map(Option::unwrap_or_default)
            .collect();
        for row in rows {
            let mut line = String::new();
            for ((cell, wide), side) in row.iter().zip(&widths).zip(align.chars()) {
                let blanks = " ".repeat(wide - width(cell));
                let (before, after) = if side == '>' { (&*blanks, "") } else { ("", &*blanks) };
                line.push_str(before);
                line.push_str(cell);
                line.push_str(after);
                line.push_str("  ");
            }
            self.line(line);
        }
    }

    /// The same in lines that fit a terminal of 80 columns; what goes on stands below its line.
    #[must_use]
    pub fn fitted(&self) -> Self {
        let mut fitted = Self::default();
        for line in self.0.lines() {
            if width(line) <= COLUMNS {
                fitted.line(line);
                continue;
            }
            let text = line.trim_start();
            let blanks = " ".repeat(width(line) - width(text));
            fitted.wrapped(&blanks, text);
        }
        fitted
    }

    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text in at most so many characters, on one line: control characters become blanks.
pub fn short(text: &str, limit: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let start: String = chars.by_ref().take(limit).collect();
    match chars.next() {
        None => start,
        Some(_) => start.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// `1 item`, `2 items`.
pub fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// Prints what a command answered, or why it could not.
pub fn finish(answer: anyhow::Result<Answer>, json: bool) -> ExitCode {
    let exit = match answer {
        Ok(answer) => match show(&answer, json) {
            Ok(()) => answer.exit,
            Err(error) => unprinted(&error),
        },
        Err(error) => match error.downcast_ref::<io::Error>() {
            Some(lost) if lost.kind() == ErrorKind::BrokenPipe => Exit::Done,
            _ => {
                complain(&error);
                Exit::of_error(&error)
            }
        },
    };
    ExitCode::from(exit.code())
}

/// Prints what the parser of the arguments has to say: help and version as data, anything else as a message.
pub fn usage(refused: &clap::Error) -> ExitCode {
    let exit = if refused.use_stderr() { Exit::Usage } else { Exit::Done };
    match refused.print() {
        Ok(()) => ExitCode::from(exit.code()),
        Err(error) => ExitCode::from(unprinted(&error).code()),
    }
}

/// Prints at once: for what takes its time to tell.
///
/// # Errors
/// When the reader went away.
pub fn tell(page: &Page) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(page.0.as_bytes())?;
    out.flush()
}

/// Shows what it is about and asks; `false` where nobody is there to answer, or a program reads.
///
/// # Errors
/// When the answer cannot be read.
pub fn ask(about: &Page, question: &str, json: bool) -> io::Result<bool> {
    if json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    let mut err = io::stderr().lock();
    write!(err, "{}{question} [y/N] ", about.0)?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().take(ANSWER_MAX).read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Longer than any answer to a question.
const ANSWER_MAX: u64 = 100;

/// A message on the standard error. Without anybody to read it, there is nobody to tell so.
pub fn note(text: impl Display) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

fn show(answer: &Answer, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json && !answer.json.is_null() {
        serde_json::to_writer_pretty(&mut out, &answer.json)?;
        out.write_all(b"\n")?;
    } else {
        out.write_all(answer.page.0.as_bytes())?;
    }
    out.flush()?;
    for text in &answer.notes {
        note(text);
    }
    Ok(())
}

/// The sentence, and the next step.
fn complain(error: &anyhow::Error) {
    note(format!("liaison: {}", sentence(error)));
    note(format!(
        "  → {}",
        exit::hint(error).unwrap_or_else(|| "run it again with -v to see more".to_owned())
    ));
}

/// What is wrong, and its causes.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        // Some causes are told by what they caused already.
        if !said.iter().any(|before| before.contains(&cause)) {
            said.push(cause);
        }
    }
    said.join(": ")
}

fn unprinted(error: &io::Error) -> Exit {
    if error.kind() == ErrorKind::BrokenPipe {
        return Exit::Done;
    }
    note(format!("liaison: the answer cannot be printed: {error}"));
    Exit::Failed
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let mut page = Page::default();
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        page.table("<><", &[row(["class", "n", "x"]), row(["ä", "100", ""])]);
        assert_eq!(page.as_str(), "class    n  x\nä      100\n");
    }

    #[test]
    fn a_paragraph_breaks_at_blanks_and_stands_below_its_mark() {
        let mut page = Page::default();
        page.wrapped("  ✓ ", &format!("{} b", "a".repeat(74)));
        page.wrapped("→ ", &format!("x {} y\n z", "w".repeat(90)));
        page.wrapped("- ", "");
        let expected = format!("  ✓ {} b\n→ x\n  {}\n  y z\n-\n", "a".repeat(74), "w".repeat(90));
        assert_eq!(page.as_str(), expected);
    }

    #[test]
    fn only_lines_that_are_too_long_are_broken() {
        let mut page = Page::default();
        page.line("a   b");
        page.line(format!("  {} c", "a".repeat(78)));
        let expected = format!("a   b\n  {}\n  c\n", "a".repeat(78));
        assert_eq!(page.fitted().as_str(), expected);
    }

    #[test]
    fn a_short_text_is_one_line() {
        assert_eq!(short("a\nb", 5), "a b");
        assert_eq!(short("äöüß", 4), "äöüß");
        assert_eq!(short("äöüßx", 4), "äöü…");
        assert_eq!((count(1, "item"), count(0, "item")), ("1 item".into(), "0 items".into()));
    }
}
