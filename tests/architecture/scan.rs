//! A scanner that knows just enough Rust to tell code from comments and literals, and to spell out paths.
//! It knows no rule: what it finds is judged in `architecture`.

use std::iter::Peekable;
use std::str::Chars;

/// A word, `::`, or one other sign, and the line it stands in (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) text: String,
}

/// A path as it is used or imported, groups spelled out: `use a::{b, c::d}` is `a::b` and `a::c::d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) line: usize,
    pub(super) segments: Vec<String>,
}

/// The code of a source file without comments, strings, characters and lifetimes.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut scanner = Scanner { rest: source.chars().peekable(), line: 1, tokens: Vec::new() };
    while scanner.step() {}
    scanner.tokens
}

/// Every path in the code, made absolute from the crate's root where it starts with `crate`, `self` or `super`:
/// the first segment is then `crate`. `module` is the module that the file is.
pub(super) fn paths(tokens: &[Token], module: &[String]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let text = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text.as_str());
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.retain(|(_, outside)| *outside < depth);
            }
            "mod" if text(2) == "{" => {
                inline.push((text(1).to_owned(), depth));
                depth += 1;
                at += 3;
                continue;
            }
            first if is_word(first) => {
                let mut here = module.to_vec();
                here.extend(inline.iter().map(|(name, _)| name.clone()));
                let mut written = Vec::new();
                at = path(tokens, at, &[], &mut written);
                found.extend(written.into_iter().map(|path| absolute(path, &here)));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one path, or one tree of an import, and returns where it ends.
fn path(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.to_vec();
    let mut at = start;
    let line = tokens[start].line;
    loop {
        match tokens.get(at).map(|token| token.text.as_str()) {
            Some("{") => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match token.text.as_str() {
                        "}" => return at + 1,
                        text if is_word(text) || text == "*" || text == "{" => {
                            at = path(tokens, at, &segments, found);
                        }
                        _ => at += 1,
                    }
                }
                return at;
            }
            Some(text) if is_word(text) || text == "*" => {
                segments.push(text.to_owned());
                at += 1;
            }
            _ => break,
        }
        let follows = tokens.get(at + 1).map_or("", |token| token.text.as_str());
        if tokens.get(at).is_some_and(|token| token.text == "::")
            && (is_word(follows) || follows == "*" || follows == "{")
        {
            at += 1;
        } else {
            break;
        }
    }
    found.push(Path { line, segments });
    at
}

fn absolute(path: Path, here: &[String]) -> Path {
    let mut base = here.to_vec();
    let mut rest = path.segments.as_slice();
    let relative = matches!(rest.first().map(String::as_str), Some("self" | "super"));
    if !relative || rest.len() == 1 {
        return path;
    }
    while let Some((first, after)) = rest.split_first() {
        match first.as_str() {
            "self" => {}
            "super" => {
                base.pop();
            }
            _ => break,
        }
        rest = after;
    }
    let segments = std::iter::once("crate".to_owned()).chain(base).chain(rest.iter().cloned());
    Path { line: path.line, segments: segments.collect() }
}

pub(super) fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphanumeric() || first == '_')
}

struct Scanner<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    tokens: Vec<Token>,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn push(&mut self, text: impl Into<String>) {
        self.tokens.push(Token { line: self.line, text: text.into() });
    }

    fn step(&mut self) -> bool {
        let Some(first) = self.next() else { return false };
        match first {
            '/' if self.peek() == Some('/') => {
                while self.next().is_some_and(|next| next != '\n') {}
            }
            '/' if self.peek() == Some('*') => self.block_comment(),
            '"' => self.string(),
            '\'' => self.quote(),
            ':' if self.peek() == Some(':') => {
                self.next();
                self.push("::");
            }
            first if first.is_alphanumeric() || first == '_' => self.word(first),
            first if first.is_whitespace() => {}
            first => self.push(first),
        }
        true
    }

    fn word(&mut self, first: char) {
        let mut word = String::from(first);
        while let Some(next) = self.peek().filter(|next| next.is_alphanumeric() || *next == '_') {
            word.push(next);
            self.next();
        }
        match (word.as_str(), self.peek()) {
            ("r" | "br" | "cr", Some('"' | '#')) => self.raw(),
            ("b" | "c", Some('"')) => {
                self.next();
                self.string();
            }
            _ => self.push(word),
        }
    }

    /// After `r`: a raw string, or a raw word (`r#type`), which stays a word.
    fn raw(&mut self) {
        let mut hashes = 0;
        while self.peek() == Some('#') {
            self.next();
            hashes += 1;
        }
        if self.peek() != Some('"') {
            return;
        }
        self.next();
        while let Some(next) = self.next() {
            let mut closing = 0;
            while next == '"' && closing < hashes && self.peek() == Some('#') {
                self.next();
                closing += 1;
            }
            if next == '"' && closing == hashes {
                return;
            }
        }
    }

    fn string(&mut self) {
        while let Some(next) = self.next() {
            match next {
                '\\' => {
                    self.next();
                }
                '"' => return,
                _ => {}
            }
        }
    }

    /// After `'`: a character, whatever it is, or a lifetime, whose name is dropped.
    fn quote(&mut self) {
        match self.next() {
            Some('\\') => {
                self.next();
                while self.next().is_some_and(|next| next != '\'') {}
            }
            Some(first) if first.is_alphanumeric() || first == '_' => {
                while self.peek().is_some_and(|next| next.is_alphanumeric() || next == '_') {
                    self.next();
                }
                if self.peek() == Some('\'') {
                    self.next();
                }
            }
            Some(_) => {
                self.next();
            }
            None => {}
        }
    }

    fn block_comment(&mut self) {
        self.next();
        let mut open = 1;
        while let Some(next) = self.next() {
            match (next, self.peek()) {
                ('*', Some('/')) => {
                    self.next();
                    open -= 1;
                }
                ('/', Some('*')) => {
                    self.next();
                    open += 1;
                }
                _ => {}
            }
            if open == 0 {
                return;
            }
        }
    }
}
