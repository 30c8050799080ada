//! What service managers are given to read: the files in `packaging/`, with the program and its arguments as they are on this
//! computer. Pure.

use std::path::{Path, PathBuf};

/// The unit as it is packaged.
const UNIT: &str = include_str!("../../../packaging/systemd/liaison.service");
const TRAY_UNIT: &str = include_str!("../../../packaging/systemd/liaison-tray.service");
const AUTOSTART: &str = include_str!("../../../packaging/desktop/liaison-tray.desktop");
const PLIST: &str = include_str!("../../../packaging/launchd/liaison.plist");
const TASK: &str = include_str!("../../../packaging/windows/liaison-task.xml");

/// What is started, and with which configuration and state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    pub program: PathBuf,
    /// The program for the panel, where there is one.
    pub tray: Option<PathBuf>,
    /// `None`: where the platform has it.
    pub config: Option<PathBuf>,
    /// `None`: where the platform has it.
    pub state: Option<PathBuf>,
}

impl Places {
    /// What follows the name of the program.
    fn arguments(&self, command: Option<&str>) -> Vec<String> {
        let mut arguments: Vec<String> = command.into_iter().map(str::to_owned).collect();
        for (flag, path) in [("--config", &self.config), ("--state", &self.state)] {
            if let Some(path) = path {
                arguments.extend([flag.to_owned(), shown(path)]);
            }
        }
        arguments
    }

    /// Whether all of it can be written into a file of lines.
    pub fn is_plain(&self) -> bool {
        let all =
            [Some(&self.program), self.tray.as_ref(), self.config.as_ref(), self.state.as_ref()];
        all.into_iter()
            .flatten()
            .all(|path| path.to_str().is_some_and(|path| !path.chars().any(char::is_control)))
    }
}

/// The service, for systemd.
pub fn unit(places: &Places) -> String {
    let command = systemd_line(&places.program, &places.arguments(Some("run")));
    with_line(UNIT, "ExecStart=", &command)
}

/// The program for the panel, for systemd.
pub fn tray_unit(places: &Places, tray: &Path) -> String {
    with_line(TRAY_UNIT, "ExecStart=", &systemd_line(tray, &places.arguments(None)))
}

/// The program for the panel, for desktops that start programs themselves (XDG autostart).
pub fn autostart(places: &Places, tray: &Path) -> String {
    let words: Vec<String> = [shown(tray)]
        .into_iter()
        .chain(places.arguments(None))
        .map(|word| desktop(&word))
        .collect();
    let text = with_line(AUTOSTART, "Exec=", &words.join(" "));
    with_line(&text, "TryExec=", &shown(tray).replace('\\', "\\\\"))
}

/// The service, for launchd.
pub fn plist(places: &Places) -> String {
    let words: Vec<String> = [shown(&places.program)]
        .into_iter()
        .chain(places.arguments(Some("run")))
        .map(|word| format!("\t\t<string>{}</string>\n", xml(&word)))
        .collect();
    between(PLIST, "\t<array>\n", "\t</array>", &words.concat())
}

