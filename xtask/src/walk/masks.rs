//! Hides what no two runs have in common.

use crate::examples::masks::masked;

/// Members of JSON whose values differ from run to run.
const MEMBERS: [&str; 5] = ["created_at", "updated_at", "timestamp", "next_cursor", "request_id"];

/// The text with such values replaced by what they are, and without white space at the ends of lines.
pub(super) fn apply(text: &str) -> String {
    let lines: Vec<String> = text
        .trim()
        .lines()
        .map(|line| MEMBERS.iter().fold(masked(line.trim_end()), hide))
        .collect();
    lines.join("\n")
}

fn hide(text: String, member: &&str) -> String {
    let opening = format!("\"{member}\":\"");
    let mut hidden = String::new();
    let mut rest = text.as_str();
    while let Some((before, value)) = rest.split_once(&opening) {
        let (_, after) = value.split_once('"').unwrap_or((value, ""));
        hidden.extend([before, &opening, "…\""]);
        rest = after;
    }
    hidden + rest
}

#[cfg(test)]
mod tests {
    use super::apply;

    #[test]
    fn times_and_measurements_are_hidden_and_nothing_else() {
        assert_eq!(
            apply("{\"id\":3,\"created_at\":\"2026-11-23T09:04:38Z\",\"name\":\"Bob\"}  \n"),
            "{\"id\":3,\"created_at\":\"…\",\"name\":\"Bob\"}"
        );
        assert_eq!(
            apply("took   12.3 ms, 4.1× of 17 or 2 s; 3 sheep"),
            "took # ms, #× of 17 or # s; 3 sheep"
        );
    }
}
