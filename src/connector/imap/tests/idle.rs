//! Waiting for what happens: a machine that sleeps, a server that is dead, and one that is away.

use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::time::Instant;

use super::super::idle::{Woken, rest, wait};
use super::*;
use crate::connector::imap::session::Session;

/// Plays a server that can wait. It says `news` so long after the first `IDLE`, and from a number of commands on it is mute.
async fn attend(far: DuplexStream, news: Option<(Duration, &str)>, mute: usize) -> Vec<String> {
    let mut stream = BufReader::new(far);
    let mut heard: Vec<String> = Vec::new();
    let mut idle = String::new();
    drop(stream.write_all(b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] hello\r\n").await);
    loop {
        let mut line = String::new();
        let due = news.filter(|_| !idle.is_empty()).map(|(due, _)| due);
        let reading = stream.read_line(&mut line);
        let read = tokio::time::timeout(due.unwrap_or(Duration::from_hours(999)), reading).await;
        match read {
            Ok(Ok(1..)) => {}
            Ok(_) => return heard,
            Err(_) => {
                drop(stream.write_all(news.unwrap().1.as_bytes()).await);
                continue;
            }
        }
        let line = line.trim_end().to_owned();
        heard.push(line.clone());
        if heard.len() > mute {
            continue;
        }
        let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
        let said = match command {
            "IDLE" => {
                tag.clone_into(&mut idle);
                "+ waiting\r\n".to_owned()
            }
            "" if tag == "DONE" => format!("{} OK\r\n", std::mem::take(&mut idle)),
            "CAPABILITY" => format!("* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK\r\n"),
            _ => format!("{tag} OK\r\n"),
        };
        drop(stream.write_all(said.as_bytes()).await);
    }
}

async fn session(near: DuplexStream) -> Session {
    let options = Options::for_tests();
    let greeted = sign_in::welcome(&options, Box::new(near)).await.unwrap();
    sign_in::sign_in(&options, greeted, &Arc::default()).await.unwrap()
}

fn clock() -> Clock {
    Clock::manual("2026-03-01T12:00:00Z".parse().unwrap())
}

/// The clock on the wall goes on as the other does, and jumps once.
async fn tick(clock: &Clock, jump: Duration) {
    for second in 0.. {
        tokio::time::sleep(Duration::from_secs(1)).await;
        clock.advance(Duration::from_secs(1));
        if second == 90 {
            clock.advance(jump);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_does_not_trust_its_connection() {
    for (jump, is_sleep) in [
        (Duration::from_secs(40), true),
        (Duration::from_hours(9), true),
        // A clock that was set right by a little.
        (Duration::from_secs(20), false),
        (Duration::ZERO, false),
    ] {
        let (near, far) = tokio::io::duplex(4096);
        let clock = clock();
        let serving = tokio::spawn(attend(far, None, usize::MAX));
        let mut session = session(near).await;
        let began = Instant::now();
        let waiting = tokio::time::timeout(Duration::from_hours(1), wait(&mut session, &clock));
        let ended = tokio::select! {
            ended = waiting => ended,
            () = tick(&clock, jump) => unreachable!("it never ends"),
        };
        if is_sleep {
            assert_eq!(ended.unwrap().unwrap(), Woken::BySleep, "{jump:?}");
            assert!(began.elapsed() <= Duration::from_mins(3), "{jump:?}");
        } else {
            assert!(ended.is_err(), "{jump:?}: woken for nothing");
        }
        serving.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_back_wakes_nobody() {
    let (near, far) = tokio::io::duplex(4096);
    // It stands still, which is the same as being put back all the time.
    let clock = clock();
    let serving = tokio::spawn(attend(far, None, usize::MAX));
    let mut session = session(near).await;
    let waiting = tokio::time::timeout(Duration::from_hours(2), wait(&mut session, &clock));
    assert!(waiting.await.is_err());
    drop(session);
    let heard = serving.await.unwrap();
    let idles = heard.iter().filter(|line| line.ends_with("IDLE")).count();
    let ends = heard.iter().filter(|line| *line == "DONE").count();
    // Begun anew before any router or server loses patience: 29 minutes is the latest (RFC 2177).
    assert!((8..=20).contains(&idles) && idles - ends <= 1, "{idles} {ends}");
}

#[tokio::test(start_paused = true)]
async fn news_wakes_at_once() {
    for news in
        ["* 3 EXISTS\r\n", "* 1 EXPUNGE\r\n", "* 2 FETCH (FLAGS (x))\r\n", "* VANISHED 7\r\n"]
    {
        let (near, far) = tokio::io::duplex(4096);
        let serving = tokio::spawn(attend(far, Some((Duration::from_secs(40), news)), usize::MAX));
        let mut session = session(near).await;
        let began = Instant::now();
        assert_eq!(wait(&mut session, &clock()).await.unwrap(), Woken::ByNews, "{news}");
        assert_eq!(began.elapsed().as_secs(), 40, "{news}");
        assert!(session.is_alive());
        serving.abort();
    }
    // A sign of life is none.
    let (near, far) = tokio::io::duplex(4096);
    let alive = Some((Duration::from_secs(40), "* OK Still here\r\n"));
    let serving = tokio::spawn(attend(far, alive, usize::MAX));
    let mut session = session(near).await;
    let clock = clock();
    let waiting = tokio::time::timeout(Duration::from_hours(1), wait(&mut session, &clock));
    assert!(waiting.await.is_err());
    serving.abort();
}

/// A connection whose other end is gone without a word: noticed when the wait is begun anew, at the latest.
#[tokio::test(start_paused = true)]
async fn a_dead_connection_is_noticed() {
    for mute in 1..8 {
        let (near, far) = tokio::io::duplex(4096);
        let serving = tokio::spawn(attend(far, None, mute));
        let began = Instant::now();
        let options = Options::for_tests();
        let waiting = async {
            let greeted = sign_in::welcome(&options, Box::new(near)).await?;
            let mut session = sign_in::sign_in(&options, greeted, &Arc::default()).await?;
            let ended = wait(&mut session, &clock()).await;
            assert!(!session.is_alive());
            ended.map(drop)
        };
        let error = waiting.await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{mute}: {error}");
        assert!(began.elapsed() <= Duration::from_mins(45), "{mute}: {:?}", began.elapsed());
        serving.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_asked_with_growing_pauses() {
    // Nobody listens on port 1.
    let imap = Imap::new(Options::for_tests(), clock());
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let began = Instant::now();
        imap.wait(Class::Email).await.unwrap_err();
        pauses.push(began.elapsed());
    }
    assert!(pauses[0] < Duration::from_secs(1) && pauses[1] < Duration::from_secs(1), "{pauses:?}");
    assert!(pauses[2..].windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
    assert!((Duration::from_secs(4)..Duration::from_secs(7)).contains(&pauses[2]), "{pauses:?}");
    assert!(
        pauses[11] >= Duration::from_mins(5) && pauses[11] < Duration::from_mins(6),
        "{pauses:?}"
    );
    assert_eq!(rest(u32::MAX), Duration::from_mins(5));
}
