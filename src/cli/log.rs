//! `liaison log`: what the service wrote down, and what it is writing. The parts of the log are read in their order; when one
//! ends and the next one is there, reading goes on in that.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value as Json, json};

use super::logging::{self, file};
use super::output::{self, Answer, Page};
use super::{Exit, Installation, Stop};

/// How many entries are shown when nothing is said.
const LINES: usize = 100;

/// How long after new entries are looked for, of those who wait for them.
const PAUSE: Duration = Duration::from_millis(250);

/// Longer lines are taken for several, in bytes.
const LINE_MAX: u64 = 256 * 1024;

/// How many characters of an entry are shown.
const SHOWN: usize = 4096;

/// Show what the service wrote into its log
///
/// The log has no content of yours in it: neither names, subjects nor addresses, unless it was asked for details (`-vv`, or
/// `LIAISON_LOG=debug`).
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison log -n 20        the last 20 entries\n  liaison log -f           go on with what comes\n  liaison log --since 2h   or 2026-11-22, '2026-11-22 08:00'"
)]
pub struct Log {
    /// Wait for new entries, and show them as they come
    #[arg(short, long)]
    follow: bool,
    /// Only entries since then: a duration like 30m, 2h or 3d, or a date and time
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only the last entries (else 100, or all with --since)
    #[arg(short = 'n', long, value_name = "NUMBER")]
    lines: Option<usize>,
}

impl Log {
    /// # Errors
    /// When the log cannot be read, or there is none.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let since = self.since.as_deref().map(|text| moment(text, here.clock.now())).transpose()?;
        let folder = logging::folder(here);
        let mut reader = Reader::new(folder.clone());
        let last = self.lines.unwrap_or(if since.is_some() { usize::MAX } else { LINES });
        let entries = reader
            .last(since, last)
            .with_context(|| format!("the log in {} cannot be read", folder.display()))?;
        if self.follow {
            return follow(reader, entries, here.json).await;
        }
        if reader.at.is_none() {
            let hint = "the service writes it: `liaison service status`";
            return Err(Stop::new(Exit::Failed, "there is no log yet", hint).into());
        }
        let mut page = Page::default();
        for entry in &entries {
            page.line(entry.text());
        }
        let entries: Vec<Json> = entries.into_iter().map(Entry::json).collect();
        Ok(Answer::new(page, json!({ "version": 1, "entries": entries })))
    }
}

/// Shows what there is and what comes, until the reader goes away.
async fn follow(mut reader: Reader, mut entries: Vec<Entry>, json: bool) -> anyhow::Result<Answer> {
    loop {
        let mut page = Page::default();
        for entry in entries {
            page.line(if json { entry.json().to_string() } else { entry.text() });
        }
        output::tell(&page)?;
        tokio::time::sleep(PAUSE).await;
        entries = reader.more()?;
    }
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    Line(Json),
    /// What a crash or a full disk left of a line.
    Broken(String),
}

impl Entry {
    fn of(line: &str) -> Self {
        match serde_json::from_str(line) {
            Ok(json @ Json::Object(_)) => Self::Line(json),
            Ok(_) | Err(_) => Self::Broken(line.to_owned()),
        }
    }

    /// When it was written.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Line(json) => json.get("timestamp")?.as_str()?.parse().ok(),
            Self::Broken(_) => None,
        }
    }

    /// For the person, on one line: when, how grave, where, what.
    fn text(&self) -> String {
        let json = match self {
            Self::Line(json) => json,
            Self::Broken(text) => return output::short(text, SHOWN),
        };
        let at = self.at().map_or_else(String::new, |at| {
            at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        });
        let level = json.get("level").and_then(Json::as_str).unwrap_or_default().to_lowercase();
        let mut line = format!("{at} {level:<5} ");
        for span in json.get("spans").and_then(Json::as_array).into_iter().flatten() {
            line.push_str(&format!("{} ", span_text(span)));
        }
        let fields = json.get("fields").and_then(Json::as_object);
        let said = fields.and_then(|fields| fields.get("message")?.as_str());
        line.push_str(said.unwrap_or_default());
        for (name, value) in fields.into_iter().flatten().filter(|(name, _)| *name != "message") {
            line.push_str(&format!(" {name}={}", plain(value)));
        }
        output::short(&line, SHOWN)
    }

    fn json(self) -> Json {
        match self {
            Self::Line(json) => json,
            Self::Broken(text) => json!({ "broken": text }),
        }
    }
}

