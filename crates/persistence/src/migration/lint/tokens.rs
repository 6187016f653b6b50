//! SQL as a list of words, names and signs, without comments and without what is in strings.

use crate::engine::Syntax;

/// The least that tells statements apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, a name without quotes or a number, as it is written.
    Word(String),
    /// A name in quotes, which is never a keyword.
    Name(String),
    /// A string, whatever is in it.
    Text,
    /// Any other character.
    Sign(char),
}

impl Token {
    /// Whether this is `keyword`, which is in capitals.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Whether this is `sign`.
    pub(super) fn is_sign(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// The tokens of each statement in `sql`. What is empty between two semicolons is no statement.
pub(super) fn statements(sql: &str, syntax: Syntax) -> Vec<Vec<Token>> {
    let tokens = tokens(sql, syntax);
    let statements = tokens.split(|token| token.is_sign(';'));
    statements
        .filter(|tokens| !tokens.is_empty())
        .map(<[Token]>::to_vec)
        .collect()
}

fn tokens(sql: &str, syntax: Syntax) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let after_first = rest.get(first.len_utf8()..).unwrap_or_default();
        if let Some(after) = after_comment(rest, syntax) {
            rest = after;
        } else if let Some(after) = after_dollar_string(rest).filter(|_| syntax.dollar_strings) {
            tokens.push(Token::Text);
            rest = after;
        } else if first == '\'' {
            rest = quoted(after_first, '\'', syntax.backslash_escapes).1;
            tokens.push(Token::Text);
        } else if let Some(end) = end_of_name(first, syntax) {
            let (name, after) = quoted(after_first, end, false);
            tokens.push(Token::Name(name));
            rest = after;
        } else if is_word(first) {
            let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Sign(first));
            }
            rest = after_first;
        }
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

/// The sign that ends a name which begins with `first`. MySQL takes `"…"` for a string unless told otherwise, which
/// makes no difference here: neither is a keyword.
fn end_of_name(first: char, syntax: Syntax) -> Option<char> {
    match first {
        '"' | '`' => Some(first),
        '[' if syntax.bracketed_names => Some(']'),
        _ => None,
    }
}

/// What stands before the end sign, which is itself if it is doubled, and what follows it.
fn quoted(text: &str, end: char, backslash_escapes: bool) -> (String, &str) {
    let mut content = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == end {
            match characters.as_str().strip_prefix(end) {
                Some(after) => characters = after.chars(),
                None => break,
            }
        } else if character == '\\' && backslash_escapes {
            characters.next();
            continue;
        }
        content.push(character);
    }
    (content, characters.as_str())
}

/// What follows the comment that the text begins with, if it begins with one.
fn after_comment(text: &str, syntax: Syntax) -> Option<&str> {
    let after_line = |text: &'_ str| text.find('\n').map_or(text.len(), |end| end);
    if let Some(comment) = text.strip_prefix("--") {
        let begins = !syntax.mysql_comments || comment.chars().next().is_none_or(char::is_whitespace);
        return begins.then(|| comment.get(after_line(comment)..).unwrap_or_default());
    }
    if syntax.mysql_comments {
        if let Some(comment) = text.strip_prefix('#') {
            return comment.get(after_line(comment)..);
        }
        // What `/*!50000 … */` and MariaDB's `/*M! … */` hold is executed: only the marks are left out.
        if let Some(executed) = text.strip_prefix("/*!").or_else(|| text.strip_prefix("/*M!")) {
            return Some(executed.trim_start_matches(|character: char| character.is_ascii_digit()));
        }
        if let Some(after) = text.strip_prefix("*/") {
            return Some(after);
        }
    }
    let mut rest = text.strip_prefix("/*")?;
    let mut depth = 1;
    while depth > 0 && !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("*/") {
            depth -= 1;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("/*").filter(|_| syntax.nested_comments) {
            depth += 1;
            rest = after;
        } else {
            let mut characters = rest.chars();
            characters.next();
            rest = characters.as_str();
        }
    }
    Some(rest)
}

/// What follows the `$tag$ … $tag$` that the text begins with, if it begins with one.
fn after_dollar_string(text: &str) -> Option<&str> {
    let (tag, after_tag) = text.strip_prefix('$')?.split_once('$')?;
    let is_tag = tag
        .chars()
        .all(|character| character.is_alphanumeric() || character == '_');
    let is_parameter = tag.starts_with(|character: char| character.is_ascii_digit());
    if !is_tag || is_parameter {
        return None;
    }
    Some(after_tag.split_once(&format!("${tag}$")).map_or("", |(_, after)| after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;

    fn words(sql: &str, engine: Engine) -> String {
        let word = |token: Token| match token {
            Token::Word(word) => word,
            Token::Name(name) => format!("<{name}>"),
            Token::Text => "text".to_owned(),
            Token::Sign(sign) => sign.to_string(),
        };
        let words: Vec<_> = tokens(sql, engine.syntax()).into_iter().map(word).collect();
        words.join(" ")
    }

    #[test]
    fn strings_names_and_comments_are_told_apart() {
        for engine in Engine::ALL {
            assert_eq!(
                words("a -- DROP b\n/* DROP c */ 'DROP ''d' \"e\"\"f\" `g` (é_1, 2);", engine),
                "a text <e\"f> <g> ( é_1 , 2 ) ;",
                "{engine}"
            );
        }
    }

    #[test]
    fn each_engine_reads_its_own_signs() {
        for (sql, mysql, postgres, sqlite) in [
            (r"'a\' b' c", "text c", "text b text", "text b text"),
            ("a # b\nc", "a c", "a # b c", "a # b c"),
            ("1--2", "1 - - 2", "1", "1"),
            ("/* a /* b */ c */ d", "c d", "d", "c * / d"),
            ("/*!50000 a */ b", "a b", "b", "b"),
            ("/*M!100500 a */ b", "a b", "b", "b"),
            ("$x$ a ; $x$ b", "$x$ a ; $x$ b", "text b", "$x$ a ; $x$ b"),
            ("$1 a", "$1 a", "$1 a", "$1 a"),
            ("[a b]", "[ a b ]", "[ a b ]", "<a b>"),
        ] {
            assert_eq!(words(sql, Engine::MySql), mysql, "{sql}");
            assert_eq!(words(sql, Engine::Postgres), postgres, "{sql}");
            assert_eq!(words(sql, Engine::Sqlite), sqlite, "{sql}");
        }
    }

    #[test]
    fn what_never_ends_is_read_to_the_end() {
        for sql in ["'a", "\"a", "/* a", "-- a", "$$ a", "`", "'\\"] {
            for engine in Engine::ALL {
                tokens(sql, engine.syntax());
            }
        }
        assert!(statements(" ; ; -- nothing\n;", Engine::Sqlite.syntax()).is_empty());
    }
}
