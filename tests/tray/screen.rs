//! What can be seen in a real panel. The pictures are kept below `target/tmp/tray` for whoever wants to look.

use liaison::ipc::wire::{NeedKind, State};

use super::panel::Item;
use super::program::{Session, until};
use super::service::{Service, status};
use crate::support::servers::desktop::{Desktop, Pixel, Theme, panel_log};

/// Every state with its colour.
const STATES: [(State, Pixel); 9] = [
    (State::InStep, [0x1f, 0x9d, 0x4d]),
    (State::Waiting, [0x2f, 0x80, 0xe0]),
    (State::Syncing, [0x2f, 0x80, 0xe0]),
    (State::Paused, [0x80, 0x8a, 0x93]),
    (State::Offline, [0x80, 0x8a, 0x93]),
    (State::Held, [0xc2, 0x7c, 0x00]),
    (State::Standby, [0x9a, 0x63, 0xd6]),
    (State::SignIn, [0xd1, 0x4a, 0x9a]),
    (State::Error, [0xe0, 0x39, 0x2f]),
];

const ABSENT: Pixel = [0x80, 0x8a, 0x93];

/// How many pixels of a picture have nearly this colour.
fn count(picture: &[Pixel], colour: Pixel) -> usize {
    let near =
        |pixel: &&Pixel| pixel.iter().zip(colour).all(|(one, other)| one.abs_diff(other) < 8);
    picture.iter().filter(near).count()
}

async fn every_state(theme: Theme, height: u32) {
    let session = Session::start().await;
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    // The panel comes after the tray.
    let desktop = Desktop::start(&session.bus, theme, height);
    let name = |state: &str| format!("{theme:?}-{height}-{state}").to_lowercase();
    // What the thinnest of them has in the smallest size.
    let least = 16;
    let shows = async |state: &str, colour| {
        let log = panel_log(&session.bus);
        until(&format!("{state} in the panel, which says {log}"), async || {
            count(&desktop.look(&name(state)).0, colour) >= least
        })
        .await;
        desktop.look(&name(state)).0
    };
    let mut pictures = vec![shows("absent", ABSENT).await];
    let service = Service::start(&session.socket(), status(State::InStep, &[]));
    for (state, colour) in STATES {
        service.says(status(state, &[(NeedKind::Aside, 1)]));
        item.says(&format!("It is {state:?}.")).await;
        let last = pictures.last().unwrap().clone();
        until("another picture", async || desktop.look(&name("next")).0 != last).await;
        pictures.push(shows(&format!("{state:?}"), colour).await);
    }
    for (at, one) in pictures.iter().enumerate() {
        assert!(!pictures[at + 1..].contains(one), "two states look the same");
    }
    drop(tray);
    let gone = async || STATES.iter().all(|it| count(&desktop.look(&name("gone")).0, it.1) < least);
    until("an empty panel", gone).await;
}

#[tokio::test]
async fn every_state_can_be_seen_in_a_light_panel() {
    every_state(Theme::Light, 24).await;
}

#[tokio::test]
async fn every_state_can_be_seen_in_a_dark_panel() {
    every_state(Theme::Dark, 48).await;
}
