//! One source file, read for the house rules: raw, and as code alone with comments and literals blanked out.

use std::fs;
use std::path::Path;

/// A source file by its path from the repository's root.
pub(super) struct Source {
    /// With `/`, like `src/http/error.rs`.
    pub(super) path: String,
    /// As it is.
    pub(super) text: String,
    /// The same lines, with the insides of comments and literals turned into spaces.
    pub(super) code: String,
    /// `code` without what only tests compile.
    pub(super) product: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = blank(text);
        let product = without_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, product }
    }

    /// Whether the file is `place`, or lies under it where `place` ends in `/`.
    pub(super) fn is_in(&self, place: &str) -> bool {
        if place.ends_with('/') { self.path.starts_with(place) } else { self.path == place }
    }

    /// The module path below `src`: `["http", "error"]`; empty for `lib.rs` and `main.rs`.
    pub(super) fn module(&self) -> Vec<&str> {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        if ["lib", "main"].contains(&inside) { Vec::new() } else { inside.split('/').collect() }
    }
}

/// Every file with one of the `endings` under `place`, which is a file or a directory of the repository.
pub(super) fn files(place: &str, endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut waiting = vec![root.join(place)];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) && path.exists() {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            found.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Whether `c` can be part of an identifier.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands in `code` as a whole word; byte offsets.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word))
}

/// The line of a byte offset, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Turns the insides of comments, strings and character literals into spaces; lines stay where they are.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let inside = literal_or_comment(rest, code.ends_with(is_word));
        if inside == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..inside].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[inside..];
        }
    }
    code
}

/// How many bytes the comment or literal takes with which `rest` begins; 0 if it begins with neither.
fn literal_or_comment(rest: &str, after_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if let Some(inside) = rest.strip_prefix('"') {
        return 1 + until_quote(inside, '"');
    }
    if rest.starts_with('\'') {
        return char_literal(rest);
    }
    if after_word { 0 } else { raw_string(rest) }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// Bytes up to and with the closing `quote`, escapes skipped.
fn until_quote(inside: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    inside.len()
}

/// A character literal; 0 for a lifetime.
fn char_literal(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => 1 + until_quote(&rest[1..], '\''),
        (_, Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// A raw string like `r#"…"#` or `br"…"`; 0 for anything else.
fn raw_string(rest: &str) -> usize {
    let Some(marked) = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r')) else { return 0 };
    let hashes = marked.len() - marked.trim_start_matches('#').len();
    let Some(inside) = marked[hashes..].strip_prefix('"') else { return 0 };
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inside.find(&close).map_or(inside.len(), |at| at + close.len());
    rest.len() - inside.len() + end
}

/// Blanks every item under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut product = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        product.push_str(&rest[..at]);
        let item = &rest[at..];
        // A braced `use` ends in a semicolon of its own.
        let end = block_end(item).map_or(item.len(), |end| end + 1);
        let end = end + usize::from(item[end..].starts_with(';'));
        product.extend(item[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &item[end..];
    }
    product + rest
}

/// Where the item ends with which `code` begins: its closing brace, or the semicolon of one without a body.
pub(super) fn block_end(code: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            ';' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

#[test]
fn comments_and_literals_are_blanked_and_lifetimes_are_not() {
    let text = "a // sled::x\n/* b /* c */ d */ e(\"f\\\"g\", 'h', '\\'', r#\"i\"j\"#, b\"k\") &'l m; for\"n\"";
    assert_eq!(
        blank(text).split_whitespace().collect::<Vec<_>>(),
        ["a", "e(", ",", ",", ",", ",", "b", ")", "&'l", "m;", "for"]
    );
    assert_eq!(blank(text).len(), text.len());
}

#[test]
fn what_only_tests_compile_is_no_product() {
    let text = "fn a() {}\n#[cfg(test)]\nuse x::{y, z};\nfn b() {}\n#[cfg(test)]\nmod tests { fn c() {} }\nfn d() {}\n";
    let product = Source::new("src/x.rs", text).product;
    assert_eq!(product.split_whitespace().collect::<String>(), "fna(){}fnb(){}fnd(){}");
    assert_eq!(line_of(&product, product.find("fn d").unwrap()), 7);
}
