//! Mail of three colleagues, as it really comes: delivered by Postfix, sorted by Sieve before and after it was looked at, with
//! replies, forwards, a mailing list, blind copies, and threads that several of them are in. Each message is in the
//! organisation once, every decision is explained, and the sums are those of the server.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::office::id;
use crate::cli::installation::{Installation, Organisation};
use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::postfix::{Delivery, Postfix};
use crate::support::servers::process::eventually;
use crate::support::servers::{PASSWORD, elsewhere};

/// The folders that the program looks into, beside those that a test makes.
const LOOKED_AT: [&str; 3] = ["INBOX", "Sent", "Archive"];

/// One colleague: a mailbox, and the program on a computer of their own.
struct Colleague {
    here: Installation,
    name: &'static str,
}

struct Company {
    // Before the servers: nothing asks them any more when they go.
    anna: Colleague,
    bo: Colleague,
    carla: Colleague,
    organisation: Organisation,
    postfix: Postfix,
    dovecot: Dovecot,
}

impl Company {
    fn open(rules: [&str; 3]) -> Self {
        let dovecot =
            Dovecot::start(dovecot::Options { more: dovecot::SIEVE, ..Default::default() });
        let postfix = Postfix::start(&dovecot, Delivery::Dovecot);
        let organisation = Organisation::serve();
        let colleague =
            |name: &'static str, rules: &str| Colleague::new(name, rules, &organisation, &dovecot);
        let [anna, bo, carla] = rules;
        let (anna, bo, carla) =
            (colleague("anna", anna), colleague("bo", bo), colleague("carla", carla));
        Self { anna, bo, carla, organisation, postfix, dovecot }
    }

    /// Hands a message in and waits until everybody has it.
    fn post(&self, letter: &Letter) {
        let recipients: Vec<&str> =
            letter.to.iter().chain(&letter.cc).chain(&letter.bcc).copied().collect();
        let message = letter.text();
        elsewhere::post(
            self.postfix.submission,
            &self.postfix.authority,
            "carol",
            letter.from,
            &recipients,
            message.as_bytes(),
        );
        for to in recipients.iter().filter_map(|to| to.strip_suffix("@example.org")) {
            let wanted = format!("<{}>", letter.id);
            let mailbox = self.dovecot.elsewhere(to);
            eventually(&format!("{wanted} is delivered to {to}"), || {
                mailbox
                    .folders()
                    .iter()
                    .any(|folder| mailbox.list(folder).iter().any(|seen| seen.message_id == wanted))
            });
        }
    }

    /// Posts a message of a colleague's own, who keeps a copy.
    fn send(&self, of: &Colleague, letter: &Letter) {
        self.post(letter);
        self.dovecot.elsewhere(of.name).append("Sent", letter.text().as_bytes(), &[r"\Seen"]);
    }

    /// What the organisation has: the rows by message, each once.
    #[track_caller]
    fn filed(&self) -> BTreeMap<String, Json> {
        let rows = self.organisation.rows(
            "emails?$select=messageid,subject,directioncode,_regardingobjectid_value,_parentactivityid_value",
        );
        let mut filed = BTreeMap::new();
        for row in rows {
            let name = row["messageid"].as_str().unwrap_or_default();
            let name = name.trim_matches(['<', '>']).to_owned();
            assert_eq!(filed.insert(name.clone(), row), None, "{name} is filed twice");
        }
        filed
    }

    /// Syncs until nothing is left to do, and compares the sum with the server's.
    #[track_caller]
    fn sync(&self, of: &Colleague) {
        for _ in 0..4 {
            let ran = of.here.run(&["--json", "sync"]);
            match ran.code {
                0 => {}
                4 => {
                    of.here.run(&["approve", "--all"]).ends(0);
                }
                code => panic!("{code}: {}\n{}", ran.out, ran.err),
            }
            let done = of.here.run(&["--json", "status"]).json()["in_step"] == true;
            if ran.code == 0 && done {
                return self.adds_up(of);
            }
        }
        panic!("{}", of.here.run(&["status", "--all"]).out);
    }

