//! Ports that no other test takes meanwhile, in this process or another one: below those that the kernel hands out by
//! itself, each reserved by a lock on a file for as long as the server lives.

use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A reserved port.
#[derive(Debug)]
pub struct Port {
    pub number: u16,
    _lock: File,
}

impl Port {
    pub fn reserve() -> Self {
        let folder = folder();
        // Tests that start together begin their search at different places.
        let start = std::process::id().wrapping_mul(101) % u32::from(COUNT);
        let start = u16::try_from(start).unwrap();
        let ports = (0..COUNT).map(|step| FIRST + (start + step) % COUNT);
        let found = ports.into_iter().find_map(|number| {
            let path = folder.join(number.to_string());
            let lock =
                OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
            lock.try_lock().ok()?;
            // Somebody else's server may be there.
            TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
            Some(Self { number, _lock: lock })
        });
        found.expect("a free port")
    }

    /// Whether anybody listens there.
    pub fn answers(number: u16) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, number)).is_ok()
    }
}

/// One for each user, who can write there.
fn folder() -> PathBuf {
    let user = fs::metadata("/proc/self").unwrap().uid();
    let folder = std::env::temp_dir().join(format!("liaison-test-ports-{user}"));
    fs::create_dir_all(&folder).unwrap();
    folder
}
