//! A full disk under the running service.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::service::Service;
use crate::cli::installation::{Installation, Organisation};
use crate::support::servers::process::eventually;

/// Where the test below finds a disk of a few MiB.
const SMALL_DISK: &str = "LIAISON_SMALL_DISK";

const CARDS: usize = 20;

/// Runs [`on_a_small_disk`] in a mount namespace of its own, with a small tmpfs that vanishes with it.
#[test]
fn a_full_disk_is_waited_out() {
    let disk = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=16m none \"$LIAISON_SMALL_DISK\" && exec \"$0\" --exact daemon::disk::on_a_small_disk --ignored --nocapture";
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(SMALL_DISK, disk.path())
        .output()
        .expect("this test needs the command `unshare` (package util-linux)");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by a_full_disk_is_waited_out, on a disk of its own"]
fn on_a_small_disk() {
    let Some(disk) = std::env::var_os(SMALL_DISK).map(PathBuf::from) else {
        panic!("only a_full_disk_is_waited_out runs this");
    };
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    let state = disk.join("state");
    std::fs::create_dir(&state).unwrap();
    std::os::unix::fs::symlink(&state, here.path("state")).unwrap();
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
fn fill(disk: &Path) -> PathBuf {
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
