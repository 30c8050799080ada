//! The organisation: its address, the sign-in, and whether its user is the owner of the mailbox.

use url::{Host, Url};

use super::interview::{self, Choice, Question};
use super::part::{Part, is_settled};
use super::search::is_own;
use super::sign_in::{self, Ask, Door};
use super::{Wizard, remark, stop};
use crate::cli::Exit;
use crate::cli::doctor::Which;
use crate::cli::output::Page;
use crate::connector::dataverse::Dataverse;
use crate::connector::discover::organisations::{CLOUDS, Known, organisations};
use crate::connector::http;
use crate::model::Address;

const CRM: Part = Part {
    which: Which::Crm,
    names: &["organisation-url", "organisation-sign-in", "organisation-token-command"],
    ca: "organisation-ca",
    pin: "organisation-pin",
};

const DOOR: Door = Door {
    part: "crm",
    way: "organisation-sign-in",
    ways: &["oauth", "command"],
    password: "",
    token: "organisation-token-command",
    credential: "",
};

/// The answer that says who lists organisations, where that is none of [`CLOUDS`].
const DISCOVERY: &str = "organisation-discovery";

/// Asks for the organisation, until it can be used.
pub(super) async fn organisation(wizard: &mut Wizard<'_>) -> anyhow::Result<()> {
    loop {
        let is_signed_in = place(wizard).await?;
        name(wizard)?;
        if is_signed_in {
            wizard.interview.answers.set(DOOR.way, "oauth");
        } else {
            let url = wizard.interview.answers.get("organisation-url");
            let is_local = url.is_some_and(|url| url.starts_with("http:"));
            sign_in::choose(wizard, DOOR, Some(if is_local { "command" } else { "oauth" }))?;
        }
        if is_settled(wizard, CRM, Some(DOOR)).await? {
            return Ok(());
        }
    }
}

/// Asks for the address. Whether the person had to sign in for it.
async fn place(wizard: &mut Wizard<'_>) -> anyhow::Result<bool> {
    let is_open = wizard.interview.given("organisation-url").is_none();
    if wizard.interview.is_terminal && is_open {
        let listed = wizard.interview.given(DISCOVERY).unwrap_or("Microsoft");
        let mut choices = vec![
            Choice::new("url", "I know its address …"),
            Choice::new("find", format!("Look for mine at {listed} …")),
        ];
        if let Some(present) = wizard.interview.present("organisation-url") {
            choices.insert(0, Choice::new("present", format!("As it is: {present}")));
        }
        let how = interview::decide("Your organisation:", "↑↓ to move, Enter to choose", choices)?;
        if how == "find" && find(wizard).await? {
            return Ok(true);
        }
        if let (Some(present), "present") = (wizard.interview.present("organisation-url"), &*how) {
            let present = present.to_owned();
            wizard.interview.answers.set("organisation-url", present);
            return Ok(false);
        }
    }
    let question = Question {
        name: "organisation-url",
        asks: "The address of your organisation:",
        help: "as in a browser: https://contoso.crm4.dynamics.com; or that of a sandbox",
        usual: None,
    };
    let answer = wizard.interview.text(question, |answer| bare(answer).map(drop))?;
    let url =
        bare(&answer).map_err(|reason| stop(Exit::Usage, reason, "answer --organisation-url"))?;
    wizard.interview.answers.set("organisation-url", url);
    Ok(false)
}

/// Signs in at Microsoft and shows the organisations that are told there. Whether one was chosen.
async fn find(wizard: &mut Wizard<'_>) -> anyhow::Result<bool> {
    let cloud = if let Some(given) = wizard.interview.given(DISCOVERY) {
        http::server_url(given)?.origin().ascii_serialization()
    } else {
        let choices = CLOUDS.iter().map(|(name, host)| Choice::new(*host, *name)).collect();
        interview::decide("In which cloud is it?", "↑↓ to move, Enter to choose", choices)?
    };
    let Some(found) = listed(wizard, &cloud).await? else { return Ok(false) };
    if found.is_empty() {
        remark(&wizard.interview, "no organisation of yours is told there: write its address")?;
        return Ok(false);
    }
    let label = |one: &Known| format!("{} ({})", one.name, one.url.host_str().unwrap_or_default());
    let mut choices: Vec<Choice> = found
        .iter()
        .map(|one| Choice::new(one.url.origin().ascii_serialization(), label(one)))
        .collect();
    choices.push(Choice::new("", "None of these: I write its address …"));
    let chosen = interview::decide("Which one?", "↑↓ to move, Enter to choose", choices)?;
    if chosen.is_empty() {
        return Ok(false);
    }
    wizard.interview.answers.set("organisation-url", chosen);
    Ok(true)
}

/// The organisations that are told there, once somebody is signed in; `None` where the person gave up.
async fn listed(wizard: &mut Wizard<'_>, cloud: &str) -> anyhow::Result<Option<Vec<Known>>> {
    let mut ask = Ask::Missing;
    loop {
        sign_in::provider(wizard)?;
        match told(wizard, cloud, ask).await {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => {}
            Err(error) => remark(&wizard.interview, &format!("{error:#}"))?,
        }
        let choices = vec![
            Choice::new("again", "Sign in again"),
            Choice::new("code", "Sign in by a code, in a browser anywhere"),
            Choice::new("provider", "Sign in at another provider …"),
            Choice::new("address", "Write the address instead …"),
        ];
        let help = "Esc stops; what you answered is kept";
        ask = match interview::decide("It does not work like this. What now?", help, choices)?
            .as_str()
        {
            "again" => Ask::Again,
            "code" => Ask::ByCode,
            "provider" => {
                wizard.interview.again(&sign_in::PROVIDER);
                Ask::Missing
            }
            _ => return Ok(None),
        };
    }
}

