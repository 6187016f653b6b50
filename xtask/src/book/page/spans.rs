//! What is code within a line, and the parts of a link.

/// The text with spaces instead of what stands in code spans, so that positions and lines stay as they are.
pub(super) fn without_code(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        let (before, from) = rest.split_at(start);
        let ticks = from.len() - from.trim_start_matches('`').len();
        let (fence, after) = from.split_at(ticks);
        kept.push_str(before);
        let Some(end) = closing(after, fence) else {
            kept.push_str(fence);
            rest = after;
            continue;
        };
        let (span, after) = from.split_at(ticks + end + ticks);
        kept.extend(span.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        rest = after;
    }
    kept + rest
}

/// Where the code span ends that `fence` began: at as many backticks, no more and no fewer.
fn closing(text: &str, fence: &str) -> Option<usize> {
    let mut position = 0;
    loop {
        let rest = text.get(position..)?;
        let start = position + rest.find('`')?;
        let ticks = text.get(start..)?;
        let ticks = ticks.len() - ticks.trim_start_matches('`').len();
        if ticks == fence.len() {
            return Some(start);
        }
        position = start + ticks;
    }
}

/// What a link leads to, from behind `](` to its `)`, without a title.
pub(super) fn destination(text: &str) -> Option<&str> {
    let mut depth = 1_usize;
    let end = text.find(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    text.get(..end)?.split_whitespace().next()
}

/// The `[` that belongs to the `]` at `end`.
pub(super) fn opening_bracket(text: &str, end: usize) -> Option<usize> {
    let mut depth = 1_usize;
    text.get(..end)?.rfind(|character| {
        match character {
            ']' => depth += 1,
            '[' => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}
