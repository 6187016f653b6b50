//! What no two runs of an example have in common: how long things took.

/// Units of time, and `×` for how many times as long. Between a number and a unit stands a space, but not before `×`.
const UNITS: &[&str] = &[" ms", " µs", " s", "×"];

/// The text with `#` for every number that a unit follows: `  12.3 ms` becomes ` # ms`, and `4.1×` becomes `#×`.
///
/// Spaces in front of such a number go too, all but one: they are there to align it.
pub(crate) fn masked(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let (number, after) = number.split_at(length_of_number(number));
        shown.push_str(before);
        // Digits at the end of a word, as in `utf8`, are no number.
        let is_word = before.ends_with(|character: char| character.is_alphanumeric() || character == '_');
        if !is_word && has_unit(after) {
            let aligned = shown.len() - shown.trim_end_matches(' ').len();
            shown.truncate(shown.len() - aligned.saturating_sub(1));
            shown.push('#');
        } else {
            shown.push_str(number);
        }
        rest = after;
    }
    shown + rest
}

/// The digits at the beginning, with a fraction if there is one.
fn length_of_number(text: &str) -> usize {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
    let whole = digits(text);
    let fraction = text
        .get(whole..)
        .and_then(|rest| rest.strip_prefix('.'))
        .map_or(0, digits);
    if fraction == 0 { whole } else { whole + 1 + fraction }
}

/// Whether a unit follows, and not a word that begins like one: `3 s` is a time, `3 sessions` are not.
fn has_unit(text: &str) -> bool {
    UNITS
        .iter()
        .filter_map(|unit| text.strip_prefix(unit))
        .any(|rest| !rest.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn numbers_with_units_are_masked() {
        assert_eq!(masked("took 12.3 ms, 4 µs or 1 s."), "took # ms, # µs or # s.");
        assert_eq!(masked("4.1× as long, (12×)\n"), "#× as long, (#×)\n");
        assert_eq!(masked("12 ms"), "# ms");
    }

    #[test]
    fn spaces_that_align_a_number_do_not_count() {
        assert_eq!(masked("one:    9.8 ms\nfive: 10.2 ms\n"), "one: # ms\nfive: # ms\n");
    }

    #[test]
    fn all_other_numbers_stay() {
        for text in [
            "5 users",
            "3 sessions",
            "2 seconds",
            "id 7, page 1.",
            "utf8 s",
            "5ms",
            "1.2.3",
            "12 %",
            "2 × 3",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn texts_that_differ_in_times_alone_are_equal_once_masked() {
        let one = "five one after the other: 512 ms\nfive at once:             103 ms (5.0×)\n";
        let other = "five one after the other: 2048.1 ms\nfive at once:             99.9 ms (20×)\n";
        assert_eq!(masked(one), masked(other));
        assert_ne!(masked(one), masked("four at once: 103 ms\n"));
    }
}
