use std::sync::Arc;

use super::*;
use crate::connector::vault::memory::Memory;

#[cfg(unix)]
#[tokio::test]
async fn a_command_runs_once_until_the_token_is_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let count = dir.path().join("count");
    let command = Credential::command(
        Kind::Token,
        format!("echo x >> {0}; wc -l < {0} | tr -d ' '", count.display()),
    );
    assert_eq!(command.secret().await.unwrap().expose(), "1");
    assert_eq!(command.secret().await.unwrap().expose(), "1");
    assert_eq!(command.renewed().await.unwrap().expose(), "2");
    assert_eq!(command.secret().await.unwrap().expose(), "2");
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_token_is_refused_by_name_of_the_command() {
    for line in
        ["false", "true", "echo two words", "printf 'a\\nb'", "/no/such/command", "printf '\\377'"]
    {
        let error = Credential::command(Kind::Token, line).secret().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorised, "{line}");
        assert!(error.hint.unwrap().contains(line));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_password_is_the_first_line_as_it_is() {
    let password = |line: &str| Credential::command(Kind::Password, line);
    let printed = password("printf ' correct höse \\nuser: anna\\n'").secret().await.unwrap();
    assert_eq!(printed.expose(), " correct höse ");
    for line in ["true", "echo; echo second", "printf 'a\\tb'"] {
        let error = password(line).secret().await.unwrap_err();
        assert!(error.message.contains("password"), "{line}: {error}");
    }
}

#[tokio::test]
async fn a_systemd_credential_is_a_file_in_its_folder_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("imap"), " pass word\nnote\n").unwrap();
    std::fs::write(dir.path().join("other"), "secret\n").unwrap();
    let read = |name: &str, folder: Option<&std::path::Path>| {
        Credential::systemd(Kind::Password, name, folder.map(Into::into))
    };
    let found = read("imap", Some(&folder)).secret().await.unwrap();
    assert_eq!(found.expose(), " pass word");
    for (name, folder) in [
        ("none", Some(folder.as_path())),
        ("../other", Some(&folder)),
        ("", Some(&folder)),
        ("imap", None),
    ] {
        let error = read(name, folder).secret().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorised, "{name}");
        assert!(error.hint.unwrap().contains("LoadCredentialEncrypted"), "{name}");
    }
}

#[tokio::test]
async fn a_password_comes_from_the_keyring_or_says_how_it_gets_there() {
    let vault = Arc::new(Memory::default());
    let entry = Entry::new("password anna imap.example.org", "password of anna");
    let credential = Credential::keyring(vault.clone(), entry.clone());
    let missing = credential.secret().await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::Unauthorised);
    assert!(missing.hint.unwrap().contains("liaison auth login"));
    vault.put(&entry, &Secret::new("one")).await.unwrap();
    assert_eq!(credential.secret().await.unwrap().expose(), "one");
    vault.put(&entry, &Secret::new("two")).await.unwrap();
    assert_eq!(credential.secret().await.unwrap().expose(), "one");
    assert_eq!(credential.renewed().await.unwrap().expose(), "two");
}
