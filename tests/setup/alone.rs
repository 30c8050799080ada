//! Without a terminal: everything is answered beforehand, or said to be missing.

use serde_json::Value as Json;

use super::scene::{Scene, snapshot};

#[test]
fn a_file_of_answers_leads_from_nothing_to_the_first_round() {
    let scene = Scene::new();
    scene.answer(&scene.answers());
    let ran = scene.run(&["setup", "--answers", "answers.toml", "--json"]).ends(0);
    let told = ran.json();
    assert_eq!(
        (&told["syncs"], &told["approved"]),
        (&Json::from(true), &Json::from(true)),
        "{told:#}"
    );
    assert_eq!(scene.contacts(), ["ann", "ben"]);
    scene.run(&["status"]).ends(0).says("in step since");
    assert!(!scene.path("state/setup.toml").exists(), "nothing is left to answer");

    // Again, with what a person wrote into the file meanwhile: it stays, and there is nothing to do.
    let mine = scene.config().replace("[mailbox.email]", "# My own words.\n[mailbox.email]")
        + "\n[guard]\ndeletes_max = 3 # not more\n";
    scene.write("config/config.toml", &mine);
    scene.run(&["setup", "--json", "--approve", "yes", "--track-task", "manual"]).ends(0);
    let now = scene.config();
    assert!(now.contains("# My own words.\n[mailbox.email]"), "{now}");
    assert!(
        now.contains("deletes_max = 3 # not more") && now.contains("track = \"manual\""),
        "{now}"
    );
    let before = snapshot(&scene.path(""));
    scene.run(&["setup", "--json", "--approve", "yes"]).ends(0);
    assert_eq!(scene.config(), now, "nothing was to be changed");
    assert_eq!(scene.contacts(), ["ann", "ben"]);

    // A look changes nothing, also where the answers would.
    let before = before.keys().filter(|path| path.ends_with("config.toml")).count();
    assert_eq!(before, 1);
    let before = snapshot(&scene.path(""));
    let told = scene.run(&["setup", "--check", "--json"]).ends(0).json();
    assert_eq!(told["usable"], true, "{told:#}");
    assert!(told["steps"].as_array().unwrap().iter().all(|step| step["good"] == true), "{told:#}");
    let wrong = scene.secret("wrong");
    scene.run(&["setup", "--check", "--email-password-command", &wrong]).ends(6).says("✗ sign-in");
    assert_eq!(snapshot(&scene.path("")), before);
}

#[test]
fn what_is_missing_or_wrong_is_named_before_anything_is_written() {
    let scene = Scene::new();
    let tried = |change: &dyn Fn(&mut std::collections::BTreeMap<&'static str, String>)| {
        let mut answers = scene.answers();
        change(&mut answers);
        scene.answer(&answers);
        let ran = scene.run(&["setup", "--answers", "answers.toml"]);
        assert!(!scene.path("config/config.toml").exists(), "{ran:?}");
        assert!(!scene.path("state").exists(), "{ran:?}");
        ran
    };
    let none = |name: &'static str| {
        move |answers: &mut std::collections::BTreeMap<_, _>| drop(answers.remove(name))
    };
    tried(&none("address")).ends(2).says("--address");
    tried(&none("email-password-command")).ends(2).says("--email-sign-in");
    tried(&none("tasks")).ends(2).says("--tasks").says("/anna/calendar/");
    tried(&none("organisation-url")).ends(2).says("--organisation-url");
    tried(&none("email-ca")).ends(1).says("certificate").says("pin");
    let secret = scene.secret("wrong");
    tried(&|answers| drop(answers.insert("email-password-command", secret.clone())))
        .ends(6)
        .says("sign-in");
    tried(&|answers| drop(answers.insert("address", "anna".to_owned())))
        .ends(2)
        .says("no e-mail address");
    let bob = scene.token("bob");
    tried(&|answers| drop(answers.insert("organisation-token-command", bob.clone())))
        .ends(1)
        .says("no address of the mailbox");
    tried(&|answers| drop(answers.insert("organisation-url", "http://crm.example.org".to_owned())))
        .ends(2)
        .says("only https is safe");
    scene.run(&["setup", "--check"]).ends(78).says("nothing is set up");
    scene.write("answers.toml", "adress = 'x'\n");
    scene.run(&["setup", "--answers", "answers.toml"]).ends(2).says("did you mean `address`?");
}

#[test]
fn the_first_plan_waits_for_a_word_and_another_address_for_a_yes() {
    let scene = Scene::new();
    let mut answers = scene.answers();
    answers.insert("approve", "no".to_owned());
    answers.insert("organisation-token-command", scene.token("bob"));
    answers.insert("same-person", "yes".to_owned());
    scene.answer(&answers);
    scene.run(&["setup", "--answers", "answers.toml"]).ends(4).says("waits for your word");
    assert!(scene.config().contains("aliases = [\"bob@"), "{}", scene.config());
    assert!(scene.contacts().is_empty());
    scene.run(&["approve", "--all"]).ends(0);
    scene.run(&["sync"]).ends(0);
    assert_eq!(scene.contacts().len(), 2);
}
