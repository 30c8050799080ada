//! Signing in by digest (RFC 7616): MD5 and SHA-256, with and without session, `qop=auth`. It must not know when it is used.

use std::fmt::{self, Write as _};

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// What a server wants to be proven, and how often it was.
#[derive(Clone)]
pub(super) struct Digest {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    hash: Hash,
    session: bool,
    /// Whether the server knows `qop=auth`; without it, RFC 2069 applies.
    qop: bool,
    count: u32,
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:?}, used {} times)", self.hash, self.count)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
}

impl Hash {
    fn of(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }
}

/// One `WWW-Authenticate` challenge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Challenge {
    /// In lower case.
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether only the nonce was too old (RFC 7616 §3.3).
    pub(super) fn is_stale(&self) -> bool {
        self.parameter("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"))
    }
}

impl Digest {
    /// The strongest digest among these challenges that can be answered.
    pub(super) fn of(challenges: &[Challenge]) -> Option<Self> {
        let digests = challenges.iter().filter(|challenge| challenge.scheme == "digest");
        digests.filter_map(Self::answerable).max_by_key(|digest| digest.hash)
    }

    fn answerable(challenge: &Challenge) -> Option<Self> {
        let algorithm = challenge.parameter("algorithm").unwrap_or("MD5").to_ascii_uppercase();
        let (hash, session) = match algorithm.as_str() {
            "MD5" => (Hash::Md5, false),
            "MD5-SESS" => (Hash::Md5, true),
            "SHA-256" => (Hash::Sha256, false),
            "SHA-256-SESS" => (Hash::Sha256, true),
            _ => return None,
        };
        let qop = match challenge.parameter("qop") {
            None => false,
            Some(words)
                if words.split(',').any(|word| word.trim().eq_ignore_ascii_case("auth")) =>
            {
                true
            }
            Some(_) => return None,
        };
        Some(Self {
            realm: challenge.parameter("realm").unwrap_or_default().to_owned(),
            nonce: challenge.parameter("nonce")?.to_owned(),
            opaque: challenge.parameter("opaque").map(str::to_owned),
            hash,
            session,
            qop,
            count: 0,
        })
    }

    /// Whether both are of the same nonce.
    pub(super) fn has_nonce_of(&self, other: &Self) -> bool {
        self.nonce == other.nonce
    }

