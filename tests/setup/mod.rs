//! `liaison setup`, as its users have it: on real servers, from nothing to the first round, in a terminal and without one.

use screen::Screen;

mod alone;
mod office;
mod scene;
mod screen;
mod terminal;

/// The last pages of the wizard: the first answer of each class but the contacts, and yes to everything.
fn last_pages(screen: &Screen, contacts: usize) {
    for (class, choice) in
        [("contacts", contacts), ("tasks", 0), ("appointments", 0), ("messages", 0)]
    {
        screen.shows(&format!("Which {class} go to the CRM?"));
        screen.choose(choice);
    }
    screen.shows("Make this computer the one that syncs?");
    screen.answer("");
    screen.shows("Carry this out now?");
    screen.answer("yes");
    screen.shows("Keep it in step from now on, in the background?");
    screen.answer("yes");
}
