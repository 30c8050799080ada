//! In a terminal of 80 columns, with wrong answers on the way.

use super::last_pages;
use super::scene::Scene;
use super::screen::Screen;

#[test]
fn a_person_comes_from_nothing_to_the_first_round() {
    let scene = Scene::new();
    let screen = Screen::start(&scene, &["setup", "--discover", &scene.described]);
    address_and_messages(&scene, &screen);
    collections(&screen);

    // Somebody calls; the next day it goes on where it stopped.
    screen.shows("Send from here what you write in the CRM?");
    screen.press("C-c");
    screen.shows("what you answered is kept");
    screen.shows("ended with 1");
    println!("{}", screen.all());
    screen.fits();
    drop(screen);
    assert!(!scene.path("config/config.toml").exists());
    let draft = std::fs::read_to_string(scene.path("state/setup.toml")).unwrap();
    assert!(draft.contains("localhost") && !draft.contains("it's a"), "{draft}");

    let screen = Screen::start(&scene, &["setup"]);
    screen.shows("You stopped after");
    screen.choose(0);
    screen.shows("Send from here what you write in the CRM?");
    screen.answer("perhaps");
    screen.shows("answer yes or no");
    screen.clear();
    screen.answer("no");
    organisation(&scene, &screen);
    first_round(&screen);
    screen.keep("terminal");
    screen.fits();
    drop(screen);
    assert_eq!(scene.contacts(), ["ann", "ben"]);
    scene.run(&["status"]).ends(0).says("in step since");
    assert!(!scene.path("state/setup.toml").exists());
    let units = scene.path(".config/systemd/user");
    let started = std::fs::read_to_string(units.join("default.target.wants/liaison.service"));
    assert!(started.unwrap().contains("liaison run --config"));
}

fn address_and_messages(scene: &Scene, screen: &Screen) {
    screen.shows("Your e-mail address:");
    screen.answer("anna");
    screen.shows("this is no e-mail address");
    screen.answer("@example.org");
    screen.shows("Where are your messages?");
    let seen = screen.shows("messages (IMAP): localhost");
    assert!(seen.contains("as its domain describes it"), "{seen}");
    screen.choose(0);
    screen.shows("Who signs in there?");
    screen.answer("");
    screen.shows("How do you sign in there?");
    screen.choose(1);
    screen.shows("A command that prints the password:");
    screen.answer(&scene.secret("wrong"));

    // Nobody trusts the certificate; the authority's file is named, after one that is not there.
    screen.shows("It does not work like this. What now?");
    screen.shows("certificate");
    screen.choose(2);
    screen.shows("authority's certificate");
    screen.answer("/no/such/file");
    screen.shows("there is no such file");
    screen.clear();
    screen.answer(&scene.dovecot.authority.display().to_string());

    // Nor is the password right.
    screen.shows("✗ sign-in");
    screen.choose(0);
    screen.shows("As it is: imap, localhost");
    screen.choose(1);
    screen.shows("Who signs in there?");
    screen.answer("");
    screen.shows("How do you sign in there?");
    screen.choose(0);
    screen.shows("A command that prints the password:");
    screen.answer(&scene.secret("password"));
}

fn collections(screen: &Screen) {
    screen.shows("Where are your contacts?");
    screen.shows("“contacts”: contacts");
    screen.choose(0);
    screen.shows("Where are your appointments?");
    screen.choose(0);
    screen.shows("Where are your tasks?");
    screen.shows("“tasks”: tasks");
    screen.choose(1);
}

fn organisation(scene: &Scene, screen: &Screen) {
    screen.shows("I know its address");
    screen.choose(0);
    screen.shows("The address of your organisation:");
    screen.answer("http://crm.example.org");
    screen.shows("only https is safe");
    screen.clear();
    screen.answer(&scene.organisation.url);
    screen.shows("How do you sign in there?");
    screen.choose(0);
    screen.shows("A command that prints a bearer token:");
    screen.answer(&scene.token("bo"));
    screen.shows("Are both you?");
    screen.answer("no");
    screen.shows("no address of the mailbox");
    screen.choose(0);
    screen.shows("The address of your organisation:");
    screen.answer("");
    screen.shows("How do you sign in there?");
    screen.choose(0);
    screen.shows("A command that prints a bearer token:");
    screen.answer(&scene.token("anna"));
}

fn first_round(screen: &Screen) {
    screen.shows("written: ");
    screen.shows("Bring in what the filters of your organisation find?");
    let seen = screen.shows("to the CRM by rule");
    assert!(seen.contains("contacts"), "{seen}");
    screen.answer("");
    last_pages(screen, 2);
    // There is no session here: it is left to the next one.
    screen.shows("it is started with your next session, not now");
    screen.shows("no service manager for this user");
    screen.shows("Everything is set up.");
    screen.shows("ended with 0");
}
