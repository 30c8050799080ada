use super::*;
use crate::config::settings::OAuth;
use crate::connector::oauth::{Identity, Provider, Purpose};

/// The login of e-mail after `password` was replaced by something else.
fn login_with(with: &str) -> Result<With> {
    let text = SERVERS.replacen("password = { command = \"pass mail/anna\" }", with, 1);
    let mailbox = read(&format!("{SMALLEST}{text}"))?.settings.mailbox;
    let submission = mailbox.submission.as_ref().map(|server| server.login.with.clone());
    let email = mailbox.folder(Class::Email).and_then(Folder::login).map(|it| it.with.clone());
    assert_eq!(email, submission);
    Ok(email.unwrap())
}

#[test]
fn passwords_come_from_a_command_the_keyring_or_systemd() {
    for (written, expected) in [
        ("password = { command = \"x\" }", With::Command(auth::Kind::Password, "x".into())),
        (
            "password = { keyring = true }",
            With::Keyring { user: "anna".into(), host: "imap.example.org".into() },
        ),
        (
            "password = { credential = \"mail\" }",
            With::Systemd(auth::Kind::Password, "mail".into()),
        ),
        ("token = { credential = \"mail\" }", With::Systemd(auth::Kind::Token, "mail".into())),
    ] {
        assert_eq!(login_with(written).unwrap(), expected, "{written}");
    }
    for (written, message) in [
        ("password = { keyring = false }", "`command` is missing in `[mailbox.email.password]`"),
        (
            "password = { keyring = true, command = \"x\" }",
            "`password` can only come from one place",
        ),
        ("token = { keyring = true }", "`command` is missing in `[mailbox.email.token]`"),
        (
            "token = { command = \"x\" }\npassword = { command = \"x\" }",
            "only one of `password`, `token` and `oauth` can be there",
        ),
        (
            "password = { keyring = true }\noauth = { tenant = \"t\", client_id = \"c\" }",
            "only one of `password`, `token` and `oauth` can be there",
        ),
        ("password = { keyrign = true }", "`command` is missing in `[mailbox.email.password]`"),
        (
            "password = { command = \"x\", keyrign = true }",
            "unknown key `keyrign` in `[mailbox.email.password]`",
        ),
    ] {
        let error = login_with(written).unwrap_err();
        assert_eq!(error.message, message, "{written}");
        assert!(error.hint.is_some() || message.starts_with("only one"), "{written}");
    }
}

const CONTOSO: &str = "oauth = { tenant = \"contoso.com\", client_id = \"c\" }";

#[test]
fn one_sign_in_serves_mail_and_organisation_with_the_scopes_that_each_needs() {
    let text = format!("{SMALLEST}{SERVERS}")
        .replace("password = { command = \"pass mail/anna\" }", CONTOSO)
        .replace(
            "{ kind = \"token\", command = \"pass crm\" }",
            "{ kind = \"oauth\", tenant = \"contoso.com\", client_id = \"c\" }",
        );
    let settings = settings(&text);
    let Auth::OAuth(crm) = &settings.sync_organisation().unwrap().1.auth else { panic!("OAuth") };
    let Some(Login { with: With::OAuth(mail), .. }) =
        settings.mailbox.folder(Class::Email).and_then(Folder::login)
    else {
        panic!("OAuth")
    };
    let expected = Identity {
        provider: Provider::Entra { tenant: "contoso.com".into() },
        client_id: "c".into(),
        user: "anna@example.org".into(),
    };
    assert_eq!((&crm.identity, &mail.identity), (&expected, &expected));
    let url = settings.sync_organisation().unwrap().1.url.clone();
    for (oauth, purpose, scope) in [
        (crm, Purpose::Organisation(&url), "https://contoso.crm4.dynamics.com/user_impersonation"),
        (mail, Purpose::Imap, "https://outlook.office.com/IMAP.AccessAsUser.All"),
        (mail, Purpose::Pop3, "https://outlook.office.com/POP.AccessAsUser.All"),
        (mail, Purpose::Submission, "https://outlook.office.com/SMTP.Send"),
    ] {
        assert_eq!(oauth.wanted(purpose).scopes, [scope]);
    }
}

#[test]
fn another_provider_is_named_by_its_address_and_says_nothing_of_scopes() {
    let with = login_with(
        "oauth = { issuer = \"https://login.example.org/main\", client_id = \" c \", user = \"a\", scopes = [\"imap\", \"smtp\"], resource = \"https://mail.example.org\" }",
    );
    let With::OAuth(OAuth { identity, scopes, resource }) = with.unwrap() else { panic!("OAuth") };
    assert_eq!(identity.provider.to_string(), "https://login.example.org/main");
    assert_eq!((identity.client_id.as_str(), identity.user.as_str()), ("c", "a"));
    assert_eq!((scopes.len(), resource.as_deref()), (2, Some("https://mail.example.org")));
}

#[test]
fn a_sign_in_is_checked() {
    for (written, message) in [
        ("{ client_id = \"c\" }", "`tenant` is missing in `[mailbox.email.oauth]`"),
        ("{ tenant = \"t\" }", "`client_id` is missing in `[mailbox.email.oauth]`"),
        ("{ tenant = \"t\", client_id = \" \" }", "`client_id` is empty"),
        ("{ tenant = \"a/../b\", client_id = \"c\" }", "`tenant`: this is no tenant"),
        (
            "{ tenant = \"t\", issuer = \"https://x.example\", client_id = \"c\" }",
            "`tenant` and `issuer` cannot both be there",
        ),
        ("{ issuer = \"http://x.example\", client_id = \"c\" }", "`issuer`: only https is safe"),
        (
            "{ issuer = \"https://a:b@x.example\", client_id = \"c\" }",
            "`issuer`: names and passwords have no place in it",
        ),
        (
            "{ tenant = \"t\", client_id = \"c\", client_secret = \"s\" }",
            "`client_secret`: secrets are not kept in this file",
        ),
        (
            "{ tenant = \"t\", client_id = \"c\", scopes = [\"a b\"] }",
            "`scopes` is a list of words without blanks",
        ),
        (
            "{ tenant = \"t\", client_id = \"c\", scope = \"a\" }",
            "unknown key `scope` in `[mailbox.email.oauth]`",
        ),
    ] {
        assert_eq!(login_with(&format!("oauth = {written}")).unwrap_err().message, message);
    }
    let local = "oauth = { issuer = \"http://127.0.0.1:9400\", client_id = \"c\" }";
    assert!(login_with(local).is_ok());
    // Microsoft has no calendar to sign in at, so nobody knows what one would want.
    let dav =
        format!("{SMALLEST}{SERVERS}").replace("token = { command = \"dav-token\" }", CONTOSO);
    let error = read(&dav).unwrap_err();
    assert_eq!(error.message, "which scopes a token for this server needs is not known");
}
