//! The chapter on the train: Anna goes offline, enters ten edits, a colleague changes things meanwhile, and going online brings
//! both together. Everything goes through the commands that a person types.

use clap::Parser;
use serde_json::json;
use uuid::Uuid;

use super::stage::Stage;
use super::world::api::User;
use super::{Answer, Arguments, Installation, Story};

/// A name of the story, made into an id: a second run meets what the first one made.
fn id(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("liaison demo, {name}").as_bytes())
}

const CATERER: &str = "Speisewagen Linz";
const FAIR: &str = "Fair 2031";

/// What Anna types on the train.
const EDITS: [&[&str]; 10] = [
    &["create", "account", "name=Ostbahn Kantinen", "address1_city=Graz"],
    &[
        "create",
        "contact",
        "firstname=Ida",
        "lastname=Bahn",
        "parentcustomerid=account:Ostbahn Kantinen",
    ],
    &[
        "create",
        "contact",
        "firstname=Otto",
        "lastname=Gleis",
        "parentcustomerid=account:Ostbahn Kantinen",
    ],
    &["create", "task", "subject=Send Ida the menu", "regardingobjectid=contact:Ida Bahn"],
    &[
        "create",
        "task",
        "subject=Call Otto",
        "regardingobjectid=contact:Otto Gleis",
        "prioritycode=High",
    ],
    &["create", "lead", "firstname=Mia", "lastname=Weiche", "subject=Night trains"],
    &[
        "update",
        "account",
        CATERER,
        "telephone1=+43 1 5550100",
        "websiteurl=https://linz.example.com",
    ],
    &["update", "opportunity", FAIR, "closeprobability=80"],
    &["update", "task", "Book the stand", "percentcomplete=50"],
    &["delete", "lead", "Old Lead"],
];

/// Goes offline, works, and comes back; nothing where an earlier run did so.
///
/// # Errors
/// When one of the commands fails.
pub(super) async fn journey(stage: &Stage, story: &mut Story) -> anyhow::Result<()> {
    story.chapter("On the train: ten edits without the CRM")?;
    let account = id("account");
    if stage.api.has(User::Anna, &format!("accounts({account})")).await? {
        return story.line("   Anna made the journey in an earlier run.");
    }
    let (account, lead, task, fair) = (
        account.to_string(),
        id("lead").to_string(),
        id("task").to_string(),
        id("fair").to_string(),
    );
    let name = format!("name={CATERER}");
    for line in [
        ["record", "create", "account", &name, "--id", &account].as_slice(),
        &["record", "create", "opportunity", &format!("name={FAIR}"), "--id", &fair],
        &["record", "create", "lead", "firstname=Old", "lastname=Lead", "--id", &lead],
        &["record", "create", "task", "subject=Book the stand", "--id", &task],
    ] {
        run(stage, line).await?;
    }
    show(stage, story, &["offline", "account", "contact", "lead", "opportunity", "task"]).await?;
    for edit in EDITS {
        let line: Vec<&str> = ["record"].into_iter().chain(edit.iter().copied()).collect();
        show(stage, story, &line).await?;
    }
    show(stage, story, &["search", "kantin"]).await?;
    let site = json!({ "websiteurl": "https://speisewagen.example.net", "fax": "+43 1 5550199" });
    stage.api.change(User::Bo, &format!("accounts({account})"), &site).await?;
    story.line(format!("   - Meanwhile Bo gives {CATERER} another web site, and a fax number."))?;
    let name = json!({ "description": "Hall 4" });
    stage.api.change(User::Bo, &format!("opportunities({fair})"), &name).await?;
    story.line(format!("   - Bo notes the hall in {FAIR}."))?;
    story.line("")?;
    show(stage, story, &["online"]).await?;
    show(stage, story, &["outbox", "list"]).await?;
    run(stage, &["outbox", "settle", "1", "theirs"]).await?;
    story.line("   Anna lets Bo's web site stand: `liaison outbox settle 1 theirs`")?;
    story.line("")
}

async fn show(stage: &Stage, story: &Story, line: &[&str]) -> anyhow::Result<()> {
    let answer = run(stage, line).await?;
    let quoted: Vec<String> = line
        .iter()
        .map(|word| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() })
        .collect();
    story.command(&quoted.join(" "), &answer)
}

async fn run(stage: &Stage, line: &[&str]) -> anyhow::Result<Answer> {
    let arguments = Arguments::try_parse_from(["liaison"].iter().chain(line))?;
    let here = Installation { json: true, ..stage.here.clone() };
    Box::pin(super::super::execute_here(arguments.command, &here)).await
}
