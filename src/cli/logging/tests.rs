//! What is heard, and how it stands in the file.

use serde_json::Value as Json;

use super::*;

/// What a log with this filter keeps of some work.
fn kept(asked: &str, work: impl FnOnce()) -> Vec<Json> {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::open(folder.path()).unwrap();
    let log = Registry::default().with(discreet()).with(EnvFilter::new(asked)).with(to_file(parts));
    tracing::subscriber::with_default(log, work);
    let text = std::fs::read_to_string(file::path(folder.path(), 1)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn libraries_that_write_down_what_is_sent_are_not_heard_whatever_is_asked_for() {
    let found = kept("trace,async_imap=trace,lettre::transport=trace", || {
        tracing::error!(target: "async_imap::imap_stream", "LOGIN anna secret");
        tracing::error!(target: "lettre::transport", "AUTH PLAIN c2VjcmV0");
        tracing::error!(target: "hyper::proto", "authorization: Bearer secret");
        tracing::error!(target: "zbus", "SetSecret");
        tracing::trace!(target: "liaison::sync", "ours");
        tracing::warn!(target: "async_imapostor", "named alike");
    });
    let targets: Vec<&str> = found.iter().map(|line| line["target"].as_str().unwrap()).collect();
    assert_eq!(targets, ["liaison::sync", "async_imapostor"]);
}

#[test]
fn a_line_says_when_where_what_and_in_which_round() {
    let found = kept("info", || {
        let _round = tracing::info_span!("round", id = 7).entered();
        let _class = tracing::info_span!("class", class = "contact").entered();
        tracing::info!(operations = 3, "two\nlines");
        tracing::debug!("not asked for");
    });
    assert_eq!(found.len(), 1, "{found:?}");
    let line = &found[0];
    assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
    assert_eq!(
        (&line["level"], &line["fields"]["message"]),
        (&"INFO".into(), &"two\nlines".into())
    );
    assert_eq!(line["fields"]["operations"], 3);
    assert_eq!(
        (&line["spans"][0]["id"], &line["spans"][1]["class"]),
        (&7.into(), &"contact".into())
    );
}

/// The one test that sets up the log of its process.
#[test]
fn a_service_writes_into_its_state_folder_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let common = crate::cli::Common {
        config: Some(folder.path().join("config.toml")),
        state: Some(folder.path().join("state")),
        json: false,
        verbose: 0,
    };
    let here = Installation::find(&common).unwrap();
    terminal(0);
    tracing::info!("before");
    assert_eq!(file::numbers(&super::folder(&here)).unwrap(), [0; 0]);
    let round = tracing::info_span!("round", id = 7);
    service(&here).unwrap();
    round.in_scope(|| tracing::info!("after"));
    tracing::info_span!("round", id = 8).in_scope(|| tracing::info!("in a span"));
    tracing::debug!("not asked for");
    let text = std::fs::read_to_string(file::path(&super::folder(&here), 1)).unwrap();
    assert!(text.contains("\"after\"") && text.contains("\"in a span\""), "{text}");
    assert!(text.contains("\"id\":8"), "{text}");
    assert!(!text.contains("before") && !text.contains("not asked for"), "{text}");
}
