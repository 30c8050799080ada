//! The log in files: numbered parts, the highest of which is written to. A part that is full is followed by the next one; of
//! more than a few, the oldest go. Nothing is ever renamed, so whoever reads along just goes on with the next number.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// When a part is full, in bytes.
const FULL: u64 = 2 * 1024 * 1024;

/// How many parts are kept. With [`FULL`], this bounds the log to 10 MB and a line.
const KEPT: usize = 5;

/// What the name of a part ends with; before it is the number.
const ENDING: &str = ".log";

/// A log in parts, written by one process.
#[derive(Debug)]
pub struct Parts {
    folder: PathBuf,
    full: u64,
    current: Mutex<Part>,
}

/// The part that is written to.
#[derive(Debug)]
struct Part {
    number: u64,
    file: File,
    size: u64,
    /// Whether the last line could not be written whole: the next one must not be glued to it.
    broken: bool,
}

impl Parts {
    /// Goes on with the last part in this folder, or begins the first. The folder is made; only its owner can look into it.
    ///
    /// # Errors
    /// When the folder or the part cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Self::open_with(folder, FULL)
    }

    fn open_with(folder: &Path, full: u64) -> io::Result<Self> {
        crate::cli::lock::private_folder(folder)?;
        let number = numbers(folder)?.last().copied().unwrap_or(1);
        let current = Mutex::new(Part::open(folder, number)?);
        Ok(Self { folder: folder.to_owned(), full, current })
    }
}

impl Part {
    fn open(folder: &Path, number: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(path(folder, number))?;
        let size = file.metadata()?.len();
        // The process before may have ended in the middle of a line; an empty line harms nobody.
        Ok(Self { number, file, size, broken: size > 0 })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.broken {
            self.file.write_all(b"\n")?;
            self.size += 1;
        }
        self.broken = true;
        self.file.write_all(line)?;
        self.broken = false;
        self.size += line.len() as u64;
        Ok(())
    }
}

/// Each write is a whole line.
impl Write for &Parts {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Whoever panicked with the lock had at worst half a line written.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.size > 0 && current.size + line.len() as u64 > self.full {
            *current = Part::open(&self.folder, current.number + 1)?;
            clear(&self.folder)?;
        }
        current.write(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Removes the oldest parts.
fn clear(folder: &Path) -> io::Result<()> {
    let numbers = numbers(folder)?;
    let surplus = numbers.len().saturating_sub(KEPT);
    for number in numbers.into_iter().take(surplus) {
        match fs::remove_file(path(folder, number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// The part with this number.
pub fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}{ENDING}"))
}

/// The numbers of the parts in this folder, oldest first; none where there is no folder.
///
/// # Errors
/// When the folder cannot be read.
pub fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_suffix(ENDING)?.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(folder: &Path) -> Vec<String> {
        let parts = numbers(folder).unwrap().into_iter();
        let text: String =
            parts.map(|number| fs::read_to_string(path(folder, number)).unwrap()).collect();
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn it_never_takes_more_than_its_room_and_keeps_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("log");
        for _ in 0..2 {
            let parts = Parts::open_with(&folder, 100).unwrap();
            for number in 0..500 {
                (&parts).write_all(format!("line {number:04}\n").as_bytes()).unwrap();
            }
        }
        let found = numbers(&folder).unwrap();
        assert_eq!(found.len(), KEPT);
        assert!(found[0] > 90, "{found:?}");
        let sizes = found.iter().map(|number| fs::metadata(path(&folder, *number)).unwrap().len());
        assert!(sizes.clone().all(|size| size <= 100), "{:?}", sizes.collect::<Vec<_>>());
        let lines = lines(&folder);
        assert_eq!(lines.last().unwrap(), "line 0499");
        let tail: Vec<&String> = lines.iter().rev().take(40).collect();
        assert!(tail.windows(2).all(|pair| pair[0] > pair[1]), "{tail:?}");
    }

    #[test]
    fn a_line_larger_than_a_part_gets_one_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let parts = Parts::open_with(folder.path(), 10).unwrap();
        for line in ["a\n", "bbbbbbbbbbbbbbbbbbbb\n", "c\n"] {
            (&parts).write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(numbers(folder.path()).unwrap(), [1, 2, 3]);
        assert_eq!(lines(folder.path()), ["a", "bbbbbbbbbbbbbbbbbbbb", "c"]);
    }

    #[test]
    fn what_a_crash_left_of_a_line_stays_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(path(folder.path(), 7), "{\"half").unwrap();
        fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
        let parts = Parts::open(folder.path()).unwrap();
        (&parts).write_all(b"whole\n").unwrap();
        assert_eq!(lines(folder.path()), ["{\"half", "whole"]);
        assert_eq!(numbers(folder.path()).unwrap(), [7]);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("log");
        let parts = Parts::open(&folder).unwrap();
        (&parts).write_all(b"line\n").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path(&folder, 1))), (0o700, 0o600));
    }
}
