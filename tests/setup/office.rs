//! An office: a person whose password the keyring keeps, who signs in to the CRM in the browser of the desktop, and wants the
//! service to be started. In a terminal of 80 columns, from nothing to the first round and to what happens by itself afterwards.

use super::last_pages;
use super::scene::{Office, Scene};
use super::screen::Screen;
use crate::support::servers::PASSWORD;
use crate::support::servers::process::eventually;
use crate::support::servers::provider::{CLIENT, visit};

#[test]
fn a_person_signs_in_by_browser_and_the_service_goes_on() {
    let scene = Scene::office();
    let office = scene.office.as_ref().unwrap();
    // An organisation is only believed where it is in the cloud that was asked: here, on the same host.
    let discovery = &*office.discovery.url.replace("localhost", "127.0.0.1");
    let arguments =
        ["setup", "--discover", &scene.described, "--organisation-discovery", discovery];
    let screen = Screen::start(&scene, &arguments);
    messages(&scene, &screen);
    collections(&screen);
    screen.shows("Send from here what you write in the CRM?");
    screen.answer("");
    away(&screen);
    organisation(office, &scene, &screen);
    rounds(&screen);
    screen.keep("office");
    screen.fits();
    drop(screen);
    assert_eq!(scene.contacts(), ["ann"]);
    assert!(office.discovery.log().contains("let in GET /api/discovery/v2.0/Instances"));
    nothing_secret_is_written(&scene);
    let told = scene.run(&["filter", "list", "--json"]).ends(0).json();
    let filters = told["filters"].as_array().unwrap();
    // Of classes that are kept here: others are never wanted.
    let off =
        |filter: &&serde_json::Value| filter["state"] == "unwanted" && !filter["class"].is_null();
    let off: Vec<_> = filters.iter().filter(off).collect();
    assert_eq!(off.len(), 1, "{told:#}");
    assert!(scene.config().contains(off[0]["name"].as_str().unwrap()), "{}", scene.config());

    // The service runs, by the manager of the session, and has what it needs to sign in by itself.
    scene.run(&["service", "status"]).ends(0).says("the service runs");
    eventually("everything is in step", || scene.run(&["status"]).code == 0);
    scene.card("cleo", "CATEGORIES:Tracked to CRM\r\n");
    scene.run(&["sync"]).ends(0);
    assert_eq!(scene.contacts(), ["ann", "cleo"]);
    scene.run(&["service", "uninstall"]).ends(0);
    scene.run(&["service", "status"]).ends(1).says("not installed");
    assert!(!scene.path("state/run/control.sock").exists(), "it still runs");
}

fn messages(scene: &Scene, screen: &Screen) {
    screen.shows("Your e-mail address:");
    screen.answer("anna@example.org");
    screen.shows("Where are your messages?");
    // Another server, which is not there.
    screen.choose(1);
    screen.shows("The name of the server:");
    screen.answer("127.0.0.1");
    screen.shows("How is the connection protected?");
    screen.answer("");
    screen.shows("Its port, or nothing for the usual one:");
    screen.answer("9");
    screen.shows("Who signs in there?");
    screen.answer("anna");
    screen.shows("How do you sign in there?");
    screen.choose(0);
    screen.shows("The password of anna at 127.0.0.1:");
    screen.answer("wrong");
    screen.shows("It does not work like this. What now?");
    screen.choose(0);

    screen.shows("As it is: imap, 127.0.0.1");
    screen.choose(1);
    screen.shows_anew("Who signs in there?");
    screen.answer("");
    screen.shows_anew("How do you sign in there?");
    screen.answer("");
    screen.shows("The password of anna at localhost:");
    screen.answer("wrong");
    screen.shows("Trust exactly this certificate");
    screen.choose(2);
    screen.shows("authority's certificate");
    screen.answer(&scene.dovecot.authority.display().to_string());
    screen.shows("Type the password again");
    screen.choose(0);
    screen.shows_anew("The password of anna at localhost:");
    screen.answer(PASSWORD);
    screen.shows("✓ sign-in");
}

fn collections(screen: &Screen) {
    for asks in
        ["Where are your contacts?", "Where are your appointments?", "Where are your tasks?"]
    {
        screen.shows(asks);
        screen.choose(0);
    }
}

/// An organisation that is not there.
fn away(screen: &Screen) {
    screen.shows("I know its address");
    screen.choose(0);
    screen.shows("The address of your organisation:");
    screen.answer("http://127.0.0.1:9");
    screen.shows_anew("How do you sign in there?");
    screen.press("Down");
    screen.press("Down");
    screen.press("Enter");
    screen.shows("A command that prints a bearer token:");
    screen.answer("echo token");
    screen.shows_anew("It does not work like this. What now?");
    screen.choose(0);
    screen.shows("As it is: http://127.0.0.1:9");
}

/// Signed in at the second provider, at the fifth time.
fn organisation(office: &Office, scene: &Scene, screen: &Screen) {
    // Look for it, at a provider that is not there.
    screen.choose(2);
    provider(screen, 1, "http://127.0.0.1:9");
    screen.shows("Sign in at another provider");
    screen.choose(2);
    provider(screen, 0, &office.provider.issuer());

    // No, not like this.
    let denied = scene.opened();
    screen.shows_anew("Waiting for you");
    visit(&denied, "anna", false);
    screen.shows_anew("was denied");
    screen.shows_anew("What now?");
    screen.choose(0);
    scene.opened();
    screen.shows_anew("Waiting for you");
    screen.press("C-c");
    screen.shows_anew("the sign-in was cancelled");
    screen.shows_anew("What now?");

    // A code that nobody types in, and the browser again.
    office.provider.brief_codes(true);
    screen.choose(1);
    screen.shows_anew("and type the code");
    screen.shows_anew("was not finished");
    screen.shows_anew("What now?");
    office.provider.brief_codes(false);
    screen.choose(1);
    screen.shows_anew("and type the code");
    screen.press("C-c");
    screen.shows_anew("What now?");
    screen.choose(0);
    let page = visit(&scene.opened(), "anna", true);
    assert!(page.contains("You are signed in"), "{page}");
    screen.shows("✓ signed in as");
    let seen = screen.shows("Contoso Ltd (127.0.0.1)");
    assert!(!seen.contains("elsewhere.example"), "{seen}");
    screen.choose(0);
    screen.shows("written: ");
}

fn provider(screen: &Screen, at: usize, address: &str) {
    screen.shows_anew("Where do you sign in?");
    screen.choose(at);
    screen.shows_anew("Its address:");
    screen.answer(address);
    screen.shows_anew("The client id of Liaison");
    screen.answer(CLIENT);
}

fn rounds(screen: &Screen) {
    // All but the first of the filters, each with what it finds.
    screen.shows("Bring in what the filters of your organisation find?");
    screen.choose(1);
    screen.shows("Which of them?");
    let seen = screen.shows("record");
    assert!(seen.contains("(contacts, ") && seen.contains("(appointments, "), "{seen}");
    screen.press("Space");
    screen.press("Enter");
    last_pages(screen, 0);
    screen.shows("the service runs, and starts with each session");
    screen.shows("ended with 0");
}

/// No password and no token stands in any file.
fn nothing_secret_is_written(scene: &Scene) {
    let config = scene.config();
    assert!(config.contains("keyring = true") && config.contains("issuer = "), "{config}");
    for (path, bytes) in super::scene::snapshot(&scene.path("state")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(PASSWORD) && !text.contains("refresh_token"), "{}", path.display());
    }
    assert!(!config.contains(PASSWORD), "{config}");
}