    /// Every message of the server is in the sum, by exactly one of its parts.
    #[track_caller]
    fn adds_up(&self, of: &Colleague) {
        let mailbox = self.dovecot.elsewhere(of.name);
        let looked_at = |folder: &&String| {
            LOOKED_AT.contains(&folder.as_str()) || folder.starts_with("Customers")
        };
        let count: usize = mailbox
            .folders()
            .iter()
            .filter(looked_at)
            .map(|folder| mailbox.list(folder).len())
            .sum();
        let items = of.here.json(&["status"])["classes"]["email"]["items"].clone();
        let number = |json: &Json| json.as_u64().unwrap();
        let skipped: u64 = items["skipped"].as_object().unwrap().values().map(number).sum();
        let parts = [&items["tracked"], &items["quarantined"], &items["pending"]].map(number);
        let sum = parts.iter().sum::<u64>() + skipped;
        assert_eq!((number(&items["all"]), sum), (count as u64, count as u64), "{items:#}");
        assert_eq!(items["pending"], 0, "{items:#}");
    }
}

impl Colleague {
    fn new(
        name: &'static str,
        rules: &str,
        organisation: &Organisation,
        dovecot: &Dovecot,
    ) -> Self {
        let here = Installation::new(&organisation.url, &organisation.tokens());
        here.write("password", &format!("{PASSWORD}\n"));
        let token = organisation.tokens().join(name);
        let text = format!(
            "[organisation.test]\nurl = \"{url}\"\nsync = true\n\
             auth = {{ kind = \"token\", command = \"cat '{token}'\" }}\n\
             [mailbox]\naddress = \"{name}@example.org\"\nzone = \"Europe/Berlin\"\n\
             [mailbox.email]\nkind = \"imap\"\nhost = \"localhost\"\nport = {port}\nca = '{ca}'\n\
             user = \"{name}\"\npassword = {{ command = \"cat password\" }}\n\
             [sync.email]\n{rules}\n",
            url = organisation.url,
            token = token.display(),
            port = dovecot.imaps,
            ca = dovecot.authority.display(),
        );
        here.write("liaison.toml", &text);
        Self { here, name }
    }

    #[track_caller]
    fn explain(&self, thing: &str) -> Json {
        self.here.run(&["--json", "explain", thing]).ends(0).json()
    }

    #[track_caller]
    fn decided_by(&self, message: &str) -> String {
        let told = self.explain(&format!("<{message}>"));
        told["decision"]["rule"].as_str().unwrap().to_owned()
    }

    /// What was decided over a message, and by which rule.
    #[track_caller]
    fn decided(&self, message: &str) -> (bool, String) {
        let told = self.explain(&format!("<{message}>"));
        let decision = &told["decision"];
        let rules = told["rules"].as_array().unwrap();
        let last = rules.last().unwrap_or_else(|| panic!("no rules: {told:#}"));
        // The last rule that was looked at is the one that decided, if one did.
        let tracked = decision["outcome"] == "tracked";
        assert_eq!(last["result"] == "tracks it", tracked, "{told:#}");
        (tracked, decision["rule"].as_str().unwrap().to_owned())
    }
}

/// A message.
#[derive(Clone, Default)]
struct Letter {
    id: &'static str,
    from: &'static str,
    to: Vec<&'static str>,
    cc: Vec<&'static str>,
    bcc: Vec<&'static str>,
    subject: &'static str,
    answers: Vec<&'static str>,
    more: &'static str,
}

