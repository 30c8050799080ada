//! Names on the wire: modified UTF-7 for folders (RFC 3501 §5.1.3), strings in quotes or as literals. It must not know what
//! they name.

use base64::Engine as _;
use base64::alphabet::Alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A piece of a command.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Literal(Vec<u8>),
}

/// A string from outside, as it can be put into a command.
pub(super) fn string(text: &str) -> Piece {
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if plain && text.len() <= 1000 {
        Piece::Text(quoted(text))
    } else {
        Piece::Literal(text.as_bytes().to_vec())
    }
}

/// A folder's name in modified UTF-7 and quotes.
pub(super) fn folder(name: &str) -> String {
    quoted(&encode(name))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn base64() -> Option<GeneralPurpose> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    Some(GeneralPurpose::new(&Alphabet::new(ALPHABET).ok()?, config))
}

/// A name in modified UTF-7: only printable ASCII comes out.
pub(super) fn encode(name: &str) -> String {
    let mut encoded = String::new();
    let mut shifted: Vec<u8> = Vec::new();
    let unshift = |encoded: &mut String, shifted: &mut Vec<u8>| {
        if let Some(base64) = base64().filter(|_| !shifted.is_empty()) {
            encoded.push('&');
            base64.encode_string(&shifted, encoded);
            encoded.push('-');
            shifted.clear();
        }
    };
    for character in name.chars() {
        if matches!(character, ' '..='~') {
            unshift(&mut encoded, &mut shifted);
            encoded.push(character);
            if character == '&' {
                encoded.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(
                character.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()),
            );
        }
    }
    unshift(&mut encoded, &mut shifted);
    encoded
}

/// The name that modified UTF-7 stands for; nothing where it does not come out the same again.
pub(super) fn decode(wire: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = wire;
    while let Some((before, after)) = rest.split_once('&') {
        name.push_str(before);
        let (shifted, after) = after.split_once('-')?;
        if shifted.is_empty() {
            name.push('&');
        } else {
            let bytes = base64()?.decode(shifted).ok()?;
            let units = bytes
                .chunks_exact(2)
                .map(|pair| pair.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte)));
            name.push_str(&String::from_utf16(&units.collect::<Vec<u16>>()).ok()?);
        }
        rest = after;
    }
    name.push_str(rest);
    (encode(&name) == wire).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_of_the_world() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Q&A", "Q&-A"),
            ("😀!", "&2D3eAA-!"),
            ("a\tb", "a&AAk-b"),
            ("", ""),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire).as_deref(), Some(name));
        }
        for odd in ["a&b", "&-&", "&AGE-", "&U-", "&2D0-", "ü", "&U,BTFw-&ZeVnLIqe-"] {
            assert_eq!(decode(odd), None, "{odd}");
        }
    }

    #[test]
    fn nothing_breaks_out_of_its_quotes() {
        assert_eq!(folder("a\"b\\c"), "\"a\\\"b\\\\c\"");
        assert!(folder("a\r\nA1 DELETE INBOX").bytes().all(|byte| matches!(byte, b' '..=b'~')));
        assert!(matches!(string("a\r\nb"), Piece::Literal(_)));
        assert!(matches!(string("ü"), Piece::Literal(_)));
        assert!(matches!(string("plain"), Piece::Text(_)));
    }
}
