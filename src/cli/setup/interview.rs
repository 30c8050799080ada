//! How an answer is had: it was given, or a person at the terminal is asked, or the usual one counts. It must not know what is
//! asked about.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;

use inquire::list_option::ListOption;
use inquire::validator::Validation;
use inquire::{InquireError, MultiSelect, Select, Text};

use super::answers::{Answers, is_yes, word};
use crate::cli::output::{self, Page, short};
use crate::cli::{Exit, Stop};

/// Refuses an answer, with the reason.
pub(super) type Check = fn(&str) -> Result<(), String>;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// As in [`super::questions::QUESTIONS`].
    pub(super) name: &'static str,
    pub(super) asks: &'a str,
    /// A line below it.
    pub(super) help: &'a str,
    /// What counts when nothing is said.
    pub(super) usual: Option<&'a str>,
}

/// One of several answers.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) answer: String,
    pub(super) label: String,
}

impl Choice {
    pub(super) fn new(answer: impl Into<String>, label: impl Into<String>) -> Self {
        Self { answer: answer.into(), label: label.into() }
    }
}

/// Longer ones would break in a terminal of 80 columns.
const LABEL_MAX: usize = 76;

/// What is answered, and whoever answers the rest.
#[derive(Debug)]
pub(super) struct Interview {
    /// Whether a person is there.
    pub(super) is_terminal: bool,
    /// Answers that count without being asked.
    given: Answers,
    /// What the present configuration says, or was answered before: counts where nothing else is said.
    present: Answers,
    /// What was answered.
    pub(super) answers: Answers,
    /// Names whose given answer was no good: a person is asked.
    refused: BTreeSet<&'static str>,
}

/// Why there is no answer.
type Asked<T> = anyhow::Result<T>;

impl Interview {
    /// `json`: a program reads, so nobody is asked.
    pub(super) fn new(given: Answers, present: Answers, json: bool) -> Self {
        let is_terminal =
            !json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let (answers, refused) = (Answers::default(), BTreeSet::new());
        Self { is_terminal, given, present, answers, refused }
    }

