//! What a person sees: the picture, the sentence and the menu that belong to what the service says. Decides; does nothing.

use liaison::ipc::wire::{Class, ClassStatus, Need, NeedKind, State, Status};

use super::icon::Icon;
use super::link::{Link, Wish};

/// What shall be done when an entry is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The service shall.
    Ask(Wish),
    /// The service shall run.
    Start,
    /// A terminal with the command for what waits.
    Review(NeedKind),
    /// A terminal with the log.
    Log,
    Quit,
}

/// A line of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Does(String, Action),
    /// To be read only.
    Says(String),
    Line,
}

/// All that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Face {
    pub(crate) icon: Icon,
    /// Whether a person is needed.
    pub(crate) is_urgent: bool,
    pub(crate) sentence: String,
    /// More to know, in lines.
    pub(crate) details: Vec<String>,
    pub(crate) menu: Vec<Entry>,
}

/// A menu with longer lines covers the screen.
const LABEL_MAX: usize = 90;

impl Face {
    pub(crate) fn of(link: &Link) -> Self {
        match link {
            Link::Up(status) => Self::up(status),
            Link::Absent => Self::down(Icon::Absent, "The service does not run".to_owned()),
            Link::Unclear(why) => Self::down(Icon::Is(State::Error), sentence_case(why)),
        }
    }

    fn up(status: &Status) -> Self {
        let needs = status.needs.iter().map(|need| need.text.clone());
        Self {
            icon: Icon::Is(status.state),
            is_urgent: matches!(status.state, State::Held | State::SignIn | State::Error),
            sentence: sentence_case(&status.sentence),
            details: needs
                .map(|need| sentence_case(&need))
                .chain(linked(&status.classes))
                .map(|line| cut(&line))
                .collect(),
            menu: menu(status),
        }
    }

    /// Without a service only what needs none is left.
    fn down(icon: Icon, sentence: String) -> Self {
        let menu = vec![
            Entry::Says(cut(&sentence)),
            Entry::Line,
            Entry::Does("Start the service".to_owned(), Action::Start),
            Entry::Does("Open the log".to_owned(), Action::Log),
            Entry::Line,
            Entry::Does("Quit".to_owned(), Action::Quit),
        ];
        Self { icon, is_urgent: false, sentence, details: Vec::new(), menu }
    }
}

fn menu(status: &Status) -> Vec<Entry> {
    let ask = |label: &str, wish| Entry::Does(label.to_owned(), Action::Ask(wish));
    let mut menu = vec![
        Entry::Says(cut(&sentence_case(&status.sentence))),
        Entry::Line,
        ask("Sync now", Wish::Sync),
        if status.offline {
            ask("Go online", Wish::Online)
        } else {
            ask("Go offline", Wish::Offline)
        },
        if status.paused.is_some() {
            ask("Resume", Wish::Resume)
        } else {
            ask("Pause", Wish::Pause)
        },
        Entry::Line,
    ];
    let before = menu.len();
    menu.extend(status.needs.iter().filter_map(review));
    if menu.len() == before {
        menu.push(Entry::Says("Nothing to review".to_owned()));
    }
    let sign_in = "Sign in again…".to_owned();
    let is_signed_out = status.state == State::SignIn
        || status.needs.iter().any(|need| need.kind == NeedKind::SignIn);
    menu.extend([
        if is_signed_out {
            Entry::Does(sign_in, Action::Review(NeedKind::SignIn))
        } else {
            Entry::Says(sign_in)
        },
        Entry::Does("Open the log".to_owned(), Action::Log),
        Entry::Line,
        Entry::Does("Quit".to_owned(), Action::Quit),
    ]);
    menu
}

/// The entry for what a person must look at.
fn review(need: &Need) -> Option<Entry> {
    let (one, many) = match need.kind {
        NeedKind::Approve => ("Review 1 held change…", "Review {} held changes…"),
        NeedKind::Doubt => ("Decide about 1 mail…", "Decide about {} mails…"),
        NeedKind::Conflict => ("Review 1 conflict…", "Review {} conflicts…"),
        NeedKind::Aside => ("Look at 1 item set aside…", "Look at {} items set aside…"),
        NeedKind::Standby => ("About the other computer…", "About the other computer…"),
        NeedKind::Configuration => ("Check the configuration…", "Check the configuration…"),
        // Has an entry of its own.
        NeedKind::SignIn => return None,
    };
    let label =
        if need.count == 1 { one.to_owned() } else { many.replace("{}", &grouped(need.count)) };
    Some(Entry::Does(label, Action::Review(need.kind)))
}