/// Asks the service that knows organisations; `None` where nobody signed in. It is signed in at as one of them is.
async fn told(
    wizard: &mut Wizard<'_>,
    cloud: &str,
    ask: Ask,
) -> anyhow::Result<Option<Vec<Known>>> {
    let as_one =
        [("organisation-url", cloud), ("organisation", "none"), ("organisation-sign-in", "oauth")];
    let before = wizard.interview.answers.clone();
    for (name, answer) in &as_one {
        wizard.interview.answers.set(name, *answer);
    }
    let opened = sign_in::open(wizard, DOOR, ask).await;
    let settings = wizard.settings();
    wizard.interview.answers = before;
    let (opened, settings) = (opened?, settings?);
    let organisation = settings.sync_organisation().filter(|_| opened);
    let Some((_, organisation)) = organisation else { return Ok(None) };
    let token = wizard.here.bearer(organisation).secret().await?;
    Ok(Some(organisations(cloud, &token, &organisation.trust).await?))
}

/// What the configuration takes of an address that was copied from a browser.
fn bare(answer: &str) -> Result<String, String> {
    let answer = answer.trim();
    let whole =
        if answer.contains("://") { answer.to_owned() } else { format!("https://{answer}") };
    let url = http::server_url(&whole).map_err(|error| error.message)?;
    Ok(url.origin().ascii_serialization())
}

/// What it is called here. A configuration that has one keeps its name: another organisation is another matter.
fn name(wizard: &mut Wizard<'_>) -> anyhow::Result<()> {
    let present = wizard.interview.present("organisation").map(str::to_owned);
    let given = wizard.interview.given("organisation").map(str::to_owned);
    if let (Some(present), Some(given)) = (&present, &given)
        && present != given
    {
        let message = format!("the mailbox is kept in step with `{present}`, not with `{given}`");
        let hint = format!(
            "add it with `liaison org add {given}`, then `liaison org use {given}` says what changing means"
        );
        return Err(stop(Exit::Usage, message, hint));
    }
    let url = wizard.interview.answers.get("organisation-url").unwrap_or_default();
    let name = given.or(present).unwrap_or_else(|| usual_name(url));
    wizard.interview.answers.set("organisation", name);
    Ok(())
}

/// `contoso`, of `https://contoso.crm4.dynamics.com`.
fn usual_name(url: &str) -> String {
    let url = Url::parse(url).ok();
    let first = match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(host)) if host != "localhost" => {
            host.split('.').next().unwrap_or_default()
        }
        _ => "sandbox",
    };
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = first.chars().filter(plain).collect();
    if name.is_empty() { "crm".to_owned() } else { name }
}

/// Asks about an address by which the CRM knows its user, where it is none of the mailbox's. Where the organisation cannot be
/// reached, nothing is asked: why shows when it is looked at.
pub(super) async fn same_person(wizard: &mut Wizard<'_>) -> anyhow::Result<()> {
    let Ok(settings) = wizard.settings() else { return Ok(()) };
    let Some((name, organisation)) = settings.sync_organisation() else { return Ok(()) };
    let options = wizard.here.options(name, organisation, &settings);
    let Ok(dataverse) = Dataverse::connect(options, wizard.here.clock.clone(), None).await else {
        return Ok(());
    };
    let known: Vec<&str> = dataverse.me().iter().map(Address::as_str).collect();
    if known.is_empty() || known.iter().any(|address| is_own(&wizard.interview, address)) {
        return Ok(());
    }
    let address = wizard.interview.answers.get("address").unwrap_or_default().to_owned();
    let mut page = Page::default();
    page.wrapped(
        "! ",
        &format!("The CRM knows its user as {}, your mailbox is {address}.", known.join(", ")),
    );
    wizard.interview.say(&page)?;
    let is_same = wizard.interview.agree(Question {
        name: "same-person",
        asks: "Are both you? (yes/no)",
        help: "if not, sign in to the CRM as the owner of the mailbox",
        usual: Some("no"),
    })?;
    if is_same {
        let aliases = wizard.interview.answers.get("aliases").unwrap_or_default();
        let all: Vec<&str> =
            std::iter::once(aliases).filter(|it| !it.is_empty()).chain(known).collect();
        let all = all.join(", ");
        wizard.interview.answers.set("aliases", all);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_come_from_a_browser() {
        for (answer, expected) in [
            (
                "https://contoso.crm4.dynamics.com/main.aspx?appid=1#x",
                "https://contoso.crm4.dynamics.com",
            ),
            (" contoso.crm4.dynamics.com ", "https://contoso.crm4.dynamics.com"),
            ("http://127.0.0.1:8820/", "http://127.0.0.1:8820"),
        ] {
            assert_eq!(bare(answer).as_deref(), Ok(expected));
        }
        for bad in
            ["", "http://contoso.crm4.dynamics.com", "https://a:b@contoso.crm4.dynamics.com", "a b"]
        {
            assert!(bare(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_organisation_is_called_by_its_first_word() {
        assert_eq!(usual_name("https://contoso.crm4.dynamics.com"), "contoso");
        assert_eq!(usual_name("http://127.0.0.1:1"), "sandbox");
        assert_eq!(usual_name("http://[::1]:1"), "sandbox");
        assert_eq!(usual_name("http://localhost:1"), "sandbox");
    }
}
