//! `liaison-tray`: how things stand, as an icon in the panel, with a menu and a few notifications. It speaks with the service over
//! its socket and with the desktop over the session bus, and nothing needs it: what it can do, the command line can.
//!
//! One task waits for whatever happens next, and sleeps otherwise: nothing here asks again and again how things are.

#[cfg(target_os = "linux")]
mod bubble;
#[cfg(target_os = "linux")]
mod desktop;
#[cfg(target_os = "linux")]
mod face;
#[cfg(target_os = "linux")]
mod icon;
#[cfg(target_os = "linux")]
mod item;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(target_os = "linux")]
mod link;
#[cfg(target_os = "linux")]
mod news;
#[cfg(target_os = "linux")]
mod place;
#[cfg(target_os = "linux")]
mod raster;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    desktop::main()
}

/// Other systems have other panels.
#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    use std::io::Write as _;
    drop(writeln!(std::io::stderr(), "liaison-tray works on Linux desktops only"));
    std::process::ExitCode::FAILURE
}
