//! `liaison uninstall`: leaves a computer so that nothing is left behind and nothing is lost. It never touches an item or a record:
//! what was in step stays on both sides as it is. What is only here (edits that were not sent, mails on their way, values that lost
//! a conflict) stops it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use super::open::silent;
use super::output::{Answer, Page};
use super::{Exit, Installation, Stop, auth, instance, service};

/// What the state holds, and what of it is nowhere else.
pub mod holdings;

use holdings::Holdings;

/// Remove the service, and with --unlink everything that is kept here
///
/// Nothing is deleted or changed in the mailbox or in the CRM: both keep what they have. Without --yes it only shows what it would do.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison uninstall                 what would go: the service\n  liaison uninstall --unlink        what would go: all that is kept here, too\n  liaison uninstall --unlink --yes  do it"
)]
pub struct Uninstall {
    /// Stop being the computer that syncs, and remove what is kept here: links, history, decisions, the offline copies
    #[arg(long)]
    unlink: bool,
    /// With --unlink: even if something waits that is nowhere else; it is lost then
    #[arg(long, requires = "unlink")]
    drop_outbox: bool,
    /// With --unlink: without a word to the CRM; it goes on naming this computer as the one that syncs
    #[arg(long, requires = "unlink")]
    without_crm: bool,
    /// Do it
    #[arg(long)]
    yes: bool,
}

impl Uninstall {
    /// # Errors
    /// When something waits that would be lost, the CRM cannot be reached, or a file cannot be removed.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        if !self.yes {
            return self.preview(here).await;
        }
        if !self.unlink {
            let removed = service::uninstall(here).await?;
            let mut page = Page::default();
            page.line("the service is stopped and removed; everything else is as it was");
            return Ok(Answer::new(page, json!({ "done": true, "removed": removed })));
        }
        // It would change what is counted here, and it has the right to write.
        service::stop(here).await?;
        let again = "the service is stopped; `liaison service start` starts it again";
        let (mut removed, left) = self.unlink(here).await.context(again)?;
        removed.extend(service::uninstall(here).await?);
        let mut page = Page::default();
        page.line("nothing is left here but the configuration:");
        page.line(format!("  {}", here.directories.config.display()));
        page.line("the mailbox and the CRM keep what they have");
        let mut answer =
            Answer::new(page, json!({ "done": true, "removed": removed, "left": left }));
        answer.notes.extend(left);
        Ok(answer)
    }

    async fn preview(&self, here: &Installation) -> anyhow::Result<Answer> {
        let files = service::traces(here)?;
        let mut page = Page::default();
        page.line("would be removed:");
        match files.as_slice() {
            [] => page.line(
                "  the service, if a package brought it: it is stopped, and not started any more",
            ),
            files => {
                page.line("  the service, which is stopped first:");
                for file in files {
                    page.line(format!("    {}", file.display()));
                }
            }
        }
        if !self.unlink {
            page.line("would stay: the configuration, and all that is kept here (`--unlink` removes that)");
            let json = json!({ "done": false, "files": files });
            return Ok(Answer::new(page, json).note("→ do it: `liaison uninstall --yes`"));
        }
        let holdings = Holdings::of(&here.directories.state).await?;
        self.describe(&mut page, here, &holdings);
        let json = json!({ "done": false, "files": files, "state": holdings.to_json() });
        let answer = Answer::new(page, json);
        Ok(if holdings.is_lost() && !self.drop_outbox {
            answer.exit(Exit::Held).note(format!("→ {WAITS}"))
        } else {
            answer.note("→ do it: the same with `--yes`")
        })
    }

    fn describe(&self, page: &mut Page, here: &Installation, holdings: &Holdings) {
        page.line(format!("  what is kept in {}:", here.directories.state.display()));
        holdings.describe(page);
        if !self.without_crm {
            page.line("  in the CRM: that this computer is the one that syncs, if it is");
        }
        page.line("  in the keyring: the sign-ins and passwords of this installation");
        page.line("would stay:");
        page.line("  every item and record, on both sides, as it is now");
        page.wrapped(
            "  ",
            "in the mailbox: the categories and keywords of what is tracked. They are true, and your other computers go by them: \
             taking them away would leave those messages out there",
        );
        page.line(format!("  the configuration: {}", here.directories.config.display()));
        holdings.describe_lost(page);
    }

    /// Gives up the role, forgets sign-ins and passwords, and removes the state. The files that are gone, and what could not be
    /// forgotten.
    async fn unlink(&self, here: &Installation) -> anyhow::Result<(Vec<PathBuf>, Vec<String>)> {
        let state = &here.directories.state;
        if !state.exists() {
            return Ok((Vec::new(), Vec::new()));
        }
        let holdings = Holdings::of(state).await?;
        if holdings.is_lost() && !self.drop_outbox {
            let mut page = Page::default();
            holdings.describe_lost(&mut page);
            return Err(Stop::new(Exit::Held, page.as_str().trim_end(), WAITS).into());
        }
        // Until the last file is gone, nobody else begins here.
        let _lock = if self.without_crm || !holdings.has_store {
            here.lock().await?
        } else {
            let (opened, lock) = here.open(silent()).await.context(
                "that this computer syncs cannot be taken back in the CRM (`--without-crm` leaves it there)",
            )?;
            instance::give_up(here, &opened).await?;
            drop(opened);
            lock
        };
        // Without a configuration, nothing says what the keyring holds.
        let left = match here.load() {
            Ok(loaded) => auth::forget_all(here, &loaded.settings).await,
            Err(_) => Vec::new(),
        };
        Ok((remove_state(state)?, left))
    }
}

const WAITS: &str = "send and settle it first: `liaison sync`, `liaison online`, `liaison status` say what is left; \
                     or lose it: `--drop-outbox`";

/// Removes what is ours from the state folder, and the folder if nothing else is in it. What somebody else put there stays.
fn remove_state(state: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for name in FOLDERS {
        let folder = state.join(name);
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry?;
            let is_file = !entry.file_type()?.is_dir();
            if is_file && entry.file_name().to_str().is_some_and(|file| is_ours(name, file)) {
                let file = entry.path();
                std::fs::remove_file(&file)
                    .with_context(|| format!("{} cannot be removed", file.display()))?;
                removed.push(file);
            }
        }
        // Not empty: not only ours.
        drop(std::fs::remove_dir(&folder));
    }
    removed.sort();
    Ok(removed)
}

/// The folders of the state that hold files of ours; the store lies in the last one: as long as it is there, what is missing is
/// known.
const FOLDERS: [&str; 5] = ["log", "offline", "auth", "run", ""];

fn is_ours(folder: &str, name: &str) -> bool {
    match folder {
        "log" => name.strip_suffix(".log").is_some_and(|number| number.parse::<u64>().is_ok()),
        "offline" => name.ends_with(".replay") || name.contains(".db"),
        "auth" => Path::new(name).extension().is_some_and(|end| end == "json" || end == "lock"),
        "run" => name == "control.sock",
        _ => matches!(name, "lock" | "service.xml" | "setup.toml") || name.starts_with("store.db"),
    }
}
