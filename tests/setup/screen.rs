//! A terminal of 80 columns with somebody at its keys: tmux, on a server of its own.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::scene::Scene;

const PATIENCE: Duration = Duration::from_secs(90);
const INTERVAL: Duration = Duration::from_millis(40);

/// Columns of the terminal.
const WIDTH: usize = 80;

pub struct Screen {
    socket: String,
}

impl Screen {
    /// Starts `liaison` with these arguments in a terminal.
    pub fn start(scene: &Scene, arguments: &[&str]) -> Self {
        let found = Command::new("tmux").arg("-V").output();
        assert!(
            found.is_ok(),
            "tmux is missing. tests/support/servers/install.sh installs it (.ci/run does)"
        );
        let socket = format!("liaison-{}-{}", std::process::id(), scene.path("").display());
        let socket: String =
            socket.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let command = scene.command(arguments);
        let mut line = String::from("env -i TERM=screen LANG=C.UTF-8 TZ=UTC");
        for (name, value) in command.get_envs() {
            if let Some(value) = value.filter(|_| name != "TZ") {
                line +=
                    &format!(" {}={}", name.to_string_lossy(), quoted(&value.to_string_lossy()));
            }
        }
        line += &format!(" {}", quoted(&command.get_program().to_string_lossy()));
        for argument in command.get_args() {
            line += &format!(" {}", quoted(&argument.to_string_lossy()));
        }
        line += "; echo \"ended with $?\"; cat";
        let screen = Self { socket };
        let folder = command.get_current_dir().unwrap().display().to_string();
        let size = WIDTH.to_string();
        screen.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size,
            "-y",
            "40",
            "-c",
            &folder,
            &line,
        ]);
        screen.tmux(&["set-option", "-g", "history-limit", "5000"]);
        screen
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub fn shows(&self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.visible();
            if screen.contains(text) {
                return screen;
            }
            assert!(Instant::now() < end, "no “{text}” in:\n{}", self.all());
            thread::sleep(INTERVAL);
        }
    }

    /// Types this and presses Enter.
    pub fn answer(&self, text: &str) {
        if !text.is_empty() {
            self.tmux(&["send-keys", "-l", text]);
        }
        self.press("Enter");
    }

    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Takes back what was typed.
    pub fn clear(&self) {
        self.tmux(&["send-keys", "-N", "60", "BSpace"]);
    }

    /// Moves down so many lines and chooses.
    pub fn choose(&self, down: usize) {
        for _ in 0..down {
            self.press("Down");
        }
        self.press("Enter");
    }

    fn visible(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Everything that was ever on the screen, lines that were broken by the terminal put together again.
    pub fn all(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    /// No line was broken by the terminal: each fits.
    #[track_caller]
    pub fn fits(&self) {
        for line in self.all().lines() {
            let width = line.trim_end().chars().count();
            assert!(width <= WIDTH, "{width} columns: {line}");
        }
    }

    #[track_caller]
    fn tmux(&self, arguments: &[&str]) -> String {
        let output =
            Command::new("tmux").arg("-L").arg(&self.socket).args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output());
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
