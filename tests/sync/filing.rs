//! What becomes of messages in the CRM: how much of them, which files, how many requests, and that colleagues file a thing once.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use liaison::filter::content::{Keep, Rule};
use liaison::filter::email::Automatic;
use liaison::filter::folder::Folder;
use liaison::filter::pattern::Pattern;
use liaison::model::{Class, Side, Uid};
use liaison::store::{journal, mark};
use serde_json::json;

use super::world::World;

const EMAIL: &[Class] = &[Class::Email];

/// A message with a plain and an HTML body and files, each of `name`, type and content.
fn message(name: &str, from: &str, body: &str, files: &[(&str, &str, &[u8])]) -> String {
    let mut text = format!(
        "From: {from}\r\nTo: anna@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@x.example>\r\n\
         Date: Mon, 5 Jan 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
         --a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body} in plain words\r\n\
         --a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p class=fancy-in-HTML-only>{body} in HTML</p>\r\n--a--\r\n"
    );
    for (file, kind, bytes) in files {
        write!(
            text,
            "--m\r\nContent-Type: {kind}\r\nContent-Disposition: attachment; filename=\"{file}\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n"
        )
        .unwrap();
        for line in STANDARD.encode(bytes).as_bytes().chunks(76) {
            text.push_str(std::str::from_utf8(line).unwrap());
            text.push_str("\r\n");
        }
    }
    text.push_str("--m--\r\n");
    text
}

/// Why each message was filed, by the words of its journal rows.
fn whys(world: &World) -> Vec<String> {
    let rounds = world.store.read_blocking(|db| liaison::store::round::latest(db, 99)).unwrap();
    let mut whys = Vec::new();
    for round in rounds {
        let entries = world.store.read_blocking(|db| journal::of_round(db, round.id)).unwrap();
        whys.extend(entries.into_iter().map(|entry| entry.intent.why));
    }
    whys
}

