//! Against a provider in this process that rotates refresh tokens and answers on order; the real one is in `tests/signin`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

use super::*;
use crate::clock::Clock;
use crate::connector::vault::memory::Memory;
use crate::connector::vault::{Entry, Vault};
use crate::secret::Secret;

/// What the provider was asked for, and how it shall answer instead of giving tokens.
#[derive(Default)]
struct Told {
    asked: Vec<BTreeMap<String, String>>,
    instead: VecDeque<(u16, Json)>,
    /// How many tokens it gave; the refresh token in force is `refresh-N`.
    given: usize,
    document: Json,
}

type Shared = Arc<Mutex<Told>>;

async fn token(State(told): State<Shared>, body: String) -> impl IntoResponse {
    let form: BTreeMap<_, _> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let mut told = told.lock().unwrap();
    let refresh = form.get("refresh_token").cloned();
    told.asked.push(form);
    if let Some((status, body)) = told.instead.pop_front() {
        return (StatusCode::from_u16(status).unwrap(), axum::Json(body));
    }
    if refresh != Some(format!("refresh-{}", told.given)) {
        return (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": "invalid_grant" })));
    }
    told.given += 1;
    let answer = json!({
        "access_token": format!("access-{}", told.given),
        "refresh_token": format!("refresh-{}", told.given),
        "token_type": "Bearer",
        "expires_in": 3600,
    });
    (StatusCode::OK, axum::Json(answer))
}

struct Stage {
    told: Shared,
    vault: Arc<Memory>,
    session: Arc<Session>,
    keep: Keep,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// A person has signed in.
    async fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let told = Shared::default();
        told.lock().unwrap().document = json!({
            "issuer": root,
            "authorization_endpoint": format!("{root}/auth"),
            "token_endpoint": format!("{root}/token"),
        });
        let document = |State(told): State<Shared>| async move {
            axum::Json(told.lock().unwrap().document.clone())
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(document))
            .route("/token", post(token))
            .with_state(Arc::clone(&told));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2027-06-01T12:00:00Z".parse().unwrap());
        let vault = Arc::new(Memory::default());
        let keep =
            Keep { vault: vault.clone(), folder: folder.path().join("auth"), clock: clock.clone() };
        let provider = Provider::Issuer(Url::parse(&root).unwrap());
        let identity = Identity { provider, client_id: "c".into(), user: "anna".into() };
        let session = Session::new(identity, keep.clone());
        let stage = Self { told, vault, session, keep, clock, _folder: folder };
        let tokens = wire::Tokens {
            access: Secret::new("access-0"),
            lifetime: None,
            refresh: Some(Secret::new("refresh-0")),
            refresh_lifetime: None,
        };
        stage.session.begin(&imap(), tokens).await.unwrap();
        stage
    }

    /// The same sign-in in another process.
    fn other(&self) -> Arc<Session> {
        Session::new(self.session.identity.clone(), self.keep.clone())
    }

    fn instead(&self, status: u16, body: Json) {
        self.told.lock().unwrap().instead.push_back((status, body));
    }

    fn asked(&self) -> usize {
        self.told.lock().unwrap().asked.len()
    }

    async fn kept(&self) -> String {
        let place = crate::connector::vault::place(&self.keep.folder);
        let name = format!("sign-in {} of {place}", self.session.identity.key());
        let found = self.vault.get(&Entry::new(name, "")).await.unwrap();
        found.unwrap().expose().to_owned()
    }
}

fn wanted(scope: &str) -> Wanted {
    Wanted { scopes: vec![scope.to_owned()], resource: None }
}

