//! What is worth a notification: only what is new, needs a person, and was not told before; never more than one a minute about the
//! same. Decides by numbers; knows no content. What was told outlives the tray until the end of the session.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use liaison::ipc::wire::{Need, NeedKind, Status};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// What notifications are about. Each has at most one on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Topic {
    SignIn,
    Standby,
    Held,
    Doubt,
    Conflict,
}

const TOPICS: [Topic; 5] =
    [Topic::SignIn, Topic::Standby, Topic::Held, Topic::Doubt, Topic::Conflict];

/// What shall happen on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many of them wait now; more than was told before.
    Tell(Topic, u64),
    /// There are none left.
    Withdraw(Topic),
}

/// Between two notifications about the same.
const INTERVAL: Duration = Duration::from_mins(1);

/// What was told, and what may be told when.
#[derive(Debug, Default)]
pub(crate) struct News {
    told: Option<Told>,
    last: BTreeMap<Topic, Instant>,
    /// How many there are now.
    counts: BTreeMap<Topic, u64>,
}

/// How many of what the user knows about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    counts: BTreeMap<Topic, u64>,
}

impl News {
    /// Goes on where the tray before this one stopped.
    pub(crate) fn after(told: Option<Told>) -> Self {
        Self { told, ..Self::default() }
    }

    /// What the user knows about.
    pub(crate) fn told(&self) -> Option<&Told> {
        self.told.as_ref()
    }

    /// What is to be done now that things stand so.
    pub(crate) fn hear(&mut self, status: &Status, now: Instant) -> Vec<Step> {
        self.counts = TOPICS.iter().map(|topic| (*topic, count(status, *topic))).collect();
        let counts = &self.counts;
        // What waits when the session begins is shown by the icon; but nothing works for somebody who is not signed in.
        let told = self.told.get_or_insert_with(|| Told {
            counts: counts
                .iter()
                .map(|(topic, count)| (*topic, *count))
                .filter(|it| it.0 != Topic::SignIn)
                .collect(),
        });
        let mut steps = Vec::new();
        if has_looked(status) {
            for (topic, known) in &mut told.counts {
                let count = counts.get(topic).copied().unwrap_or_default();
                if count == 0 && *known > 0 {
                    steps.push(Step::Withdraw(*topic));
                }
                *known = count.min(*known);
            }
        }
        steps.extend(self.due(now));
        steps
    }

    /// What may be told by now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Step> {
        let due: Vec<(Topic, u64)> =
            self.news().filter(|(topic, _)| self.free(*topic) <= Some(now)).collect();
        let Some(told) = &mut self.told else { return Vec::new() };
        for (topic, count) in &due {
            told.counts.insert(*topic, *count);
            self.last.insert(*topic, now);
        }
        due.into_iter().map(|(topic, count)| Step::Tell(topic, count)).collect()
    }

    /// When there will be something to tell, if nothing else happens.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.news().filter_map(|(topic, _)| self.free(topic)).min()
    }

    /// What there is more of than was told.
    fn news(&self) -> impl Iterator<Item = (Topic, u64)> {
        let known = |topic: &Topic| {
            let told = self.told.as_ref()?;
            Some(told.counts.get(topic).copied().unwrap_or_default())
        };
        let counts = self.counts.iter().map(|(topic, count)| (*topic, *count));
        counts.filter(move |(topic, count)| known(topic).is_some_and(|known| *count > known))
    }

    /// From when on this topic may be told again; nothing when it was not told yet.
    fn free(&self, topic: Topic) -> Option<Instant> {
        self.last.get(&topic).map(|last| *last + INTERVAL)
    }
}

fn count(status: &Status, topic: Topic) -> u64 {
    let about = |need: &&Need| match need.kind {
        NeedKind::SignIn => topic == Topic::SignIn,
        NeedKind::Standby => topic == Topic::Standby,
        NeedKind::Approve => topic == Topic::Held,
        NeedKind::Doubt => topic == Topic::Doubt,
        NeedKind::Conflict => topic == Topic::Conflict,
        NeedKind::Configuration | NeedKind::Aside => false,
    };
    status.needs.iter().filter(about).fold(0, |sum, need| sum.saturating_add(need.count.max(1)))
}

/// Whether the service has been through a round since it started. Before, that it names less does not mean that less is there,
/// and the same would be told again after it looked.
fn has_looked(status: &Status) -> bool {
    let moment = |text: &str| text.parse::<Timestamp>().ok();
    let Some(since) = moment(&status.running_since) else { return true };
    let rounds = status.classes.iter().filter_map(|class| class.last_round.as_deref());
    status.classes.is_empty() || rounds.filter_map(moment).any(|last| last >= since)
}