    /// The answer that was given, whether or not it was asked for yet.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.given.get(name).filter(|_| !self.refused.contains(name))
    }

    /// What the present configuration says.
    pub(super) fn present(&self, name: &str) -> Option<&str> {
        self.present.get(name)
    }

    /// Makes another answer the present one.
    pub(super) fn propose(&mut self, name: &'static str, answer: impl Into<String>) {
        self.present.set(name, answer);
    }

    /// Takes more answers as given.
    pub(super) fn accept(&mut self, answers: Answers) {
        self.given = std::mem::take(&mut self.given).or(answers).implied();
    }

    /// Takes answers back: they are asked for again, and proposed as they were.
    pub(super) fn again(&mut self, names: &[&'static str]) {
        for name in names {
            self.refused.insert(name);
            if let Some(answer) = self.answers.remove(name) {
                self.present.set(name, answer);
            }
        }
    }

    /// Everything that was answered or given: what is kept when the set-up is stopped.
    pub(super) fn kept(&self) -> Answers {
        self.answers.clone().or(self.given.clone())
    }

    /// Says something.
    ///
    /// # Errors
    /// When the reader went away.
    pub(super) fn say(&self, page: &Page) -> std::io::Result<()> {
        if self.is_terminal { output::tell(&page.fitted()) } else { Ok(()) }
    }

    /// An answer in words.
    ///
    /// # Errors
    /// When there is none, or the person stopped.
    pub(super) fn text(&mut self, question: Question<'_>, check: Check) -> Asked<String> {
        let usual = self.present(question.name).or(question.usual).map(str::to_owned);
        let mut wrong = None;
        if let Some(given) = self.given(question.name).map(str::to_owned) {
            match check(&given) {
                Ok(()) => return Ok(self.keep(question.name, given)),
                Err(reason) => wrong = Some((given, reason)),
            }
        }
        if !self.is_terminal {
            let usual = usual.filter(|usual| wrong.is_none() && check(usual).is_ok());
            return match usual {
                Some(usual) => Ok(self.keep(question.name, usual)),
                None => Err(unanswered(&question, wrong).into()),
            };
        }
        if let Some((given, reason)) = wrong {
            self.say(&refusal(&given, &reason))?;
        }
        let shown = |answer: &str| short(answer, room(question.asks));
        let mut text =
            Text::new(question.asks).with_help_message(question.help).with_formatter(&shown);
        if let Some(usual) = usual.as_deref() {
            text = text.with_default(usual);
        }
        let text = text.with_validator(move |answer: &str| {
            Ok(match check(answer.trim()) {
                Ok(()) => Validation::Valid,
                Err(reason) => Validation::Invalid(reason.into()),
            })
        });
        let answer = wait(|| text.prompt())?;
        Ok(self.keep(question.name, answer.trim().to_owned()))
    }

    /// One of several answers; one that is not among them is taken if `check` takes it.
    ///
    /// # Errors
    /// As for [`Interview::text`].
    pub(super) fn choose(
        &mut self,
        question: Question<'_>,
        choices: Vec<Choice>,
        check: Check,
    ) -> Asked<String> {
        let usual = self.present(question.name).or(question.usual).map(str::to_owned);
        let is_one = |answer: &str| choices.iter().any(|choice| choice.answer == answer);
        let mut wrong = None;
        if let Some(given) = self.given(question.name).map(str::to_owned) {
            match check(&given) {
                Err(reason) if !is_one(&given) => wrong = Some((given, reason)),
                _ => return Ok(self.keep(question.name, given)),
            }
        }
        if !self.is_terminal {
            return match usual.filter(|_| wrong.is_none()) {
                Some(usual) => Ok(self.keep(question.name, usual)),
                None => Err(unanswered(&question, wrong).into()),
            };
        }
        if let Some((given, reason)) = wrong {
            self.say(&refusal(&given, &reason))?;
        }
        let at = choices.iter().position(|choice| Some(&choice.answer) == usual.as_ref());
        let answer = pick(question.asks, question.help, choices, at.unwrap_or_default())?;
        Ok(self.keep(question.name, answer))
    }

    /// Yes or no.
    ///
    /// # Errors
    /// As for [`Interview::text`].
    pub(super) fn agree(&mut self, question: Question<'_>) -> Asked<bool> {
        let check: Check = |answer| match is_yes(answer) {
            Some(_) => Ok(()),
            None => Err("answer yes or no".to_owned()),
        };
        let answer = self.text(question, check)?;
        let yes = is_yes(&answer).unwrap_or_default();
        self.keep(question.name, word(yes).to_owned());
        Ok(yes)
    }

    fn keep(&mut self, name: &'static str, answer: String) -> String {
        self.answers.set(name, answer.clone());
        answer
    }
}

/// What to do now; of no consequence for the configuration.
///
/// # Errors
/// When the person stopped.
pub(super) fn decide(asks: &str, help: &str, choices: Vec<Choice>) -> Asked<String> {
    pick(asks, help, choices, 0)
}

/// Those of several that a person leaves; `on` are the numbers of those that are chosen at first.
///
/// # Errors
/// When the person stopped.
pub(super) fn leave(asks: &str, choices: &[Choice], on: &[usize]) -> Asked<Vec<Choice>> {
    let labels: Vec<String> =
        choices.iter().map(|choice| short(&choice.label, LABEL_MAX)).collect();
    let shown = |picked: &[ListOption<&String>]| format!("{} of {}", picked.len(), choices.len());
    let select = MultiSelect::new(asks, labels)
        .with_help_message("↑↓ to move, Space to choose or leave, Enter when done")
        .with_default(on)
        .with_formatter(&shown);
    let picked = wait(|| select.without_filtering().with_page_size(10).raw_prompt())?;
    let is_left = |at: &usize| picked.iter().all(|option| option.index != *at);
    let left = choices.iter().enumerate().filter(|(at, _)| is_left(at));
    Ok(left.map(|(_, choice)| choice.clone()).collect())
}

/// Columns that are left for an answer behind its question.
fn room(asks: &str) -> usize {
    LABEL_MAX.saturating_sub(asks.chars().count()).max(10)
}