impl Letter {
    fn text(&self) -> String {
        let mut text = format!(
            "From: {}\nTo: {}\n{}Subject: {}\nDate: Fri, 02 Jan 2026 10:00:00 +0000\nMessage-ID: <{}>\n",
            self.from,
            self.to.join(", "),
            if self.cc.is_empty() {
                String::new()
            } else {
                format!("Cc: {}\n", self.cc.join(", "))
            },
            self.subject,
            self.id,
        );
        if let Some(parent) = self.answers.last() {
            let all: Vec<String> = self.answers.iter().map(|id| format!("<{id}>")).collect();
            text += &format!("In-Reply-To: <{parent}>\nReferences: {}\n", all.join(" "));
        }
        text += self.more;
        text += "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nText.\n";
        text.replace('\n', "\r\n")
    }
}

const KARL: &str = "karl@customer.example";
const ANNA: &str = "anna@example.org";
const BO: &str = "bo@example.org";
const CARLA: &str = "carla@example.org";

const RULES: &str = "track = \"replies\"\nblock = [\"@spam.example\"]\n\
    folders = [{ folder = \"Customers\", subfolders = true, regarding = \"account/5e0b7a41-0000-4000-8000-000000000001\" }]";

const SORT: &str = "require [\"fileinto\", \"mailbox\"];\n\
    if header :contains \"Subject\" \"Contoso\" { fileinto :create \"Customers/Contoso\"; }\n";

fn first(company: &Company) {
    let letter = Letter { from: KARL, to: vec![ANNA], ..Letter::default() };
    company.dovecot.sort("anna", SORT);
    company.post(&Letter { id: "k1@c", subject: "An offer, please", ..letter.clone() });
    company.post(&Letter { id: "sorted@c", subject: "Contoso: pumps", ..letter.clone() });
    company.post(&Letter {
        id: "spam@c",
        from: "win@mail.spam.example",
        subject: "Re: Contoso",
        ..letter.clone()
    });
    company.post(&Letter {
        id: "list@c",
        from: "member@list.example",
        to: vec!["all@list.example"],
        bcc: vec![ANNA, BO, CARLA],
        subject: "[all] News",
        more: "List-Id: <all.list.example>\n",
        ..letter
    });
}