fn imap() -> Wanted {
    wanted("imap")
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end_and_then_replaced() {
    let stage = Stage::set().await;
    let token = async || stage.session.token(&imap()).await.unwrap().expose().to_owned();
    assert_eq!(token().await, "access-0");
    let crm = stage.session.token(&wanted("crm")).await.unwrap();
    assert_eq!((crm.expose(), stage.kept().await.as_str()), ("access-1", "refresh-1"));
    assert_eq!(stage.told.lock().unwrap().asked[0]["scope"], "crm offline_access");
    let crm = async || stage.session.token(&wanted("crm")).await.unwrap().expose().to_owned();
    stage.clock.advance(std::time::Duration::from_secs(3539));
    assert_eq!(crm().await, "access-1");
    stage.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(crm().await, "access-2");
    assert_eq!(stage.session.standing(), Standing::Good { until: None });
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all_who_had_it() {
    let stage = Stage::set().await;
    let refused = stage.session.token(&imap()).await.unwrap();
    let imap = imap();
    let again = || stage.session.another_token(&imap, Some(refused.clone()));
    let both = futures_util::future::join_all([again(), again(), again()]).await;
    assert!(both.iter().all(|token| token.as_ref().unwrap().expose() == "access-1"));
    assert_eq!(stage.asked(), 1);
}

#[tokio::test]
async fn processes_take_turns_and_use_what_the_other_one_kept() {
    let stage = Stage::set().await;
    let others: Vec<_> = (0..5).map(|_| stage.other()).collect();
    let crm = wanted("crm");
    let all = futures_util::future::join_all(others.iter().map(|one| one.token(&crm))).await;
    let mut tokens: Vec<_> =
        all.into_iter().map(|token| token.unwrap().expose().to_owned()).collect();
    tokens.sort();
    assert_eq!(tokens, ["access-1", "access-2", "access-3", "access-4", "access-5"]);
    assert_eq!(stage.kept().await, "refresh-5");
}

#[tokio::test]
async fn no_token_is_used_before_its_refresh_token_is_kept() {
    let stage = Stage::set().await;
    let crm = wanted("crm");
    stage.vault.is_full.store(true, Ordering::SeqCst);
    let error = stage.session.token(&crm).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Local, "{error}");
    assert_eq!(stage.kept().await, "refresh-0");
    // The provider has replaced it: what came is kept as soon as that is possible, and the sign-in lives.
    let error = stage.session.token(&crm).await.unwrap_err();
    assert_eq!((error.kind, stage.asked()), (ErrorKind::Local, 1));
    stage.vault.is_full.store(false, Ordering::SeqCst);
    assert_eq!(stage.session.token(&crm).await.unwrap().expose(), "access-2");
    assert_eq!(stage.kept().await, "refresh-2");
}

#[tokio::test]
async fn what_could_not_be_kept_never_goes_over_a_later_sign_in() {
    let stage = Stage::set().await;
    let crm = wanted("crm");
    stage.vault.is_full.store(true, Ordering::SeqCst);
    stage.session.token(&crm).await.unwrap_err();
    stage.vault.is_full.store(false, Ordering::SeqCst);
    let tokens = wire::Tokens {
        access: Secret::new("access-7"),
        lifetime: None,
        refresh: Some(Secret::new("refresh-7")),
        refresh_lifetime: None,
    };
    stage.other().begin(&imap(), tokens).await.unwrap();
    stage.told.lock().unwrap().given = 7;
    assert_eq!(stage.session.token(&crm).await.unwrap().expose(), "access-8");
    assert_eq!(stage.kept().await, "refresh-8");
}

#[tokio::test]
async fn trouble_of_the_network_never_asks_a_person() {
    let stage = Stage::set().await;
    let crm = wanted("crm");
    for (status, body) in [
        (500, json!({ "error": "invalid_grant" })),
        (503, json!({})),
        (400, json!({ "error": "temporarily_unavailable" })),
        (403, json!("a page of the network")),
        (200, json!({ "hello": "world" })),
    ] {
        stage.instead(status, body.clone());
        let error = stage.session.token(&crm).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{status} {body}: {error}");
        let standing = stage.session.standing();
        assert_eq!((standing.word(), standing.needs_person()), ("network", false));
    }
    stage.instead(429, json!({}));
    let error = stage.session.token(&crm).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Throttled(_)), "{error}");
    assert_eq!(stage.session.token(&crm).await.unwrap().expose(), "access-1");
    assert_eq!(stage.session.standing().word(), "ok");
}

#[tokio::test]
async fn a_dead_sign_in_is_not_tried_again_until_somebody_signs_in() {
    let stage = Stage::set().await;
    let crm = wanted("crm");
    stage.instead(400, json!({ "error": "invalid_grant", "error_description": "AADSTS50173: x" }));
    for session in [Arc::clone(&stage.session), stage.other()] {
        let error = session.token(&crm).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorised);
        assert!(error.message.contains("AADSTS50173"), "{error}");
        assert!(error.hint.unwrap().contains("liaison auth login"));
    }
    assert_eq!((stage.asked(), stage.session.standing().word()), (1, "revoked"));
    assert!(stage.session.forget().await.unwrap());
    assert_eq!(stage.session.standing(), Standing::SignedOut);
    let error = stage.session.token(&crm).await.unwrap_err();
    assert_eq!((error.kind, stage.asked()), (ErrorKind::Unauthorised, 1));
}