fn pick(asks: &str, help: &str, choices: Vec<Choice>, at: usize) -> Asked<String> {
    let labels: Vec<String> =
        choices.iter().map(|choice| short(&choice.label, LABEL_MAX)).collect();
    let shown = |picked: ListOption<&String>| short(picked.value, room(asks));
    let select = Select::new(asks, labels).with_help_message(help).with_starting_cursor(at);
    let select = select.with_formatter(&shown);
    let picked = wait(|| select.without_filtering().with_page_size(10).raw_prompt())?;
    let choice = choices.into_iter().nth(picked.index);
    choice.map(|choice| choice.answer).ok_or_else(|| anyhow::anyhow!("there is no such choice"))
}

/// A person may think for long, and other work goes on.
pub(super) fn wait<T>(asking: impl FnOnce() -> Result<T, InquireError>) -> Asked<T> {
    tokio::task::block_in_place(asking).map_err(|error| match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => stopped(),
        error => error.into(),
    })
}

/// That the person stopped.
pub(super) fn stopped() -> anyhow::Error {
    Stop::new(Exit::Failed, STOPPED, "go on: `liaison setup`").into()
}

const STOPPED: &str = "stopped; nothing was changed since, and what you answered is kept";

fn refusal(given: &str, reason: &str) -> Page {
    let mut page = Page::default();
    page.wrapped("✗ ", &format!("“{}”: {reason}", short(given, 200)));
    page
}

fn unanswered(question: &Question<'_>, wrong: Option<(String, String)>) -> Stop {
    let name = question.name;
    let hint = format!("answer with --{name}, or `{name} = \"…\"` in the file of --answers");
    if let Some((given, reason)) = wrong {
        let message = format!("`{name}` cannot be “{}”: {reason}", short(&given, 200));
        return Stop::new(Exit::Usage, message, hint);
    }
    let asks = question.asks.trim_end_matches(['?', ':']);
    Stop::new(Exit::Usage, format!("not answered: {asks}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(given: &[(&'static str, &str)], present: &[(&'static str, &str)]) -> Interview {
        let answers = |pairs: &[(&'static str, &str)]| {
            let mut answers = Answers::default();
            for (name, answer) in pairs {
                answers.set(name, *answer);
            }
            answers
        };
        Interview::new(answers(given), answers(present), true)
    }

    fn question(usual: Option<&str>) -> Question<'_> {
        Question { name: "email-host", asks: "Which server?", help: "", usual }
    }

    fn no_blanks(answer: &str) -> Result<(), String> {
        if answer.contains(' ') { Err("it has a blank".to_owned()) } else { Ok(()) }
    }

    #[test]
    fn what_is_given_counts_before_the_present_and_that_before_the_usual() {
        let host = |given: &[_], present: &[_], usual| {
            alone(given, present)
                .text(question(usual), no_blanks)
                .map_err(|error| error.to_string())
        };
        let (a, b) = ([("email-host", "a")], [("email-host", "b")]);
        assert_eq!(host(&a, &b, Some("c")), Ok("a".to_owned()));
        assert_eq!(host(&[], &b, Some("c")), Ok("b".to_owned()));
        assert_eq!(host(&[], &[], Some("c")), Ok("c".to_owned()));
        assert_eq!(host(&[], &[], None), Err("not answered: Which server".to_owned()));
        let wrong = host(&[("email-host", "a b")], &b, None).unwrap_err();
        assert_eq!(wrong, "`email-host` cannot be “a b”: it has a blank");
    }

    #[test]
    fn an_answer_that_was_taken_back_does_not_count_any_more() {
        let mut interview = alone(&[("email-host", "a")], &[]);
        assert_eq!(interview.text(question(None), no_blanks).unwrap(), "a");
        interview.again(&["email-host"]);
        assert_eq!(interview.given("email-host"), None);
        assert_eq!(interview.present("email-host"), Some("a"));
        assert_eq!(interview.answers.get("email-host"), None);
    }

    #[test]
    fn agreement_has_words() {
        let ask = |word| {
            alone(&[("send", word)], &[]).agree(Question {
                name: "send",
                asks: "Send?",
                help: "",
                usual: Some("no"),
            })
        };
        assert!(ask("Yes").unwrap() && ask("true").unwrap() && !ask("no").unwrap());
        assert!(ask("perhaps").unwrap_err().to_string().contains("yes or no"));
    }
}