#[test]
fn three_colleagues_and_a_customer() {
    let company = Company::open([RULES, "track = \"replies\"", "track = \"replies\""]);
    let account = id(1);
    company.organisation.change(&format!("accounts({account})"), r#"{"name":"Contoso"}"#);
    let (anna, bo, carla) = (&company.anna, &company.bo, &company.carla);
    let mailbox = company.dovecot.elsewhere("anna");

    // What Sieve sorted before anybody looked is tracked by its folder, but not what is blocked.
    first(&company);
    anna.here.run(&["plan"]).ends(4).says("1");
    company.sync(anna);
    assert_eq!(company.filed().keys().collect::<Vec<_>>(), ["sorted@c"]);
    assert_eq!(company.filed()["sorted@c"]["_regardingobjectid_value"], json!(account));
    assert_eq!(anna.decided("sorted@c"), (true, "its folder is tracked".to_owned()));
    assert_eq!(anna.decided("spam@c"), (false, "on your blocklist".to_owned()));
    assert_eq!(anna.decided("k1@c"), (false, "no rule tracks it".to_owned()));
    assert_eq!(anna.decided("list@c"), (false, "no rule tracks it".to_owned()));
    // Any mail program shows it.
    let tagged = |folder: &str, id: &str| {
        let seen =
            mailbox.list(folder).into_iter().find(|seen| seen.message_id == format!("<{id}>"));
        seen.is_some_and(|seen| seen.flags.contains(&"$CrmTracked".to_owned()))
    };
    assert!(tagged("Customers/Contoso", "sorted@c"));
    assert!(!tagged("INBOX", "k1@c"));

    // Anna tracks by keyword in her mail program; from then on the thread is.
    mailbox.flag("INBOX", "<k1@c>", &["$CrmTracked"], true);
    let reply = Letter {
        id: "r1@a",
        from: ANNA,
        to: vec![KARL],
        cc: vec![BO],
        bcc: vec![CARLA],
        subject: "Re: An offer, please",
        answers: vec!["k1@c"],
        ..Letter::default()
    };
    company.send(anna, &reply);
    company.post(&Letter {
        id: "k2@c",
        from: KARL,
        to: vec![ANNA, BO],
        subject: "AW: An offer, please",
        answers: vec!["k1@c", "r1@a"],
        ..Letter::default()
    });
    company.post(&Letter {
        id: "fwd@c",
        from: KARL,
        to: vec![ANNA],
        subject: "Fwd: An offer, please",
        answers: vec!["k1@c"],
        ..Letter::default()
    });
    company.sync(anna);
    let filed = company.filed();
    assert_eq!(filed.keys().collect::<Vec<_>>(), ["k1@c", "k2@c", "r1@a", "sorted@c"]);
    assert_eq!(filed["r1@a"]["directioncode"], true);
    assert_eq!(anna.decided("k1@c"), (true, "keyword `$CrmTracked`".to_owned()));
    assert_eq!(anna.decided("k2@c").1, "it answers a message that is tracked");
    assert_eq!(anna.decided("fwd@c"), (false, "no rule tracks it".to_owned()));

    // Two colleagues who have parts of the thread, one by a blind copy, find it filed.
    for colleague in [bo, carla] {
        company.sync(colleague);
        assert_eq!(colleague.explain("<r1@a>")["linked"], true);
        assert_eq!(colleague.decided("r1@a").1, "it answers a message that is tracked");
    }
    assert_eq!(company.filed().len(), 4);
    // The user's word on what it is about reaches what was filed by whomever; an answer inherits it.
    bo.here.run(&["regarding", &format!("account/{account}"), "<k2@c>"]).ends(0);
    company.sync(bo);
    assert_eq!(company.filed()["k2@c"]["_regardingobjectid_value"], json!(account));
    company.post(&Letter {
        id: "k3@c",
        from: KARL,
        to: vec![CARLA],
        subject: "Re: An offer, please",
        answers: vec!["k1@c", "r1@a", "k2@c"],
        ..Letter::default()
    });
    company.sync(carla);
    let k3 = &company.filed()["k3@c"];
    assert_eq!(k3["_regardingobjectid_value"], json!(account), "{k3:#}");
    assert_eq!(k3["_parentactivityid_value"], company.filed()["k2@c"]["activityid"]);

    // Sorted after we looked: tracked from then on. Moved, renamed, renumbered: the same records.
    mailbox.relocate("INBOX", "<list@c>", "Customers/Contoso");
    company.sync(anna);
    assert_eq!(company.filed().len(), 6);
    let before = company.filed();
    mailbox.rename_folder("Customers/Contoso", "Customers/Fabrikam");
    company.sync(anna);
    mailbox.relocate("INBOX", "<k1@c>", "Archive");
    company.sync(anna);
    assert_eq!(anna.explain("<k1@c>")["linked"], true);
    assert_eq!(company.filed(), before);

    // The keyword is taken away: left out, and the record stays.
    mailbox.flag("Archive", "<k1@c>", &["$CrmTracked"], false);
    company.sync(anna);
    assert!(anna.explain("<k1@c>")["tracked"].as_str().unwrap().starts_with("no: you untracked"));
    assert!(!tagged("Archive", "k1@c"));
    assert_eq!(company.filed(), before);
    let items = anna.here.json(&["status"])["classes"]["email"]["items"].clone();
    assert_eq!(items["skipped"]["you untracked it"], 1, "{items:#}");
    // And set again: tracked again, still one record.
    mailbox.flag("Archive", "<k1@c>", &["$CrmTracked"], true);
    company.sync(anna);
    assert!(anna.explain("<k1@c>")["tracked"].as_str().unwrap().starts_with("yes"));
    assert_eq!(company.filed(), before);
}

#[test]
fn the_numbers_of_a_folder_change_and_nothing_is_filed_again() {
    let mut company = Company::open(["track = \"all\"", "", ""]);
    let letter = Letter { from: KARL, to: vec![ANNA], subject: "Hello", ..Letter::default() };
    for name in ["a@c", "b@c", "c@c"] {
        company.post(&Letter { id: name, ..letter.clone() });
    }
    company.sync(&company.anna);
    let before = company.filed();
    assert_eq!(before.len(), 3);
    company.dovecot.renumber("anna");
    company.sync(&company.anna);
    assert_eq!(company.filed(), before);
}

#[test]
fn a_change_of_the_rules_shows_what_it_brings_before_it_brings_it() {
    let company = Company::open(["track = \"none\"", "", ""]);
    let letter = Letter { from: KARL, to: vec![ANNA], subject: "Hello", ..Letter::default() };
    for name in ["a@c", "b@c", "c@c"] {
        company.post(&Letter { id: name, ..letter.clone() });
    }
    let anna = &company.anna;
    company.sync(anna);
    assert_eq!(company.filed().len(), 0);
    let wider = anna.here.read("liaison.toml").replace("\"none\"", "\"all\"");
    anna.here.write("liaison.toml", &wider);
    anna.here.run(&["plan"]).ends(4);
    anna.here.run(&["sync"]).ends(4);
    assert_eq!(company.filed().len(), 0);
    anna.here.run(&["approve", "--all"]).ends(0);
    company.sync(anna);
    assert_eq!(company.filed().len(), 3);
    // The blocklist looks back when it is told to, after it has shown what it would leave out.
    let narrower =
        wider.replace("[sync.email]\n", "[sync.email]\nblock = [\"@customer.example\"]\n");
    anna.here.write("liaison.toml", &narrower);
    anna.here.run(&["untrack", "--blocked"]).ends(0).says("3 messages: would be left out");
    assert_eq!(anna.explain("<a@c>")["tracked"].as_str().unwrap().split(':').next(), Some("yes"));
    anna.here.run(&["untrack", "--blocked", "--yes"]).ends(0).says("3 messages: left out");
    company.sync(anna);
    assert!(anna.explain("<a@c>")["tracked"].as_str().unwrap().starts_with("no: you untracked"));
    assert_eq!(company.filed().len(), 3);
}

/// Subjects in thirty languages.
const SUBJECTS: [&str; 30] = [
    "Offer",
    "Angebot für Söhne",
    "Offre – été",
    "Oferta más",
    "Offerta è",
    "Oferta não",
    "Offerte één",
    "Tilbud på øl",
    "Offert åäö",
    "Tarjous yö",
    "Tilboð þú",
    "Oferta żółć",
    "Nabídka říční",
    "Ponuka ľúbi",
    "Ajánlat őrült",
    "Ofertă știință",
    "Ponuda čačak",
    "Ponudba žaba",
    "Предложение",
    "Пропозиція ї",
    "Оферта щъ",
    "Προσφορά ώ",
    "Teklif ğış",
    "הצעת מחיר",
    "عرض سعر",
    "प्रस्ताव",
    "ข้อเสนอ",
    "报价单",
    "見積もり",
    "견적서",
];

/// What a mail program makes of a text that is not ASCII (RFC 2047).
fn encoded(text: &str) -> String {
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    format!("=?utf-8?B?{base64}?=")
}

/// A message of parts.
fn parts(id: &str, subject: &str, kind: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut message = format!(
        "From: {KARL}\r\nTo: {ANNA}\r\nSubject: {subject}\r\nDate: Fri, 02 Jan 2026 10:00:00 +0000\r\n\
         Message-ID: <{id}>\r\nMIME-Version: 1.0\r\nContent-Type: {kind}; boundary=\"b\"\r\n\r\n"
    )
    .into_bytes();
    for (head, body) in parts {
        message.extend(format!("--b\r\n{head}\r\n\r\n").into_bytes());
        message.extend_from_slice(body);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"--b--\r\n");
    message
}

#[test]
fn whatever_is_written_and_attached() {
    let company = Company::open(["track = \"all\"", "", ""]);
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for (number, subject) in SUBJECTS.iter().enumerate() {
        let text = Letter { id: "", from: KARL, to: vec![ANNA], ..Letter::default() }.text();
        let text = text.replace("Message-ID: <>", &format!("Message-ID: <lang-{number}@c>"));
        messages.push(
            text.replace("Subject: ", &format!("Subject: {}", encoded(subject))).into_bytes(),
        );
    }
    let file = |name: &str, kind: &str| {
        format!(
            "Content-Type: {kind}; name=\"{name}\"\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Transfer-Encoding: base64"
        )
    };
    let text: (&str, &[u8]) = ("Content-Type: text/plain", b"Good morning");
    let signature = file("smime.p7s", "application/pkcs7-signature");
    let signed = "multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256";
    messages.push(parts("signed@c", "Signed", signed, &[text, (&signature, b"AAECAw==")]));
    let secret =
        ("Content-Type: application/octet-stream", b"-----BEGIN PGP MESSAGE-----".as_slice());
    let encrypted = "multipart/encrypted; protocol=\"application/pgp-encrypted\"";
    let version = ("Content-Type: application/pgp-encrypted", b"Version: 1".as_slice());
    messages.push(parts("encrypted@c", "Encrypted", encrypted, &[version, secret]));
    let winmail = file("winmail.dat", "application/ms-tnef");
    messages.push(parts(
        "tnef@c",
        "From Outlook",
        "multipart/mixed",
        &[text, (&winmail, b"eJ8+IgE=")],
    ));
    // Forty megabytes: more than the organisation takes.
    let line = [b"QUFB".repeat(19), b"\r\n".to_vec()].concat();
    let large = line.repeat(40 << 20).into_iter().take((40 << 20) / 76 * 78).collect::<Vec<u8>>();
    let video = file("video.mp4", "video/mp4");
    messages.push(parts("large@c", "Look at this", "multipart/mixed", &[text, (&video, &large)]));
    let count = messages.len();
    company.dovecot.seed("anna", "INBOX", messages);

    let anna = &company.anna;
    company.sync(anna);
    let filed = company.filed();
    assert_eq!(filed.len(), count, "{:?}", filed.keys());
    for (number, subject) in SUBJECTS.iter().enumerate() {
        assert_eq!(filed[&format!("lang-{number}@c")]["subject"], *subject);
    }
    let attached = |id: &str| -> Vec<String> {
        let id = filed[id]["activityid"].as_str().unwrap();
        let query =
            format!("activitymimeattachments?$select=filename&$filter=_objectid_value eq {id}");
        let rows = company.organisation.rows(&query.replace(' ', "%20"));
        rows.iter().map(|row| row["filename"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(attached("signed@c"), ["smime.p7s"]);
    assert_eq!(attached("tnef@c"), ["winmail.dat"]);
    assert!(!attached("encrypted@c").is_empty());
    // What was left out is said in the record and by `explain`.
    assert_eq!(attached("large@c"), [""; 0]);
    let id = filed["large@c"]["activityid"].as_str().unwrap();
    let rows = company
        .organisation
        .rows(&format!("emails?$select=description&$filter=activityid%20eq%20{id}"));
    assert!(rows[0]["description"].as_str().unwrap().contains("video.mp4"), "{rows:?}");
    let told = anna.here.run(&["explain", "<large@c>"]).ends(0);
    assert!(told.out.contains("video.mp4"), "{}", told.out);
}

#[test]
fn rules_are_tried_on_files_before_they_are_in_force() {
    let company = Company::open([RULES, "", ""]);
    let letter = Letter { from: KARL, to: vec![ANNA], subject: "Hello", ..Letter::default() };
    company.post(&Letter { id: "k@c", ..letter.clone() });
    let anna = &company.anna;
    anna.here.run(&["plan"]).ends(0);
    anna.here.run(&["track", "<k@c>"]).ends(0);
    company.sync(anna);
    let files = [
        (
            "answer.eml",
            Letter { id: "a@c", answers: vec!["k@c"], ..letter.clone() },
            true,
            "it answers a message that is tracked",
        ),
        (
            "forward.eml",
            Letter { id: "f@c", subject: "Fwd: Hello", answers: vec!["k@c"], ..letter.clone() },
            false,
            "no rule tracks it",
        ),
        (
            "spam.eml",
            Letter { id: "s@c", from: "x@spam.example", answers: vec!["k@c"], ..letter },
            false,
            "on your blocklist",
        ),
    ];
    for (name, letter, _, _) in &files {
        anna.here.write(name, &letter.text());
    }
    let told = anna.here.json(&["filter", "test", "answer.eml", "forward.eml", "spam.eml"]);
    for ((name, _, tracked, rule), told) in files.iter().zip(told["messages"].as_array().unwrap()) {
        assert_eq!((&told["tracked"], &told["rule"]), (&json!(tracked), &json!(rule)), "{name}");
    }
    assert_eq!(told["messages"][0]["answers"]["method"], "In-Reply-To");
    // In a folder with a rule, all but what is blocked.
    let told =
        anna.here.json(&["filter", "test", "--folder", "Customers/New", "forward.eml", "spam.eml"]);
    assert_eq!(told["messages"][0]["rule"], "its folder is tracked");
    assert_eq!(told["messages"][0]["regarding"], format!("account/{}", id(1)));
    assert_eq!(told["messages"][1]["tracked"], false);
    // Nothing was written, and what is no message is said to be none.
    assert_eq!(company.filed().len(), 1);
    anna.here.write("no.eml", "no message");
    anna.here.run(&["filter", "test", "no.eml"]).ends(0).says("cannot be judged");
    anna.here.run(&["filter", "test", "gone.eml"]).ends(1);
}

#[test]
fn names_that_are_not_to_be_trusted() {
    let company = Company::open(["track = \"all\"", "", ""]);
    let anna = &company.anna;
    let mailbox = company.dovecot.elsewhere("anna");
    let text = |id: &str, subject: &str, day: u32| {
        let name = if id.is_empty() { String::new() } else { format!("Message-ID: <{id}>\r\n") };
        format!(
            "From: {KARL}\r\nTo: {ANNA}\r\nSubject: {subject}\r\nDate: Fri, {day:02} Jan 2026 10:00:00 +0000\r\n{name}\r\nText.\r\n"
        )
    };
    let put = |folder: &str, text: &str| mailbox.append(folder, text.as_bytes(), &[]);
    // Two without a name, one of them twice; one name for two messages.
    put("INBOX", &text("", "Nameless", 1));
    put("Archive", &text("", "Nameless", 1));
    put("INBOX", &text("", "Nameless too", 1));
    put("INBOX", &text("same@c", "First", 2));
    put("INBOX", &text("same@c", "Second", 3));
    put("INBOX", &text("own@c", "Renamed", 4));
    company.sync(anna);
    let subjects = || {
        let rows = company.organisation.rows("emails?$select=subject");
        let mut found: Vec<String> =
            rows.iter().map(|row| row["subject"].as_str().unwrap().to_owned()).collect();
        found.sort();
        found
    };
    assert_eq!(subjects(), ["First", "Nameless", "Nameless too", "Renamed"]);
    let items = anna.here.json(&["status"])["classes"]["email"]["items"].clone();
    assert_eq!(items["quarantined"], 1, "{items:#}");
    // It is moved by a server that gives it another name.
    mailbox.delete("INBOX", "<own@c>");
    put("Archive", &text("new@server", "Renamed", 4));
    company.sync(anna);
    assert_eq!(subjects(), ["First", "Nameless", "Nameless too", "Renamed"]);
    assert_eq!(anna.decided_by("new@server"), "it is in the CRM already, under another Message-ID");
    // A second look changes nothing, and neither does one like it that is there as well.
    put("INBOX", &text("other@c", "First", 2));
    company.sync(anna);
    assert_eq!(subjects(), ["First", "First", "Nameless", "Nameless too", "Renamed"]);
}