/// The service, for the task scheduler of Windows.
pub fn task(places: &Places) -> String {
    let text = between(TASK, "<Command>", "</Command>", &xml(&shown(&places.program)));
    let words: Vec<String> =
        places.arguments(Some("run")).iter().map(|word| windows(word)).collect();
    between(&text, "<Arguments>", "</Arguments>", &xml(&words.join(" ")))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The text with another value in the line that begins so.
fn with_line(text: &str, key: &str, value: &str) -> String {
    let line = |line: &str| match line.strip_prefix(key) {
        Some(_) => format!("{key}{value}\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// The text with other words between these two marks.
fn between(text: &str, before: &str, after: &str, words: &str) -> String {
    let parts = text.split_once(before).and_then(|(head, rest)| {
        let (_, tail) = rest.split_once(after)?;
        Some((head, tail))
    });
    match parts {
        Some((head, tail)) => format!("{head}{before}{words}{after}{tail}"),
        None => text.to_owned(),
    }
}

/// A command line of systemd (systemd.service(5)): variables are not put into the name of the program.
fn systemd_line(program: &Path, arguments: &[String]) -> String {
    let first = systemd(&shown(program));
    let rest = arguments.iter().map(|word| systemd(word).replace('$', "$$"));
    [first].into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}

fn systemd(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=%".contains(c);
    if !escaped.is_empty() && escaped.chars().all(is_plain) {
        escaped
    } else {
        format!("\"{escaped}\"")
    }
}

/// A word of `Exec` (Desktop Entry Specification): quoted, and then escaped as every text of such a file.
fn desktop(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '`' | '$' | '\\' => quoted.extend(['\\', c]),
            '%' => quoted.push_str("%%"),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted.replace('\\', "\\\\")
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A word of a command line, as programs on Windows take it apart (`CommandLineToArgvW`). Paths there have no quotes in them.
fn windows(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '"']) {
        return word.to_owned();
    }
    let ending = word.chars().rev().take_while(|c| *c == '\\').count();
    format!("\"{}{}\"", word.replace('"', "\\\""), "\\".repeat(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd() -> Places {
        Places {
            program: "/opt/li ai/100%/liaison".into(),
            tray: Some("/opt/li ai/100%/liaison-tray".into()),
            config: Some("/home/änn a/\"$x\" \\ & <b>.toml".into()),
            state: Some("/plain/state".into()),
        }
    }

    fn usual() -> Places {
        Places { program: "/usr/bin/liaison".into(), tray: None, config: None, state: None }
    }

    #[test]
    fn where_everything_is_usual_the_packaged_units_are_what_is_written() {
        assert_eq!(unit(&usual()), UNIT);
        assert_eq!(tray_unit(&usual(), Path::new("/usr/bin/liaison-tray")), TRAY_UNIT);
        assert_eq!(autostart(&usual(), Path::new("/usr/bin/liaison-tray")), AUTOSTART);
        let mac = Places { program: "/usr/local/bin/liaison".into(), ..usual() };
        assert_eq!(plist(&mac), PLIST);
        let windows = Places { program: r"C:\Program Files\Liaison\liaison.exe".into(), ..usual() };
        assert_eq!(task(&windows), TASK);
    }

    #[test]
    fn the_units_read_as_they_did() {
        insta::assert_snapshot!(format!(
            "{}\n=====\n{}",
            unit(&odd()),
            tray_unit(&odd(), Path::new("/t"))
        ));
    }

    #[test]
    fn odd_paths_are_written_as_each_manager_reads_them() {
        let of = |text: String, from: &str| {
            text.lines().find(|line| line.contains(from)).unwrap().trim().to_owned()
        };
        let places = odd();
        let tray = places.tray.clone().unwrap();
        assert_eq!(
            of(unit(&places), "ExecStart"),
            r#"ExecStart="/opt/li ai/100%%/liaison" run --config "/home/änn a/\"$$x\" \\ & <b>.toml" --state /plain/state"#
        );
        assert_eq!(
            of(autostart(&places, &tray), "Exec="),
            r#"Exec="/opt/li ai/100%%/liaison-tray" --config "/home/änn a/\\"\\$x\\" \\\\ & <b>.toml" --state /plain/state"#
        );
        let plist = plist(&places);
        assert!(
            plist.contains("<string>/home/änn a/&quot;$x&quot; \\ &amp; &lt;b&gt;.toml</string>"),
            "{plist}"
        );
        let task = task(&Places { config: Some(r"C:\My Files\".into()), ..places });
        assert!(task.contains("<Command>/opt/li ai/100%/liaison</Command>"), "{task}");
        let arguments =
            r"<Arguments>run --config &quot;C:\My Files\\&quot; --state /plain/state</Arguments>";
        assert!(task.contains(arguments), "{task}");
    }

    #[test]
    fn what_cannot_stand_on_a_line_is_known() {
        assert!(odd().is_plain());
        assert!(!Places { state: Some("/a\nExecStart=/bin/evil".into()), ..usual() }.is_plain());
    }

    /// systemd itself reads the units, where it is installed.
    #[cfg(target_os = "linux")]
    #[test]
    fn systemd_finds_nothing_wrong_with_the_units() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("odd $name 50%");
        std::os::unix::fs::symlink("/bin/true", &program).unwrap();
        let places = Places { program: program.clone(), ..odd() };
        // The manual is not installed where this is built.
        let without_manual = |text: String| text.replace("Documentation=man:liaison(1)\n", "");
        for (name, text) in [
            ("liaison.service", unit(&places)),
            ("liaison-tray.service", tray_unit(&places, &program)),
        ] {
            let file = folder.path().join(name);
            std::fs::write(&file, without_manual(text)).unwrap();
            let told = std::process::Command::new("systemd-analyze")
                .args(["verify", "--user", "--man=no"])
                .arg(&file)
                .env("XDG_RUNTIME_DIR", folder.path())
                .output()
                .expect("systemd-analyze, of the package systemd");
            let said = String::from_utf8_lossy(&told.stderr);
            assert!(told.status.success() && said.is_empty(), "{name}: {said}");
        }
    }
}