/// Whether `needle` stands anywhere, as it is or in base64 at any offset.
fn holds(haystack: &[u8], needle: &str) -> bool {
    let find = |needle: &[u8]| haystack.windows(needle.len()).any(|window| window == needle);
    (0..3).any(|shift| {
        let encoded = STANDARD.encode([&[b' '; 3][..shift], needle.as_bytes()].concat());
        // The first and the last group depend on what stands beside.
        find(&encoded.as_bytes()[4..encoded.len() - 4])
    }) || find(needle.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rules_keep_out_never_leaves_the_machine() {
    let mut world = World::new().await;
    let secret = "TheSecretOfTheBodyThatNobodyMayRead";
    let file = ("salary.txt", "text/plain", secret.as_bytes());
    std::fs::create_dir_all(world.path("mail/.Private.Doctor/cur")).unwrap();
    for part in ["new", "tmp"] {
        std::fs::create_dir_all(world.path(&format!("mail/.Private.Doctor/{part}"))).unwrap();
    }
    let put = |place: &str, name: &str, from: &str| {
        world.put(&format!("mail/{place}cur/{name}:2,S"), &message(name, from, secret, &[file]));
    };
    put(".Private.Doctor/", "folder", "Doctor <d@clinic.example>");
    put("", "sender", "Teller <t@mail.bank.example>");
    world.put(
        "mail/cur/private:2,S",
        &message("private", "Bo <bo@example.org>", secret, &[file])
            .replace("MIME-Version", "Sensitivity: Personal\r\nMIME-Version"),
    );
    let rule = |keep| Rule { folder: None, from: None, private: false, keep };
    let folder = Some(Folder { name: "Private".to_owned(), subfolders: true });
    world.engine.settings.filing.content.rules = vec![
        Rule { folder, ..rule(Keep::Headers) },
        Rule { from: Pattern::parse("@bank.example"), ..rule(Keep::Headers) },
        Rule { private: true, ..rule(Keep::Headers) },
    ];
    let class = world.engine.settings.classes.get_mut(&Class::Email).unwrap();
    class.email.include_private = true;
    let report = world.first_sync(EMAIL).await;
    assert_eq!(report.classes[&Class::Email].created[&Side::Crm], 3, "{report:?}");
    let rows = world.rows("emails?$select=subject,description").await;
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row["description"].is_null()), "{rows:?}");
    assert!(world.rows("activitymimeattachments?$select=filename").await.is_empty());
    let bytes = world.organisation_bytes();
    assert!(holds(&bytes, "Teller <t@mail.bank.example>") || holds(&bytes, "t@mail.bank.example"));
    assert!(!holds(&bytes, secret) && !holds(&bytes, "salary.txt"));
    let why =
        "tracked: every email is tracked; not filed, by your settings: the body and attachments";
    let filed: Vec<String> =
        whys(&world).into_iter().filter(|told| told.starts_with("tracked")).collect();
    assert!(filed.len() == 3 && filed.iter().all(|told| told == why), "{filed:?}");

    // Without the rules, or the test could not fail.
    world.engine.settings.filing.content.rules.clear();
    world.engine.settings.filing.content.otherwise = Keep::Text;
    world.put("mail/cur/text:2,S", &message("text", "Bo <bo@example.org>", secret, &[file]));
    assert_eq!(world.sync(EMAIL).await.operations(), 1);
    let row = &world.rows("emails?$select=description&$filter=subject eq 'text'").await[0];
    assert_eq!(row["description"], format!("{secret} in plain words"));
    assert!(world.rows("activitymimeattachments?$select=filename").await.is_empty());
    assert!(holds(&world.organisation_bytes(), secret));
    assert!(!holds(&world.organisation_bytes(), "fancy-in-HTML-only"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_the_organisation_does_not_take_are_left_out_and_told() {
    let mut world = World::new().await;
    let organisation = world.rows("organizations?$select=organizationid").await[0].clone();
    let path = format!("organizations({})", organisation["organizationid"].as_str().unwrap());
    let rules = json!({ "maxuploadfilesize": 1 << 20, "blockedmimetypes": "application/x-bad" });
    world.send("admin", "PATCH", &path, rules).await;
    world.restart().await;
    let (large, fits) = (vec![7; (1 << 20) + 1], vec![7; 1 << 20]);
    let files: &[(&str, &str, &[u8])] = &[
        ("setup.EXE", "application/octet-stream", b"MZ"),
        ("video.mp4", "video/mp4", &large),
        ("odd.dat", "application/x-bad", b"x"),
        ("fits.bin", "application/octet-stream", &fits),
        ("<b>.pdf", "application/pdf", b"%PDF"),
    ];
    world.put("mail/cur/1:2,S", &message("files", "Bo <bo@example.org>", "Look", files));
    let only = [files[0]];
    world.put("mail/cur/2:2,S", &message("only", "Bo <bo@example.org>", "Run", &only));
    let report = world.first_sync(EMAIL).await;
    let class = &report.classes[&Class::Email];
    assert!(class.quarantined == 0 && class.refused == 0, "{report:?}");
    assert_eq!(class.created[&Side::Crm], 2, "{report:?}");
    let told = "setup.EXE (type), video.mp4 (1.0 MB), odd.dat (type)";
    let row =
        &world.rows("emails?$select=description,statuscode&$filter=subject eq 'files'").await[0];
    assert_eq!(
        row["description"],
        format!("<p class=fancy-in-HTML-only>Look in HTML</p>\n<p>Not filed: {}</p>", sorted(told))
    );
    assert_eq!(row["statuscode"], 4);
    let names = world.rows("activitymimeattachments?$select=filename&$orderby=filename").await;
    let names: Vec<&str> = names.iter().map(|row| row["filename"].as_str().unwrap()).collect();
    assert_eq!(names, ["_b_.pdf", "fits.bin"]);
    assert!(
        whys(&world).iter().any(|why| why.ends_with(&format!("; not filed: {}", sorted(told))))
    );
    assert_eq!(world.sync(EMAIL).await.operations(), 0);
}

/// Files are told in the order of their names.
fn sorted(told: &str) -> String {
    let mut names: Vec<&str> = told.split(", ").collect();
    names.sort_unstable();
    names.join(", ")
}

#[tokio::test(flavor = "multi_thread")]
async fn colleagues_file_a_message_once() {
    let world = World::new().await;
    let bo = world.colleague("bo").await;
    let text = "From: Anna <anna@example.org>\r\nTo: Bo <bo@example.org>, carla@example.org\r\nSubject: Lunch\r\n\
                Message-ID: <lunch@example.org>\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\nAt one?\r\n";
    world.put("mail/cur/sent:2,S", text);
    bo.put(
        "mail/cur/received:2,S",
        &format!("Received: by x; Mon, 5 Jan 2026 10:00:01 +0000\r\n{text}"),
    );
    let first = bo.first_sync(EMAIL).await;
    assert_eq!(first.classes[&Class::Email].created[&Side::Crm], 1, "{first:?}");
    let second = world.first_sync(EMAIL).await;
    let class = &second.classes[&Class::Email];
    assert!(class.error.is_none() && class.quarantined == 0 && class.refused == 0, "{second:?}");
    assert!(class.created.is_empty(), "{second:?}");
    assert_eq!(class.linked, 1, "{second:?}");
    let rows = world.rows("emails?$select=subject,messageid,statuscode,actualend").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["messageid"], "<lunch@example.org>");
    assert_eq!(rows[0]["actualend"], "2026-01-05T10:00:00Z");
    assert_eq!(world.sync(EMAIL).await.operations(), 0);

    // Both look before either files: the id is the same, and who comes second adopts what stands there.
    let race = text.replace("lunch", "race").replace("Lunch", "Race");
    world.put("mail/cur/race:2,S", &race);
    bo.put("mail/cur/race:2,S", &race);
    let (one, two) = tokio::join!(world.engine.sync(EMAIL, "test"), bo.engine.sync(EMAIL, "test"));
    for report in [one.unwrap(), two.unwrap()] {
        let class = &report.classes[&Class::Email];
        assert!(
            class.error.is_none() && class.quarantined == 0 && class.refused == 0,
            "{report:?}"
        );
    }
    assert_eq!(world.rows("emails?$select=subject").await.len(), 2);
    for engine in [&world.engine, &bo.engine] {
        let quiet = engine.sync(EMAIL, "test").await.unwrap();
        assert_eq!(quiet.operations(), 0, "{quiet:?}");
        assert_eq!(quiet.classes[&Class::Email].linked, 2, "{quiet:?}");
    }
}

/// The figures that noise cannot move.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_messages_cost_few_requests() {
    let mut world = World::new().await;
    let mut marked = Vec::new();
    for number in 0..20_000 {
        let id = format!("m{number}@x.example");
        world.put(
            &format!("mail/cur/{number}:2,S"),
            &format!(
                "From: P{number} <p{}@customer.example>\r\nTo: anna@example.org, q{number}@other.example\r\n\
                 Subject: About {number}\r\nMessage-ID: <{id}>\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\n\
                 Words of {number}\r\n",
                number % 7000
            ),
        );
        if number % 20 == 7 {
            marked.push(Uid::new(id));
        }
    }
    assert_eq!(marked.len(), 1000);
    let class = world.engine.settings.classes.get_mut(&Class::Email).unwrap();
    class.email.automatic = Automatic::Replies;
    let now = world.engine.clock.now();
    world
        .store
        .promise_blocking(move |tx| {
            marked.iter().try_for_each(|uid| mark::set(tx, Class::Email, uid, true, now))
        })
        .unwrap();
    let before = world.engine.crm.requests();
    world.sync(EMAIL).await;
    let look = world.engine.crm.requests() - before;
    world.approve_all();
    let report = world.sync(EMAIL).await;
    let all = world.engine.crm.requests() - before;
    assert_eq!(report.classes[&Class::Email].created[&Side::Crm], 1000, "{report:?}");
    let before = world.engine.crm.requests();
    let quiet = world.sync(EMAIL).await;
    let idle = world.engine.crm.requests() - before;
    println!(
        "20,000 messages, 1,000 filed: {look} requests for the look, {all} with the filing, {:.1} s; a quiet round: {idle}, {:.2} s",
        report.seconds, quiet.seconds
    );
    assert!(all <= 60, "{all} requests for 1,000 of 20,000 messages");
    assert_eq!((quiet.operations(), idle), (0, 0));
    assert_eq!(world.rows("emails?$select=subject&$filter=statuscode eq 4").await.len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_megabytes_go_in_blocks_if_they_are_taken() {
    let mut world = World::new().await;
    let organisation = world.rows("organizations?$select=organizationid").await[0].clone();
    let path = format!("organizations({})", organisation["organizationid"].as_str().unwrap());
    world.send("admin", "PATCH", &path, json!({ "maxuploadfilesize": 41 << 20 })).await;
    world.restart().await;
    let bytes: Vec<u8> = (0..40_u32 << 20).map(|number| (number % 251) as u8).collect();
    let files: &[(&str, &str, &[u8])] =
        &[("plan.bin", "application/octet-stream", &bytes), ("note.txt", "text/plain", b"hi")];
    world.put("mail/cur/1:2,S", &message("large", "Bo <bo@example.org>", "Look", files));
    let report = world.first_sync(EMAIL).await;
    assert_eq!(report.classes[&Class::Email].created[&Side::Crm], 1, "{report:?}");
    let rows =
        world.rows("activitymimeattachments?$select=filename,filesize&$orderby=filename").await;
    let sizes: Vec<(&str, u64)> = rows
        .iter()
        .map(|row| (row["filename"].as_str().unwrap(), row["filesize"].as_u64().unwrap()))
        .collect();
    assert_eq!(sizes, [("note.txt", 2), ("plan.bin", 40 << 20)]);
    assert_eq!(world.rows("emails?$select=subject&$filter=statuscode eq 4").await.len(), 1);
    assert_eq!(world.sync(EMAIL).await.operations(), 0);
}