/// `round 7:` — what the span is called, and what it has.
fn span_text(span: &Json) -> String {
    let Some(fields) = span.as_object() else { return String::new() };
    let name = fields.get("name").and_then(Json::as_str).unwrap_or_default();
    let more = fields.iter().filter(|(key, _)| *key != "name").map(|(_, value)| plain(value));
    format!("{}:", [name.to_owned()].into_iter().chain(more).collect::<Vec<_>>().join(" "))
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Reads the parts of a log in their order.
#[derive(Debug)]
struct Reader {
    folder: PathBuf,
    /// The number of the part that is being read, or was.
    at: Option<u64>,
    /// That part; `None` where it was gone before it could be read.
    file: Option<BufReader<File>>,
    /// The start of a line whose end is not written yet.
    begun: Vec<u8>,
}

impl Reader {
    fn new(folder: PathBuf) -> Self {
        Self { folder, at: None, file: None, begun: Vec::new() }
    }

    /// All that is there: those entries since then, and of these the last.
    fn last(&mut self, since: Option<Timestamp>, last: usize) -> io::Result<Vec<Entry>> {
        let mut kept = VecDeque::new();
        self.each(|entry| {
            if entry.at().is_none_or(|at| since.is_none_or(|since| at >= since)) {
                kept.push_back(entry);
            }
            if kept.len() > last {
                kept.pop_front();
            }
        })?;
        Ok(kept.into())
    }

    /// What came since.
    fn more(&mut self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.each(|entry| entries.push(entry))?;
        Ok(entries)
    }

    fn each(&mut self, mut take: impl FnMut(Entry)) -> io::Result<()> {
        loop {
            // Looked for before this part is read to its end: it gets no more lines once the next one is there.
            let next = self.next_part()?;
            while let Some(line) = self.line()? {
                if !line.is_empty() {
                    take(Entry::of(&line));
                }
            }
            let Some(next) = next else { return Ok(()) };
            let rest = String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned();
            if !rest.is_empty() {
                take(Entry::of(&rest));
            }
            self.at = Some(next);
            self.file = match File::open(file::path(&self.folder, next)) {
                Ok(file) => Some(BufReader::new(file)),
                // It went meanwhile; there are newer ones.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
        }
    }

    /// The number of the part that follows.
    fn next_part(&self) -> io::Result<Option<u64>> {
        let numbers = file::numbers(&self.folder)?;
        Ok(numbers.into_iter().find(|number| self.at.is_none_or(|read| *number > read)))
    }

    /// The next line that is whole.
    fn line(&mut self) -> io::Result<Option<String>> {
        let Some(file) = &mut self.file else { return Ok(None) };
        let room = LINE_MAX.saturating_sub(self.begun.len() as u64);
        file.take(room).read_until(b'\n', &mut self.begun)?;
        if self.begun.last() != Some(&b'\n') && (self.begun.len() as u64) < LINE_MAX {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.begun);
        Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned()))
    }
}

/// The last entries of the log in this folder.
///
/// # Errors
/// When it cannot be read.
pub fn tail(folder: &Path, last: usize) -> io::Result<Vec<Entry>> {
    Reader::new(folder.to_owned()).last(None, last)
}

