//! What was measured, as a table of Markdown.

use super::{Placement, Row, Work};

/// A line of the table.
pub(super) fn line(row: &Row) -> String {
    let nodes: Vec<_> = row.node_micros.iter().map(|micros| format!("{micros:.1}")).collect();
    let shared = row
        .requests_per_statement
        .map_or("–".to_owned(), |shared| format!("{shared:.1}"));
    let work = match row.setup.work {
        Work::Get => "get",
        Work::Post => "post",
        Work::List => "list",
    };
    let nodes_used = match row.setup.placement {
        Placement::SameNode => "same",
        Placement::NodeEach => "one each",
    };
    let unshared = if row.setup.shares { "" } else { ", unshared" };
    format!(
        "| {work}{unshared} | {nodes_used} | {} × {} | {:.0} | {:.1} | {} | {shared} |",
        row.setup.instances,
        row.setup.connections,
        row.requests_per_second,
        row.product_micros,
        nodes.join(" / ")
    )
}

/// All of it.
pub(super) fn table(rows: &[Row]) -> String {
    let head = "| work | node | instances × connections | requests/s here | product µs/request | nodes µs/request | requests/statement |\n\
                | --- | --- | ---: | ---: | ---: | ---: | ---: |";
    let lines: Vec<_> = rows.iter().map(line).collect();
    format!("{head}\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaling::Setup;

    #[test]
    fn a_row_is_a_line_of_the_table() {
        let row = Row {
            setup: Setup {
                work: Work::Post,
                placement: Placement::NodeEach,
                instances: 2,
                connections: 48,
                shares: false,
            },
            requests_per_second: 1234.4,
            product_micros: 20.04,
            node_micros: vec![10.0, 11.0, 3.0],
            requests_per_statement: None,
        };
        let table = table(&[row]);
        assert!(
            table.ends_with("| post, unshared | one each | 2 × 48 | 1234 | 20.0 | 10.0 / 11.0 / 3.0 | – |"),
            "{table}"
        );
    }
}
