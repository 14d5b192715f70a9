//! Finds the paths (`a::b::c`) that Rust source names, with groups (`a::{b, c::d}`) taken apart. Not a parser: comments
//! and literals are blanked out, then names and `::` are read. Enough for imports, which is all that counts here.

/// A path and the line it starts on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
}

/// All paths of two or more names in the text.
pub(super) fn mentions(text: &str) -> Vec<Mention> {
    let tokens = tokens(&blanked(text));
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if matches!(tokens[at].1, Token::Name(_)) {
            at = read_path(&tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found.retain(|mention| mention.path.len() > 1);
    found
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    PathSeparator,
    Other(char),
}

/// Reads the path that starts at token `at` below `prefix`; returns the token after it.
fn read_path(tokens: &[(usize, Token)], mut at: usize, prefix: &[String], found: &mut Vec<Mention>) -> usize {
    let line = tokens[at].0;
    let mut path = prefix.to_vec();
    while let Some((_, Token::Name(name))) = tokens.get(at) {
        path.push(name.clone());
        at += 1;
        if tokens.get(at).map(|token| &token.1) != Some(&Token::PathSeparator) {
            break;
        }
        at += 1;
        if let Some((_, Token::Other('{'))) = tokens.get(at) {
            return read_group(tokens, at + 1, &path, found);
        }
    }
    found.push(Mention { line, path });
    at
}

/// Reads `b, c::d }` below `prefix`; returns the token after the brace.
fn read_group(
    tokens: &[(usize, Token)],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<Mention>,
) -> usize {
    while let Some((line, token)) = tokens.get(at) {
        match token {
            Token::Name(name) if name == "self" => {
                found.push(Mention { line: *line, path: prefix.to_vec() });
                at += 1;
            }
            Token::Name(name) if name == "as" => at += 2,
            Token::Name(_) => at = read_path(tokens, at, prefix, found),
            Token::Other('}') => return at + 1,
            Token::Other('*') => {
                found.push(Mention { line: *line, path: prefix.to_vec() });
                at += 1;
            }
            Token::PathSeparator | Token::Other(_) => at += 1,
        }
    }
    at
}

fn tokens(text: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let mut rest = content;
        while let Some(first) = rest.chars().next() {
            let name_len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let (token, len) = if name_len > 0 {
                (Token::Name(rest[..name_len].to_owned()), name_len)
            } else if rest.starts_with("::") {
                (Token::PathSeparator, 2)
            } else {
                (Token::Other(first), first.len_utf8())
            };
            if !matches!(token, Token::Other(c) if c.is_whitespace()) {
                tokens.push((line, token));
            }
            rest = &rest[len..];
        }
    }
    tokens
}

/// The text with comments and string literals made of spaces; lines stay where they are.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skip = comment_len(rest).or_else(|| literal_len(rest));
        if let Some(len) = skip {
            out.extend(rest[..len].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[len..];
            continue;
        }
        // A name is copied whole, so that the r of `for"` is not taken for the start of a raw string.
        let name_len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let len = name_len.max(first.len_utf8());
        out.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    out
}

fn comment_len(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(rest.len())
}

/// Length of the string or character literal that the text starts with.
fn literal_len(rest: &str) -> Option<usize> {
    let unprefixed = rest.strip_prefix('b').or_else(|| rest.strip_prefix('c')).unwrap_or(rest);
    if let Some(raw) = unprefixed.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = rest.len() - raw.len() + hashes + 1;
            return Some(rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len()));
        }
    }
    let quote = unprefixed.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let start = rest.len() - unprefixed.len() + 1;
    if quote == '\'' && !is_char_literal(&rest[start..]) {
        return None;
    }
    let mut escaped = false;
    for (at, c) in rest[start..].char_indices() {
        if !escaped && c == quote {
            return Some(start + at + 1);
        }
        escaped = !escaped && c == '\\';
    }
    Some(rest.len())
}

/// Told from a lifetime: the quote ends after one character or an escape.
fn is_char_literal(after_quote: &str) -> bool {
    let mut chars = after_quote.chars();
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}