/// A moment in the past: so long ago, or a date and time, in the zone of this machine unless it says another.
fn moment(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let zone = TimeZone::system();
    let ago =
        |span: Span| now.to_zoned(zone.clone()).checked_sub(span).ok().map(|at| at.timestamp());
    let local = |at: DateTime| at.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
    let found = if let Ok(at) = text.parse::<Timestamp>() {
        Some(at)
    } else if let Ok(span) = text.parse::<Span>() {
        ago(span.abs())
    } else if let Ok(at) = text.parse::<DateTime>() {
        local(at)
    } else {
        text.parse::<Date>().ok().and_then(|day| local(day.at(0, 0, 0, 0)))
    };
    found.ok_or_else(|| {
        let message = format!("`{text}` is neither a duration nor a date");
        let hint = "write it like 30m, 2h, 3d, 2026-11-22 or '2026-11-22 08:00'";
        Stop::new(Exit::Usage, message, hint).into()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn line(at: &str, said: &str) -> String {
        format!(
            "{{\"timestamp\":\"{at}\",\"level\":\"INFO\",\"fields\":{{\"message\":\"{said}\"}}}}\n"
        )
    }

    fn said(entries: &[Entry]) -> Vec<String> {
        let text = |entry: &Entry| match entry {
            Entry::Line(json) => json["fields"]["message"].as_str().unwrap().to_owned(),
            Entry::Broken(text) => format!("broken: {text}"),
        };
        entries.iter().map(text).collect()
    }

    #[test]
    fn reading_goes_on_where_it_ended_through_new_parts_and_half_lines() {
        let folder = tempfile::tempdir().unwrap();
        let part = |number| file::path(folder.path(), number);
        let mut reader = Reader::new(folder.path().to_owned());
        assert_eq!(reader.last(None, 9).unwrap(), []);
        fs::write(part(3), line("2026-11-22T08:00:00Z", "one") + "{\"half").unwrap();
        assert_eq!(said(&reader.more().unwrap()), ["one"]);
        assert_eq!(reader.more().unwrap(), []);
        let mut third = File::options().append(true).open(part(3)).unwrap();
        third.write_all(b" a line\n").unwrap();
        third.write_all(line("2026-11-22T08:00:01Z", "two").as_bytes()).unwrap();
        third.write_all(b"cut").unwrap();
        fs::write(part(4), line("2026-11-22T08:00:02Z", "three")).unwrap();
        fs::write(part(5), line("2026-11-22T08:00:03Z", "four")).unwrap();
        let expected = ["broken: {\"half a line", "two", "broken: cut", "three", "four"];
        assert_eq!(said(&reader.more().unwrap()), expected);
    }

    #[test]
    fn the_last_entries_since_then() {
        let folder = tempfile::tempdir().unwrap();
        for (part, hour) in [(1, 6), (2, 7), (3, 8)] {
            let text: String = (0..3)
                .map(|minute| {
                    line(&format!("2026-11-22T0{hour}:0{minute}:00Z"), &format!("{hour}:{minute}"))
                })
                .collect();
            fs::write(file::path(folder.path(), part), text).unwrap();
        }
        let of = |since: Option<&str>, last| {
            let since = since.map(|text| text.parse().unwrap());
            said(&Reader::new(folder.path().to_owned()).last(since, last).unwrap())
        };
        assert_eq!(of(None, 4), ["7:2", "8:0", "8:1", "8:2"]);
        assert_eq!(of(Some("2026-11-22T07:02:00Z"), usize::MAX), ["7:2", "8:0", "8:1", "8:2"]);
        assert_eq!(of(Some("2026-11-22T07:02:00Z"), 1), ["8:2"]);
        assert_eq!(of(None, 0), [""; 0]);
    }

    #[test]
    fn a_moment_is_told_in_several_ways() {
        let now: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        for (text, seconds) in [("30m", 1800), ("2h", 7200), ("1h 30m", 5400)] {
            let at = moment(text, now).unwrap();
            assert_eq!(now.as_second() - at.as_second(), seconds, "{text}");
        }
        let day = moment("2026-11-21", now).unwrap();
        assert_eq!(moment("2026-11-21 00:00", now).unwrap(), day);
        assert_eq!(moment("2026-11-21T00:00:00Z", now).unwrap().as_second(), 1_795_219_200);
        for bad in ["", "soon", "12", "99999999999d"] {
            let error = moment(bad, now).unwrap_err();
            assert_eq!(error.downcast_ref::<Stop>().unwrap().exit, Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn an_entry_is_one_line() {
        let json = json!({
            "timestamp": "2026-11-22T08:00:00.5Z", "level": "WARN", "target": "liaison::sync",
            "fields": { "message": "two\nlines", "kind": "throttled", "seconds": 3 },
            "spans": [{ "id": 7, "name": "round" }, { "class": "contact", "name": "class" }],
        });
        let text = Entry::Line(json).text();
        let (_, said) = text.split_at_checked(20).unwrap();
        assert_eq!(said, "warn  round 7: class contact: two lines kind=throttled seconds=3");
        assert_eq!(Entry::of("7\u{1b}[2J").text(), "7 [2J");
    }
}
