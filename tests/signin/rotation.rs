//! Refresh tokens that are good once: killed processes, and processes side by side.
//!
//! `LIAISON_SEED` says when processes are killed; it is printed.

use std::time::{Duration, Instant};

use super::desktop::Desktop;
use crate::planner::simulation::Dice;
use crate::support::{came_to, number};

const REFRESHES: usize = 50;

/// Uses the sign-in once, so that its refresh token is replaced once.
const USE: [&str; 2] = ["doctor", "crm"];

#[test]
fn fifty_rotations_survive_kills_at_random_moments() {
    let seed = number("LIAISON_SEED", 7);
    let mut dice = Dice::new(seed);
    let desktop = Desktop::with_contacts(3600);
    desktop.sign_in();
    let begun = Instant::now();
    desktop.run(&USE).ends(0);
    let lasts = begun.elapsed();
    let (mut kills, mut hits, mut questions) = (0, 0, 0);
    while desktop.provider.refreshes() < REFRESHES {
        let before = desktop.provider.refreshes();
        let mut child = desktop.command(&USE).spawn().unwrap();
        let moment = dice.roll(u64::try_from(lasts.as_micros()).unwrap());
        std::thread::sleep(Duration::from_micros(moment));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let was_replaced = desktop.provider.refreshes() > before;
        hits += usize::from(was_replaced);

        let ran = desktop.run(&USE);
        if ran.code == 6 {
            // The new refresh token was on the wire when the process died. Nothing else may cost a sign-in.
            // The provider may have got to it only after the kill was noticed here.
            let was_replaced = desktop.provider.refreshes() > before;
            assert!(was_replaced, "a sign-in was lost without a reason: {ran:?}");
            questions += 1;
            desktop.sign_in();
            desktop.run(&USE).ends(0);
        } else {
            ran.ends(0);
        }
    }
    println!(
        "seed {seed}: {REFRESHES} refreshes, {kills} kills, {hits} of them after a refresh, {questions} sign-ins needed"
    );
    came_to("kills", "signin::rotation", kills);
    assert!(hits > 0, "no process was killed after a refresh");
    assert!(questions <= hits.div_ceil(4), "{questions} of {hits} kills cost a sign-in");
    assert_eq!(desktop.status().1, 0);
}

#[test]
fn processes_side_by_side_do_not_use_the_same_refresh_token() {
    let desktop = Desktop::with_contacts(3600);
    desktop.sign_in();
    for _ in 0..3 {
        let children: Vec<_> = (0..4).map(|_| desktop.command(&USE).spawn().unwrap()).collect();
        for mut child in children {
            assert_eq!(child.wait().unwrap().code(), Some(0), "{}", desktop.provider.log());
        }
    }
    assert_eq!(desktop.provider.refreshes(), 12);
    assert!(!desktop.provider.log().contains("refused"), "{}", desktop.provider.log());
}