/// How much is kept in step.
fn linked(classes: &[ClassStatus]) -> Option<String> {
    let counts = classes.iter().map(|class| {
        let (one, many) = match class.class {
            Class::Contact => ("contact", "contacts"),
            Class::Task => ("task", "tasks"),
            Class::Appointment => ("appointment", "appointments"),
            Class::Email => ("message", "messages"),
        };
        format!("{} {}", grouped(class.linked), if class.linked == 1 { one } else { many })
    });
    let counts: Vec<String> = counts.collect();
    (!counts.is_empty()).then(|| format!("Linked: {}", counts.join(", ")))
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One line, as long as fits.
fn cut(text: &str) -> String {
    let line: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    if line.chars().count() <= LABEL_MAX {
        return line;
    }
    line.chars().take(LABEL_MAX - 1).chain(['…']).collect()
}

fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// How a service says that things stand.
    pub(crate) fn status(state: State, needs: &[(NeedKind, u64)]) -> Status {
        let need = |(kind, count): &(NeedKind, u64)| Need {
            kind: *kind,
            count: *count,
            text: format!("{count} of them"),
            command: None,
        };
        Status {
            version: 1,
            state,
            sentence: "everything is in step".to_owned(),
            organisation: Some("contoso".to_owned()),
            mailbox: Some("anna@example.org".to_owned()),
            classes: vec![ClassStatus {
                class: Class::Contact,
                state,
                sentence: "in step".to_owned(),
                linked: 1_234_567,
                last_round: None,
                next_round: None,
            }],
            needs: needs.iter().map(need).collect(),
            paused: None,
            offline: false,
            running_since: "2026-11-22T09:00:00Z".to_owned(),
        }
    }

    fn actions(status: Status) -> Vec<Action> {
        let menu = Face::of(&Link::Up(Box::new(status))).menu;
        menu.into_iter()
            .filter_map(|entry| match entry {
                Entry::Does(_, action) => Some(action),
                Entry::Says(_) | Entry::Line => None,
            })
            .collect()
    }

    #[test]
    fn the_menu_offers_what_can_be_done_now() {
        use Action::{Ask, Log, Quit, Review};
        let quiet = [Ask(Wish::Sync), Ask(Wish::Offline), Ask(Wish::Pause), Log, Quit];
        assert_eq!(actions(status(State::InStep, &[])), quiet);
        let mut away = status(State::Offline, &[]);
        away.offline = true;
        away.paused = Some("until resume".to_owned());
        let expected = [Ask(Wish::Sync), Ask(Wish::Online), Ask(Wish::Resume), Log, Quit];
        assert_eq!(actions(away), expected);
        let needed = [(NeedKind::SignIn, 1), (NeedKind::Approve, 3), (NeedKind::Conflict, 1)];
        let needed = actions(status(State::SignIn, &needed));
        let reviews = [NeedKind::Approve, NeedKind::Conflict, NeedKind::SignIn].map(Review);
        assert_eq!(needed[3..6], reviews);
    }

    #[test]
    fn an_organisation_that_cannot_be_reached_is_not_the_users_choice() {
        let away = status(State::Offline, &[]);
        assert!(actions(away).contains(&Action::Ask(Wish::Offline)));
    }

    #[test]
    fn numbers_and_words_agree() {
        let shown = Face::of(&Link::Up(Box::new(status(State::Held, &[(NeedKind::Approve, 1)]))));
        assert!(shown.is_urgent);
        assert!(shown.details.contains(&"Linked: 1,234,567 contacts".to_owned()));
        let label =
            |count| match review(&status(State::Held, &[(NeedKind::Approve, count)]).needs[0]) {
                Some(Entry::Does(label, _)) => label,
                other => panic!("{other:?}"),
            };
        assert_eq!(label(1), "Review 1 held change…");
        assert_eq!(label(12_000), "Review 12,000 held changes…");
        assert_eq!(
            (grouped(0), grouped(999), grouped(1000)),
            ("0".into(), "999".into(), "1,000".into())
        );
    }

    #[test]
    fn without_a_service_there_is_an_entry_to_start_it() {
        for link in [Link::Absent, Link::Unclear("it speaks version 2".to_owned())] {
            let face = Face::of(&link);
            assert!(face.menu.iter().any(|it| matches!(it, Entry::Does(_, Action::Start))));
        }
        assert_eq!(Face::of(&Link::Unclear("ärger".to_owned())).sentence, "Ärger");
    }

    #[test]
    fn a_long_sentence_is_cut_and_stays_one_line() {
        let cut = cut(&"ä\n".repeat(100));
        assert_eq!(cut.chars().count(), LABEL_MAX);
        assert!(cut.ends_with('…') && !cut.contains('\n'));
    }
}
