//! Ten thousand offline edits against five hundred of colleagues: in few requests, and killed at random moments.
//!
//! `LIAISON_KILLS` is how often (20 unless set; CI says 400, of which 100 are taken), `LIAISON_SEED` which moments; both are printed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::scene::Scene;
use crate::support::{came_to, number};

#[test]
fn ten_thousand_edits_go_in_fifteen_requests() {
    let mut scene = Scene::set(number("LIAISON_SEED", 7), 10_000);
    scene.colleagues_work();
    let report = scene.online();
    let requests = report["replay"]["requests"].as_u64().unwrap();
    println!("{} edits, {} of colleagues: {requests} requests", scene.edits(), scene.colleagues());
    assert!(report["replay"]["stopped"].is_null(), "{report:#}");
    assert!(requests <= 15, "{requests} requests");
    scene.check();
}

#[test]
fn kills_at_random_moments_change_nothing_of_it() {
    let (kills, seed) = (number("LIAISON_KILLS", 20).min(100), number("LIAISON_SEED", 7));
    let mut scene = Scene::set(seed, kills * 100);
    scene.colleagues_work();
    let mut lasts = Duration::from_secs(4);
    let (mut killed, mut finished) = (0, 0);
    while killed < kills && finished < 5 {
        let millis = u64::try_from(lasts.as_millis()).unwrap().max(2);
        let moment = Duration::from_millis(scene.dice.roll(millis));
        let started = Instant::now();
        let mut online = scene
            .anna
            .command(&["online", "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Not to wait for something: this is the random moment.
        let mut ended = false;
        while !ended && started.elapsed() < moment {
            ended = online.try_wait().unwrap().is_some();
            std::thread::sleep(Duration::from_millis(1));
        }
        if !ended {
            online.kill().unwrap();
        }
        online.wait().unwrap();
        if ended {
            // Nothing is left to replay: more is entered, until it was killed often enough.
            finished += 1;
            lasts = started.elapsed();
            scene.enter_more();
        } else {
            killed += 1;
            // Each takes something away; the next one has less to do.
            lasts = lasts.mul_f64(0.98);
        }
    }
    println!("seed {seed}: {killed} kills, {} edits", scene.edits());
    assert!(killed >= kills / 2, "only {killed} kills");
    came_to("kills", "offline::replay", killed);
    scene.online();
    scene.check();
}
