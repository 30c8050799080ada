//! What a person or another program hands us: filters, the configuration, lines on the control socket.

use std::path::Path;

use liaison::config;
use liaison::connector::dataverse::fetch::{Fetch, Page};
use liaison::filter::fetch::Filter;
use liaison::ipc::frame;
use liaison::ipc::wire::{Request, Response};
use liaison::model::Class;
use liaison::sandbox::query::fetchxml as served;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::BufReader;

use super::wire::run;

/// A sync filter.
///
/// What was reduced is reduced: it is taken again and stays as it is, here and by the connector; and the organisation
/// that answers it reads it or refuses it.
///
/// # Panics
/// When that does not hold.
pub fn fetchxml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    drop(served::parse(text));
    for class in [Class::Contact, Class::Task, Class::Appointment] {
        let Ok(filter) = Filter::fetchxml("fuzz", class, text) else { continue };
        let reduced = filter.as_fetchxml();
        let again = Filter::fetchxml("fuzz", class, reduced).expect("our own text");
        assert_eq!(again.as_fetchxml(), reduced, "reduced twice");
        let table = filter.table();
        let id = table.id_column();
        let fetch = Fetch::reduced(reduced, table.logical_name(), id, &[id]);
        let fetch = fetch.unwrap_or_else(|error| panic!("{}: {reduced}", error.message));
        assert!(fetch.path("rows", &Page::first()).is_ascii());
        drop(served::parse(reduced));
    }
}

/// The user's configuration.
///
/// It is used or refused with a sentence; read again it says the same; and a change that is written into it is there.
///
/// # Panics
/// When that does not hold.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (file, home) =
        (Path::new("/home/anna/.config/liaison/config.toml"), Path::new("/home/anna"));
    match config::parse(text, file, Some(home)) {
        Ok(loaded) => {
            let again = config::parse(text, file, Some(home)).expect("what was read before");
            assert_eq!(format!("{:?}", loaded.effective), format!("{:?}", again.effective));
            assert!(!loaded.effective.is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(chosen) = config::edit::choose(text, file, "default") {
        assert_eq!(config::edit::choose(&chosen, file, "default").as_deref(), Ok(&*chosen));
    }
    drop(config::edit::remove(text, file, "default"));
}

/// The longest line that is read here, in bytes.
const LINE: usize = 4096;

/// Lines of the control socket, of either side.
///
/// However they arrive they mean the same; no line is longer than it may be; and what is understood is written so that it is
/// understood again.
///
/// # Panics
/// When that does not hold.
pub fn ipc(bytes: &[u8]) {
    both::<Request>(bytes);
    both::<Response>(bytes);
}

fn both<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let (lines, end) = lines::<T>(bytes, bytes.len().max(1));
    let (cut, cut_end) = lines_of_pieces::<T>(bytes);
    assert_eq!((&cut, &cut_end), (&lines, &end), "it hangs on how the lines are cut");
    let longest = bytes.split(|byte| *byte == b'\n').take(lines.len()).map(<[u8]>::len).max();
    assert!(longest.unwrap_or(0) <= LINE);
    for line in lines {
        let mut written = Vec::new();
        run(frame::write(&mut written, &line)).expect("a line");
        assert_eq!(written.split(|byte| *byte == b'\n').count(), 2);
        let (again, end) = self::lines::<T>(&written, written.len());
        assert_eq!((again.as_slice(), end), ([line].as_slice(), None), "written and read");
    }
}

fn lines_of_pieces<T: DeserializeOwned>(bytes: &[u8]) -> (Vec<T>, Option<String>) {
    lines(bytes, 3)
}

fn lines<T: DeserializeOwned>(bytes: &[u8], piece: usize) -> (Vec<T>, Option<String>) {
    let mut reader = frame::Reader::new(BufReader::with_capacity(piece, bytes), LINE.max(1));
    run(async {
        let mut lines = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => return (lines, None),
                Err(error) => return (lines, Some(error.to_string())),
            }
        }
    })
}