/// More is no file of ours.
const FILE_MAX: u64 = 4096;

impl Told {
    /// What the tray before this one told; nothing if there was none in this session, or nobody can tell.
    pub(crate) fn load(path: &Path) -> Option<Self> {
        let mut text = String::new();
        File::open(path).ok()?.take(FILE_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Keeps it for the next one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(new, path)
    }
}

#[cfg(test)]
mod tests {
    use liaison::ipc::wire::State;

    use super::*;
    use crate::face::tests::status;

    /// A service that has looked at everything.
    fn settled(needs: &[(NeedKind, u64)]) -> Status {
        let mut status = status(State::Held, needs);
        status.classes[0].last_round = Some("2026-11-22T09:00:10Z".to_owned());
        status
    }

    const HELD: NeedKind = NeedKind::Approve;

    #[tokio::test(start_paused = true)]
    async fn what_waits_when_the_session_begins_is_known_but_not_that_nobody_is_signed_in() {
        let mut news = News::default();
        let first = settled(&[(HELD, 3), (NeedKind::Standby, 1), (NeedKind::SignIn, 1)]);
        assert_eq!(news.hear(&first, Instant::now()), [Step::Tell(Topic::SignIn, 1)]);
        assert_eq!(news.hear(&first, Instant::now()), []);
    }

    #[tokio::test(start_paused = true)]
    async fn more_is_told_once_a_minute_and_as_one() {
        let mut news = News::default();
        let mut hear = |count: u64| news.hear(&settled(&[(HELD, count)]), Instant::now());
        assert_eq!(hear(0), [], "a need without a number is one");
        assert_eq!(hear(2), [Step::Tell(Topic::Held, 2)]);
        assert_eq!((hear(3), hear(5)), (Vec::new(), Vec::new()));
        assert_eq!(news.next(), Some(Instant::now() + INTERVAL));
        tokio::time::advance(INTERVAL).await;
        assert_eq!(news.due(Instant::now()), [Step::Tell(Topic::Held, 5)]);
        assert_eq!((news.next(), news.due(Instant::now())), (None, Vec::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_within_the_minute_is_not_told() {
        let mut news = News::default();
        for count in [1, 2, 4] {
            news.hear(&settled(&[(HELD, count)]), Instant::now());
        }
        assert!(news.next().is_some());
        assert_eq!(news.hear(&settled(&[]), Instant::now()), [Step::Withdraw(Topic::Held)]);
        assert_eq!(news.next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_has_just_started_does_not_make_anything_new() {
        let mut news = News::default();
        news.hear(&settled(&[(HELD, 3)]), Instant::now());
        tokio::time::advance(INTERVAL * 2).await;
        // It has not looked yet.
        assert_eq!(news.hear(&status(State::Syncing, &[]), Instant::now()), []);
        assert_eq!(news.hear(&settled(&[(HELD, 3)]), Instant::now()), []);
        assert_eq!(news.hear(&settled(&[]), Instant::now()), [Step::Withdraw(Topic::Held)]);
        assert_eq!(news.hear(&settled(&[(HELD, 3)]), Instant::now()), [Step::Tell(Topic::Held, 3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn another_tray_goes_on_where_this_one_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tray.json");
        let mut news = News::default();
        news.hear(&settled(&[]), Instant::now());
        news.hear(&settled(&[(HELD, 3)]), Instant::now());
        news.told().unwrap().save(&path).unwrap();
        let mut next = News::after(Told::load(&path));
        assert_eq!(next.hear(&settled(&[(HELD, 3)]), Instant::now()), []);
        let more = settled(&[(HELD, 4), (NeedKind::Conflict, 1)]);
        let told = [Step::Tell(Topic::Held, 4), Step::Tell(Topic::Conflict, 1)];
        assert_eq!(next.hear(&more, Instant::now()), told);
    }

    #[test]
    fn a_file_of_somebody_else_is_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tray.json");
        for text in ["", "[]", "{\"counts\":{\"moon\":1}}", "{\"counts\":{\"held\":-1}}"] {
            fs::write(&path, text).unwrap();
            assert_eq!(Told::load(&path), None, "{text}");
        }
        fs::write(&path, "[".repeat(100_000)).unwrap();
        assert_eq!(Told::load(&path), None);
    }
}
