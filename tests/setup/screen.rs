//! A terminal of 80 columns with somebody at its keys: tmux, on a server of its own.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::scene::Scene;

const PATIENCE: Duration = Duration::from_secs(90);
const INTERVAL: Duration = Duration::from_millis(40);

/// How many terminals were started.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// Columns of the terminal.
const WIDTH: usize = 80;

pub struct Screen {
    socket: String,
    /// All that was on the screen when the last key was pressed.
    before: RefCell<String>,
}

impl Screen {
    /// Starts `liaison` with these arguments in a terminal.
    pub fn start(scene: &Scene, arguments: &[&str]) -> Self {
        let found = Command::new("tmux").arg("-V").output();
        assert!(
            found.is_ok(),
            "tmux is missing. tests/support/servers/install.sh installs it (.ci/run does)"
        );
        // Another one each time: a server that was told to end takes a moment.
        let number = STARTED.fetch_add(1, Ordering::SeqCst);
        let socket =
            format!("liaison-{}-{number}-{}", std::process::id(), scene.path("").display());
        let socket: String =
            socket.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let command = scene.command(arguments);
        // An interrupt is for the program, not for the shell that waits for it.
        let mut line = String::from("trap : INT; env -i TERM=screen LANG=C.UTF-8 TZ=UTC");
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
        let screen = Self { socket, before: RefCell::default() };
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

    /// Waits until this comes up on the screen, whether or not it was there when the last key was pressed.
    #[track_caller]
    pub fn shows_anew(&self, text: &str) {
        let known = self.before.borrow().matches(text).count();
        let end = Instant::now() + PATIENCE;
        while self.all().matches(text).count() <= known {
            assert!(Instant::now() < end, "no new “{text}” in:\n{}", self.all());
            thread::sleep(INTERVAL);
        }
    }

    /// Keeps everything that was on the screen where those who want to look find it.
    pub fn keep(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("setup");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.txt")), self.all()).unwrap();
    }

    /// Types this and presses Enter.
    pub fn answer(&self, text: &str) {
        self.remember();
        if !text.is_empty() {
            self.tmux(&["send-keys", "-l", text]);
        }
        self.tmux(&["send-keys", "Enter"]);
    }

    pub fn press(&self, key: &str) {
        self.remember();
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

    fn remember(&self) {
        let now = self.all();
        *self.before.borrow_mut() = now;
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
        // An address that has to be copied is longer than any line.
        for line in self.all().lines().filter(|line| !line.starts_with("http")) {
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