    /// The value of `Authorization` for the next request. `uri` is path and query as they are sent, `client_nonce` unguessable.
    pub(super) fn authorisation(
        &mut self,
        user: &str,
        password: &Secret,
        method: &str,
        uri: &str,
        client_nonce: &str,
    ) -> String {
        self.count = self.count.saturating_add(1);
        let count = format!("{:08x}", self.count);
        let hash = |text: &str| self.hash.of(text);
        let mut who = hash(&format!("{user}:{}:{}", self.realm, password.expose()));
        if self.session {
            who = hash(&format!("{who}:{}:{client_nonce}", self.nonce));
        }
        let what = hash(&format!("{method}:{uri}"));
        let nonce = &self.nonce;
        let proof = if self.qop {
            hash(&format!("{who}:{nonce}:{count}:{client_nonce}:auth:{what}"))
        } else {
            hash(&format!("{who}:{nonce}:{what}"))
        };
        let mut header = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", algorithm={}{}, response=\"{proof}\"",
            quoted(user),
            quoted(&self.realm),
            quoted(nonce),
            self.hash.word(),
            if self.session { "-sess" } else { "" },
        );
        // Writing into a string cannot fail.
        if self.qop {
            write!(header, ", qop=auth, nc={count}, cnonce=\"{client_nonce}\"").ok();
        }
        if let Some(opaque) = &self.opaque {
            write!(header, ", opaque=\"{}\"", quoted(opaque)).ok();
        }
        header
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// More challenges, or parameters of one, are noise.
const PARTS_MAX: usize = 64;

/// The challenges in one `WWW-Authenticate` header (RFC 9110 §11.6.1); what makes no sense is skipped.
pub(super) fn challenges(header: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    for part in parts(header).into_iter().take(PARTS_MAX) {
        let part = part.trim();
        // `Digest realm="x"` begins a challenge, `realm="x"` goes on with one.
        let (head, rest) = part.split_once(' ').unwrap_or((part, ""));
        let parameter = if head.contains('=') || rest.trim_start().starts_with('=') {
            part
        } else {
            if head.is_empty() {
                continue;
            }
            found.push(Challenge { scheme: head.to_ascii_lowercase(), parameters: Vec::new() });
            rest
        };
        if let (Some(challenge), Some((name, value))) =
            (found.last_mut(), parameter.split_once('='))
        {
            challenge.parameters.push((name.trim().to_ascii_lowercase(), unquoted(value.trim())));
        }
    }
    found
}

/// Splits at commas that are not quoted.
fn parts(header: &str) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    header
        .split(|character| {
            let ends = character == ',' && !is_quoted;
            match character {
                _ if is_escaped => is_escaped = false,
                '\\' if is_quoted => is_escaped = true,
                '"' => is_quoted = !is_quoted,
                _ => {}
            }
            ends
        })
        .collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7616 §3.9.1.
    #[test]
    fn the_examples_of_the_rfc() {
        let header = r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
            Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5,
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;
        let offered = challenges(header);
        assert_eq!(offered.len(), 2);
        let password = Secret::new("Circle of Life");
        let nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let prove = |digest: &mut Digest| {
            digest.authorisation("Mufasa", &password, "GET", "/dir/index.html", nonce)
        };
        let mut strongest = Digest::of(&offered).unwrap();
        let proof = prove(&mut strongest);
        let sha = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert!(proof.contains(&format!("response=\"{sha}\"")), "{proof}");
        assert!(proof.contains("algorithm=SHA-256,") && proof.contains("nc=00000001"), "{proof}");
        assert!(prove(&mut strongest).contains("nc=00000002"));
        let proof = prove(&mut Digest::of(&offered[1..]).unwrap());
        assert!(proof.contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""), "{proof}");
    }

    #[test]
    fn challenges_of_all_kinds() {
        let schemes = |header: &str| -> Vec<String> {
            challenges(header).into_iter().map(|challenge| challenge.scheme).collect()
        };
        assert_eq!(schemes("Basic realm=\"a, b\", charset=\"UTF-8\""), ["basic"]);
        assert_eq!(schemes("Negotiate, Basic realm=x,Bearer"), ["negotiate", "basic", "bearer"]);
        assert_eq!(schemes("Digest realm=\"a\\\", Basic b\", nonce = \"n\""), ["digest"]);
        assert_eq!(
            challenges("Digest realm = \"a\\\"b\" , nonce=n")[0].parameter("realm"),
            Some("a\"b")
        );
        for noise in ["", ",,,", "=", "\"", "realm=\"x", "\\", " , = ,"] {
            assert_eq!(Digest::of(&challenges(noise)).map(|_| ()), None, "{noise}");
        }
        for refused in
            ["Digest realm=x", "Digest nonce=n, algorithm=SHA-512", "Digest nonce=n, qop=auth-int"]
        {
            assert!(Digest::of(&challenges(refused)).is_none(), "{refused}");
        }
        assert!(challenges("Digest nonce=n, stale=TRUE")[0].is_stale());
    }

    #[test]
    fn nothing_of_the_password_shows() {
        let mut digest = Digest::of(&challenges("Digest realm=r, nonce=n")).unwrap();
        let header = digest.authorisation("a\"b", &Secret::new("hunter2"), "PUT", "/", "c");
        assert!(!header.contains("hunter2") && header.contains("username=\"a\\\"b\""), "{header}");
        assert!(!header.contains("qop"), "{header}");
        assert_eq!(format!("{digest:?}"), "Digest(Md5, used 1 times)");
    }
}
