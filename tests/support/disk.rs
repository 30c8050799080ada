//! What of a store would survive a power failure: all that was written before the last promise, and nothing after it. The
//! operating system may have written more by then; that is the other case, a process that dies.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The parts of a store that hold content; what else is beside them is made anew.
const LOG: &str = "-wal";
const PARTS: [&str; 2] = ["", LOG];

/// How the log begins: otherwise each time that it is begun anew.
const HEAD: usize = 32;

/// The files of a store at a moment.
pub type Files = Vec<(&'static str, Vec<u8>)>;

/// See the module. Clones share what was flushed.
#[derive(Debug, Clone)]
pub struct Disk {
    path: PathBuf,
    flushed: Arc<Mutex<Files>>,
}

impl Disk {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), flushed: Arc::default() }
    }

    /// All that was written is on the disk.
    pub fn flush(&self) {
        let mut flushed = self.flushed.lock().unwrap();
        let log = flushed.iter_mut().find(|(part, _)| *part == LOG);
        let goes_on = log.is_some_and(|(_, bytes)| self.read_on(bytes).is_some());
        if !goes_on {
            *flushed = self.files();
        }
    }

    /// Reads what was added to the log; `None` where it was begun anew. As long as it goes on, what comes into the store is in the
    /// log, too.
    fn read_on(&self, known: &mut Vec<u8>) -> Option<()> {
        let mut file = File::open(self.file(LOG)).ok()?;
        let mut head = [0; HEAD];
        file.read_exact(&mut head).ok()?;
        if known.get(..HEAD)? != head {
            return None;
        }
        file.seek(SeekFrom::Start(known.len() as u64)).ok()?;
        file.read_to_end(known).ok().map(drop)
    }

    /// What the files hold. No transaction may be under way.
    pub fn files(&self) -> Files {
        let read = |part| Some((part, fs::read(self.file(part)).ok()?));
        PARTS.into_iter().filter_map(read).collect()
    }

    /// Power is back. The store must be closed.
    pub fn restore(&self) {
        self.write(&self.flushed.lock().unwrap());
    }

    /// These files and no others, and on the disk. The store must be closed.
    pub fn put(&self, files: &Files) {
        self.write(files);
        // Their log may begin as the one that was there, and go on otherwise.
        self.flushed.lock().unwrap().clone_from(files);
    }

    fn write(&self, files: &Files) {
        for part in PARTS.into_iter().chain(["-shm"]) {
            // It may not be there.
            drop(fs::remove_file(self.file(part)));
        }
        for (part, bytes) in files {
            fs::write(self.file(part), bytes).unwrap();
        }
    }

    fn file(&self, part: &str) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(part);
        PathBuf::from(name)
    }
}
