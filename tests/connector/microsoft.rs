//! Microsoft's own Python client, unchanged, against the sandbox: what it can do here is what it can do with the service.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::organisation::Organisation;

/// The script is run by this interpreter, which has `PowerPlatform-Dataverse-Client` installed.
const INTERPRETER: &str = "LIAISON_PYTHON";

#[tokio::test(flavor = "multi_thread")]
async fn its_own_client_works_unchanged() {
    let python = interpreter();
    let (organisation, authority) = Organisation::start_with_tls().await;
    let (url, token) = (organisation.url().to_owned(), organisation.token_file("anna"));
    let run = move || {
        Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ms_sdk.py"))
            .arg(url)
            .env("REQUESTS_CA_BUNDLE", authority)
            .env("TOKEN_FILE", token)
            .env("NO_PROXY", "localhost")
            .output()
            .unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let done = said.lines().filter(|line| line.ends_with(" ok")).count();
    assert_eq!(done, 11, "the script does other things than this test knows");
}

/// From the environment, else the one that `.ci/run` makes. It is an error if the client is not there: a test that looks away
/// proves nothing.
fn interpreter() -> PathBuf {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let python = std::env::var_os(INTERPRETER).map_or(made, PathBuf::from);
    let found = Command::new(&python).args(["-c", "import PowerPlatform.Dataverse"]).output();
    assert!(
        found.is_ok_and(|found| found.status.success()),
        "{} has no PowerPlatform-Dataverse-Client. Once: python3 -m venv target/python && \
         target/python/bin/pip install PowerPlatform-Dataverse-Client (or name another interpreter in {INTERPRETER})",
        python.display()
    );
    python
}
