//! A session bus without anything on it, and a desktop without a screen: Xvfb with the panel of Xfce, whose tray takes status
//! notifier items.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::bus::{self, at_home};
use super::process::{Process, tail};
use super::program;

/// A session bus of its own, on which nothing is started by itself but what keeps the settings of Xfce.
pub struct Bus {
    pub address: String,
    // Dropped in this order.
    _daemon: Process,
    folder: tempfile::TempDir,
}

impl Bus {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = folder.path().join("services");
        fs::create_dir(&services).unwrap();
        let settings = "/usr/share/dbus-1/services/org.xfce.Xfconf.service";
        if Path::new(settings).exists() {
            fs::copy(settings, services.join("org.xfce.Xfconf.service")).unwrap();
        }
        let daemon = bus::start(folder.path(), Some(&services));
        Self { address: bus::address(folder.path()), _daemon: daemon, folder }
    }

    /// A folder that lives as long as the session.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// How a desktop looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

/// A screen with a panel at its lower edge.
pub struct Desktop {
    // Dropped in this order.
    _panel: Process,
    _screen: Process,
    display: String,
}

/// Of pixels of a picture: red, green and blue.
pub type Pixel = [u8; 3];

impl Desktop {
    /// A panel so many pixels high, on this bus.
    pub fn start(bus: &Bus, theme: Theme, height: u32) -> Self {
        let home = bus.folder();
        let log = home.join("screen.log");
        let mut screen = Command::new(program(&["/usr/bin/Xvfb"]));
        screen.args(["-displayfd", "1", "-screen", "0", "640x200x24", "-nolisten", "tcp"]);
        // It would begin anew whenever its last client left, and hang up on whoever comes at that moment: the panel.
        screen.arg("-noreset");
        let mut screen = Process::start(screen, &log);
        // It prints the number that it chose.
        let number = || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            said.lines().find(|line| line.parse::<u32>().is_ok()).map(str::to_owned)
        };
        screen.ready(|| number().is_some());
        let display = format!(":{}", number().unwrap());
        settle(home, height);
        let mut panel = Command::new(program(&["/usr/bin/xfce4-panel"]));
        panel.arg("--disable-wm-check").env("DISPLAY", &display);
        panel.env("DBUS_SESSION_BUS_ADDRESS", &bus.address).env("GDK_BACKEND", "x11");
        panel.env("NO_AT_BRIDGE", "1");
        let theme = if theme == Theme::Light { "Adwaita" } else { "Adwaita:dark" };
        panel.env("GTK_THEME", theme);
        at_home(&mut panel, home);
        let panel = Process::start(panel, &home.join("panel.log"));
        Self { _panel: panel, _screen: screen, display }
    }

    /// What is on the screen, row by row, and its width. A picture of it is kept where those who want to look find it.
    pub fn look(&self, name: &str) -> (Vec<Pixel>, usize) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tray");
        fs::create_dir_all(&folder).unwrap();
        self.shoot(&folder.join(format!("{name}.png")));
        let picture = folder.join(format!("{name}.ppm"));
        self.shoot(&picture);
        let bytes = fs::read(&picture).unwrap();
        fs::remove_file(&picture).unwrap();
        // `P6`, width, height, the largest value, and then the pixels.
        let lines: Vec<&[u8]> = bytes.splitn(4, |byte| *byte == b'\n').collect();
        let [kind, size, _, pixels] = lines[..] else { panic!("{name} is no picture") };
        assert_eq!(kind, b"P6");
        let width = std::str::from_utf8(size).unwrap().split(' ').next().unwrap();
        let pixels = pixels.chunks_exact(3).map(|it| [it[0], it[1], it[2]]).collect();
        (pixels, width.parse().unwrap())
    }

    fn shoot(&self, path: &Path) {
        let mut import = Command::new(program(&["/usr/bin/import"]));
        import.args(["-window", "root", "-depth", "8"]).arg(path).env("DISPLAY", &self.display);
        let output = import.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What the panel said, for a message.
pub fn panel_log(bus: &Bus) -> String {
    tail(&bus.folder().join("panel.log"))
}

/// The settings of a panel with nothing in it but the tray.
fn settle(home: &Path, height: u32) {
    let folder: PathBuf = home.join(".config/xfce4/xfconf/xfce-perchannel-xml");
    fs::create_dir_all(&folder).unwrap();
    let text = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=8;x=320;y=180"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="{height}"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property></property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
      <property name="icon-size" type="int" value="0"/>
    </property>
  </property>
</channel>
"#
    );
    fs::write(folder.join("xfce4-panel.xml"), text).unwrap();
}
