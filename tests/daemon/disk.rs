//! A full disk under the running service.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::service::Service;
use crate::cli::installation::{Installation, Organisation};
use crate::support::servers::process::{eventually, is_root};

/// Where a test finds a disk of its own.
const SMALL_DISK: &str = "LIAISON_SMALL_DISK";

const CARDS: usize = 20;

/// Runs a test of this binary, one that is ignored otherwise, in a mount namespace with a disk of so many MiB that vanishes with
/// it; returns what it said.
pub fn run_on_a_small_disk(test: &str, size: u64) -> String {
    let disk = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size={size}m none \"$LIAISON_SMALL_DISK\"");
    let script = format!("{mount} && exec \"$0\" --exact {test} --ignored --nocapture");
    // Root may do so anyway, and is to remain who it is: servers are started as somebody else.
    let own: &[&str] = if is_root() { &[] } else { &["--map-current-user", "--keep-caps"] };
    let output = Command::new("unshare")
        .arg("--mount")
        .args(own)
        .args(["sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(SMALL_DISK, disk.path())
        .output()
        .expect("this test needs the command `unshare` (package util-linux)");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said.into_owned()
}

/// The disk of this test.
pub fn small_disk() -> PathBuf {
    let disk = std::env::var_os(SMALL_DISK).map(PathBuf::from);
    disk.expect("only run_on_a_small_disk runs this")
}

/// The state of an installation is on the small disk.
pub fn move_state(here: &Installation, disk: &Path) {
    let state = disk.join("state");
    std::fs::create_dir(&state).unwrap();
    std::os::unix::fs::symlink(&state, here.path("state")).unwrap();
}

#[test]
fn a_full_disk_is_waited_out() {
    run_on_a_small_disk("daemon::disk::on_a_small_disk", 16);
}

#[test]
#[ignore = "run by a_full_disk_is_waited_out, on a disk of its own"]
fn on_a_small_disk() {
    let disk = small_disk();
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    move_state(&here, &disk);
    let write = |phone: &str| {
        for number in 0..CARDS {
            here.card(&format!("c{number}"), &format!("Ann N{number}"), phone, true);
        }
    };
    write("1");
    here.run(&["sync"]).ends(4);
    here.run(&["approve", "--all"]).ends(0);
    here.run(&["sync"]).ends(0);
    let service = Service::start(&here);
    service.reaches("in-step");

    let ballast = fill(&disk);
    write("2");
    let status = service.reaches("offline");
    assert!(status["sentence"].as_str().unwrap().contains("full"), "{status:#}");
    std::fs::remove_file(ballast).unwrap();
    eventually("all is in the CRM", || {
        organisation.rows("contacts?$select=contactid&$filter=telephone1%20eq%20'2'").len() == CARDS
    });
    service.reaches("in-step");
    let audit = organisation.audit();
    assert_eq!(audit["contact"]["creates"], CARDS, "{audit}");
    assert_eq!(audit["contact"]["deleted"], 0, "{audit}");
}

/// Fills a disk to the last byte.
pub fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("ballast");
    let mut file = File::create(&path).unwrap();
    let mut size = 1 << 20;
    while size > 0 {
        if file.write_all(&vec![0; size]).is_err() {
            size /= 2;
        }
    }
    path
}
