//! A session bus, where the programs of a desktop meet. Whoever is on it may hear everything.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::process::Process;
use super::program;

/// A bus in this folder, with all that it may want to keep. On demand it starts what this folder of services describes, and nothing
/// else: no other keyring, no window that asks.
pub fn start(folder: &Path, services: Option<&Path>) -> Process {
    let socket = folder.join("bus");
    let services = services
        .map(|services| format!("<servicedir>{}</servicedir>", services.display()))
        .unwrap_or_default();
    let text = format!(
        "<busconfig><type>session</type><listen>unix:path={}</listen>{services}\
         <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
         <allow own=\"*\"/></policy></busconfig>",
        socket.display()
    );
    let config = folder.join("bus.conf");
    fs::write(&config, text).unwrap();
    let mut command = Command::new(program(&["/usr/bin/dbus-daemon"]));
    command.arg("--nofork").arg("--config-file").arg(config);
    at_home(&mut command, folder);
    let mut bus = Process::start(command, &folder.join("bus.log"));
    bus.listens_at(&socket);
    bus
}

/// Gives a program of a desktop this folder as its home: nothing of whoever runs the tests is read or written.
pub fn at_home(command: &mut Command, home: &Path) {
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home);
    command.env("XDG_CONFIG_HOME", home.join(".config"));
    command.env("XDG_DATA_HOME", home.join(".local/share"));
    command.env("XDG_CACHE_HOME", home.join(".cache"));
}

/// Where the bus in this folder is, as `$DBUS_SESSION_BUS_ADDRESS` has it.
pub fn address(folder: &Path) -> String {
    format!("unix:path={}", folder.join("bus").display())
}
