//! Texts in the form both sides can hold, and plain text as HTML.

/// One line: white space of any kind, and control characters (which could add header fields), become single spaces.
pub(super) fn one_line(text: &str) -> String {
    let mut after_blank = true;
    let is_so = |byte: &u8| {
        let is_blank = *byte == b' ';
        let is_one = !(is_blank && after_blank);
        after_blank = is_blank;
        is_one && matches!(byte, b' '..=b'~')
    };
    // Most texts are one line already.
    if text.as_bytes().iter().all(is_so) && !text.ends_with(' ') {
        return text.to_owned();
    }
    let spaced: String =
        text.chars().map(|c| if is_unwelcome(c) || c == '\n' { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text with `\n` line ends and nothing that XML 1.0 §2.2 leaves out: the CRM refuses such characters.
pub(super) fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|c| !is_unwelcome(*c)).collect()
}

fn is_unwelcome(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Plain text as HTML that looks the same: `&`, `<`, `>` and `"` escaped, `<br>` for line ends, and spaces that HTML
/// would swallow as `&nbsp;`.
pub(super) fn from_text(text: &str) -> String {
    let text = clean(text);
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    let mut after_space = true;
    for c in text.trim_matches('\n').trim_end().chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\n' => html.push_str("<br>\n"),
            '\t' => html.push_str("&nbsp;&nbsp;&nbsp; "),
            ' ' if after_space => html.push_str("&nbsp;"),
            other => html.push(other),
        }
        after_space = matches!(c, '\n' | '\t') || (c == ' ' && !after_space);
    }
    html
}
