//! Hides what no two runs have in common.

/// Members of JSON whose values differ from run to run.
const MEMBERS: [&str; 5] = ["created_at", "updated_at", "timestamp", "next_cursor", "request_id"];

/// What stands behind a number that was measured.
const UNITS: [&str; 4] = [" ms", " µs", " s", "×"];

/// The text with such values replaced by what they are, and without white space at the ends of lines.
pub(super) fn apply(text: &str) -> String {
    let lines: Vec<String> = text
        .trim()
        .lines()
        .map(|line| MEMBERS.iter().fold(without_measurements(line.trim_end()), hide))
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

/// Puts `#` in place of each number before a unit, and of the spaces that align it one.
fn without_measurements(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, after) = from.split_at(end.unwrap_or(from.len()));
        let is_measured = UNITS.iter().any(|unit| {
            let behind = after.strip_prefix(unit);
            behind.is_some_and(|behind| !behind.starts_with(char::is_alphanumeric))
        });
        kept.push_str(before);
        if is_measured {
            let aligned = kept.len() - kept.trim_end_matches(' ').len();
            kept.truncate(kept.len() - aligned.saturating_sub(1));
        }
        kept.push_str(if is_measured { "#" } else { number });
        rest = after;
    }
    kept + rest
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
