//! `liaison man`: the manual, for packages: a page for each command, made of its help, and one for the settings, made of the
//! embedded defaults, so that neither says anything else than the program does.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use super::output::{Answer, Page, count};
use crate::config;

/// Write the pages of the manual into a folder
#[derive(Debug, clap::Args)]
#[command(hide = true, after_help = "Example: liaison man share/man")]
pub struct Man {
    /// The folder; the pages come into `man1` and `man5` below it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    /// # Errors
    /// When a page cannot be written.
    pub fn run(self, command: clap::Command) -> anyhow::Result<Answer> {
        let (commands, files) = (self.folder.join("man1"), self.folder.join("man5"));
        let named = || format!("the manual cannot be written into {}", self.folder.display());
        for folder in [&commands, &files] {
            std::fs::create_dir_all(folder).with_context(named)?;
        }
        clap_mangen::generate_to(command.disable_help_subcommand(true), &commands)
            .with_context(named)?;
        let page = settings(config::DEFAULT);
        std::fs::write(files.join("liaison.toml.5"), page).with_context(named)?;
        let pages = std::fs::read_dir(&commands).with_context(named)?.count() + 1;
        let mut page = Page::default();
        page.line(format!("{} in {}", count(pages, "page"), self.folder.display()));
        Ok(Answer::new(page, json!({ "pages": pages })))
    }
}

const HEAD: &str = r#".TH liaison.toml 5 "" "liaison" "Files of Liaison"
.SH NAME
liaison.toml \- settings of Liaison
.SH SYNOPSIS
.I ~/.config/liaison/config.toml
"#;

const TAIL: &str = r".SH SEE ALSO
.BR liaison (1),
.BR liaison\-config (1),
.BR liaison\-doctor (1)
";

/// The page about the settings: a section for each of the file, a paragraph for each setting, with the comment that stands before
/// it. What stands behind a bare `#` is an example.
fn settings(defaults: &str) -> String {
    let mut page = HEAD.to_owned();
    page.push_str(".SH DESCRIPTION\n");
    let (mut comment, mut last) = (String::new(), "");
    for line in defaults.lines().map(str::trim_end) {
        let example =
            line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && !rest.is_empty());
        let shown = example.unwrap_or(line);
        if shown.is_empty() || shown == "#" {
            paragraph(&mut page, &mut comment);
            last = "";
        } else if let Some(text) = line.strip_prefix("# ") {
            comment.push_str(text);
            comment.push('\n');
            last = "";
        } else if shown.starts_with('[') {
            page.push_str(&format!(".SH \"{}\"\n", roff(shown)));
            paragraph(&mut page, &mut comment);
        } else {
            let key = shown.split(" = ").next().unwrap_or(shown);
            let sort = match example {
                Some(_) if key == last => "Or:\n",
                Some(_) => "(an example)\n",
                None => "(the default)\n",
            };
            page.push_str(&format!(".TP\n.B \"{}\"\n{sort}", roff(shown).replace('"', "\\(dq")));
            page.push_str(&text(&std::mem::take(&mut comment)));
            last = key;
        }
    }
    paragraph(&mut page, &mut comment);
    page.push_str(TAIL);
    page
}

fn paragraph(page: &mut String, comment: &mut String) {
    if !comment.is_empty() {
        page.push_str(&format!(".PP\n{}", text(&std::mem::take(comment))));
    }
}

/// Lines of text, none of which is taken for a request.
fn text(comment: &str) -> String {
    comment.lines().map(|line| format!("\\&{}\n", roff(line))).collect()
}

fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('`', "\\(ga").replace('\'', "\\(aq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_in_the_page_with_what_it_is_for() {
        let page = settings(config::DEFAULT);
        let settings =
            config::DEFAULT.lines().filter(|line| line.contains(" = ") && !line.starts_with("# "));
        assert!(settings.clone().count() > 50);
        assert_eq!(settings.count(), page.matches("\n.TP\n").count());
        assert!(page.contains(".SH \"[guard]\"\n"), "{page}");
        let words = page.replace("\\-", "-").replace("\\&", "");
        assert!(words.contains(".B \"deletes_percent = 10\"\n(the default)"), "{words}");
        assert!(words.contains("Who wins when both sides changed one field"), "{words}");
    }

    #[test]
    fn no_line_of_a_comment_is_taken_for_a_request() {
        let page = settings("# .so /etc/passwd\n# 'tis \\n\n#key = \"a\\b\"\n");
        let rest = page.strip_prefix(HEAD).unwrap().strip_suffix(TAIL).unwrap();
        assert_eq!(
            rest,
            ".SH DESCRIPTION\n.TP\n.B \"key = \\(dqa\\eb\\(dq\"\n(an example)\n\\&.so /etc/passwd\n\\&\\(aqtis \\en\n"
        );
    }
}