#[tokio::test]
async fn what_one_resource_asks_for_does_not_stop_the_others() {
    let stage = Stage::set().await;
    let refusal = json!({ "error": "invalid_grant", "suberror": "consent_required" });
    stage.instead(400, refusal);
    let (crm, smtp) = (wanted("crm"), wanted("smtp"));
    for _ in 0..2 {
        let error = stage.session.token(&crm).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorised);
    }
    assert_eq!((stage.asked(), stage.session.standing().word()), (1, "needs-user"));
    assert_eq!(stage.session.token(&smtp).await.unwrap().expose(), "access-1");
    assert_eq!(stage.session.standing().word(), "needs-user");
}

#[tokio::test]
async fn a_closed_keyring_asks_nobody_and_passes() {
    let stage = Stage::set().await;
    stage.vault.is_locked.store(true, Ordering::SeqCst);
    let error = stage.session.token(&wanted("crm")).await.unwrap_err();
    assert_eq!((error.kind, stage.asked()), (ErrorKind::Locked, 0));
    stage.vault.is_locked.store(false, Ordering::SeqCst);
    assert!(stage.session.token(&wanted("crm")).await.is_ok());
}

#[tokio::test]
async fn a_provider_must_be_who_it_says_and_safe() {
    for (key, value) in [
        ("issuer", "https://elsewhere.example"),
        ("token_endpoint", "http://elsewhere.example/token"),
        ("authorization_endpoint", "ftp://elsewhere.example/"),
    ] {
        let stage = Stage::set().await;
        stage.told.lock().unwrap().document[key] = json!(value);
        let error = stage.session.token(&wanted("crm")).await.unwrap_err();
        assert_eq!((error.kind, stage.asked()), (ErrorKind::Unsupported, 0), "{key}: {error}");
    }
    let stage = Stage::set().await;
    stage.told.lock().unwrap().document = json!("sign in to this network");
    let error = stage.session.token(&wanted("crm")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn microsoft_is_asked_for_everything_at_once_and_brought_back_to_a_name() {
    let stage = Stage::set().await;
    let provider = Provider::Entra { tenant: "contoso.com".into() };
    let identity = Identity { provider, client_id: "c".into(), user: "anna@contoso.com".into() };
    let session = Session::new(identity, stage.keep.clone());
    let crm = "https://contoso.crm4.dynamics.com/user_impersonation";
    let smtp = "https://outlook.office.com/SMTP.Send";
    let browser = session.browser(vec![wanted(crm), wanted(smtp)]).await.unwrap();
    let url = browser.url();
    let sent: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(url.host_str(), Some("login.microsoftonline.com"));
    assert_eq!(url.path(), "/contoso.com/oauth2/v2.0/authorize");
    assert_eq!(sent["scope"], format!("openid {crm} offline_access {smtp}"));
    for (key, value) in [
        ("client_id", "c"),
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        ("prompt", "select_account"),
        ("login_hint", "anna@contoso.com"),
    ] {
        assert_eq!(sent[key], value);
    }
    assert!(sent["redirect_uri"].starts_with("http://localhost:"), "{}", sent["redirect_uri"]);
    assert!(sent["state"].len() >= 32 && sent["code_challenge"].len() == 43);
}

#[tokio::test]
async fn nothing_secret_is_shown_or_written_beside_the_keyring() {
    let stage = Stage::set().await;
    stage.session.token(&wanted("crm")).await.unwrap();
    let browser = stage.session.browser(vec![imap()]).await.unwrap();
    let mut shown = format!("{:?} {browser:?} {:?}", stage.session, stage.keep);
    for file in std::fs::read_dir(&stage.keep.folder).unwrap() {
        let path = file.unwrap().path();
        shown.push_str(&std::fs::read_to_string(&path).unwrap());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
    }
    assert!(!shown.contains("refresh-") && !shown.contains("access-"), "{shown}");
}
