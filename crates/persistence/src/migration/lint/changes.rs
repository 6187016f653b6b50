//! What a statement does to tables that exist.

use std::collections::BTreeSet;

use super::{
    hazard::{Finding, Hazard},
    tokens::Token,
};
use crate::Engine;

/// What follows ADD and is no column.
const ADDED_CONSTRAINTS: [&str; 10] = [
    "CONSTRAINT",
    "UNIQUE",
    "PRIMARY",
    "FOREIGN",
    "CHECK",
    "INDEX",
    "KEY",
    "FULLTEXT",
    "SPATIAL",
    "EXCLUDE",
];
/// What follows ADD or DROP and is neither a column nor a constraint.
const OTHER_PARTS: [&str; 3] = ["PARTITION", "PERIOD", "SYSTEM"];
/// What may stand between CREATE and TABLE or INDEX.
const BEFORE_TABLE_OR_INDEX: [&str; 11] = [
    "OR",
    "REPLACE",
    "TEMP",
    "TEMPORARY",
    "UNLOGGED",
    "GLOBAL",
    "LOCAL",
    "VIRTUAL",
    "FULLTEXT",
    "SPATIAL",
    "ONLINE",
];
/// What gives a value to the rows of those who do not name a column.
const FILLED_BY_ITSELF: [&str; 8] = [
    "AUTO_INCREMENT",
    "GENERATED",
    "AS",
    "SERIAL",
    "BIGSERIAL",
    "SMALLSERIAL",
    "SERIAL4",
    "SERIAL8",
];

/// Reads the statements of a series of steps, one after the other.
pub(super) struct Changes {
    engine: Engine,
    /// The tables that the series has created. Nobody uses them yet.
    new_tables: BTreeSet<String>,
}

impl Changes {
    /// Before the first statement.
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            new_tables: BTreeSet::new(),
        }
    }

    /// What is hazardous in the next statement.
    pub(super) fn of(&mut self, statement: &[Token]) -> Vec<Finding> {
        let mut reader = Reader(statement);
        let mut findings = Vec::new();
        if reader.eat("CREATE") {
            self.create(&mut reader, &mut findings);
        } else if reader.eat("ALTER") {
            self.alter(&mut reader, &mut findings);
        } else if reader.eat("DROP") && reader.eat("TABLE") {
            reader.eat_all(&["IF", "EXISTS"]);
            for table in reader.list() {
                self.note(&mut findings, Hazard::DroppedTable, Reader(table).name(), None);
            }
        } else if reader.eat("RENAME") && reader.eat("TABLE") {
            for pair in reader.list() {
                let mut pair = Reader(pair);
                let (old, _, new) = (pair.name(), pair.eat("TO"), pair.name());
                self.rename_table(&mut findings, old, new);
            }
        }
        findings
    }

    fn create(&mut self, reader: &mut Reader<'_>, findings: &mut Vec<Finding>) {
        let mut is_unique = false;
        while let Some(Token::Word(word)) = reader.next() {
            match word.to_ascii_uppercase().as_str() {
                "UNIQUE" => is_unique = true,
                "INDEX" => return self.create_index(reader, is_unique, findings),
                "TABLE" => {
                    reader.eat_all(&["IF", "NOT", "EXISTS"]);
                    self.new_tables.extend(reader.name());
                    return;
                }
                word if BEFORE_TABLE_OR_INDEX.contains(&word) => {}
                _ => return,
            }
        }
    }

    fn create_index(&self, reader: &mut Reader<'_>, is_unique: bool, findings: &mut Vec<Finding>) {
        let is_concurrent = reader.eat("CONCURRENTLY");
        reader.eat_all(&["IF", "NOT", "EXISTS"]);
        while reader.0.first().is_some_and(|token| !token.is("ON")) {
            reader.next();
        }
        reader.eat("ON");
        reader.eat("ONLY");
        let table = reader.name();
        if is_unique {
            self.note(findings, Hazard::Unique, table.clone(), None);
        }
        if !self.engine.blocks_writers_while_indexing() {
        } else if is_concurrent {
            findings.push(Finding::of(Hazard::ConcurrentIndex, table.unwrap_or_default(), None));
        } else {
            self.note(findings, Hazard::BlockingIndex, table, None);
        }
    }

    fn alter(&mut self, reader: &mut Reader<'_>, findings: &mut Vec<Finding>) {
        // MariaDB: ALTER ONLINE IGNORE TABLE.
        reader.eat("ONLINE");
        reader.eat("IGNORE");
        if !reader.eat("TABLE") {
            return;
        }
        reader.eat_all(&["IF", "EXISTS"]);
        reader.eat("ONLY");
        let table = reader.name();
        reader.eat_sign('*');
        for action in reader.list() {
            self.action(table.as_ref(), Reader(action), findings);
        }
    }

    fn action(&mut self, table: Option<&String>, mut action: Reader<'_>, findings: &mut Vec<Finding>) {
        let table = table.cloned();
        let Some(Token::Word(verb)) = action.next() else {
            return;
        };
        match verb.to_ascii_uppercase().as_str() {
            "ADD" => self.add(table, action, findings),
            "DROP" => {
                let kept = ["INDEX", "KEY", "PRIMARY", "FOREIGN", "CONSTRAINT", "CHECK"];
                if !action.begins_with_any(&kept) && !action.begins_with_any(&OTHER_PARTS) {
                    action.eat("COLUMN");
                    action.eat_all(&["IF", "EXISTS"]);
                    self.note(findings, Hazard::DroppedColumn, table, action.name());
                }
            }
            "RENAME" => self.rename(table, action, findings),
            "CHANGE" | "MODIFY" => {
                action.eat("COLUMN");
                action.eat_all(&["IF", "EXISTS"]);
                let column = action.name();
                if verb.eq_ignore_ascii_case("CHANGE") && action.name() != column {
                    self.note(findings, Hazard::RenamedColumn, table.clone(), column.clone());
                }
                if action.has(&["NOT", "NULL"]) {
                    self.note(findings, Hazard::NotNull, table.clone(), column.clone());
                }
                self.note(findings, Hazard::ColumnType, table, column);
            }
            "ALTER" => {
                action.eat("COLUMN");
                action.eat_all(&["IF", "EXISTS"]);
                let column = action.name();
                if action.eat_all(&["SET", "NOT", "NULL"]) {
                    self.note(findings, Hazard::NotNull, table, column);
                } else if action.eat("TYPE") || action.eat_all(&["SET", "DATA", "TYPE"]) {
                    self.note(findings, Hazard::ColumnType, table, column);
                } else if action.eat_all(&["DROP", "DEFAULT"]) {
                    self.note(findings, Hazard::DroppedDefault, table, column);
                }
            }
            "CONVERT" => self.note(findings, Hazard::ColumnType, table, None),
            "SET" if action.eat("SCHEMA") => self.note(findings, Hazard::RenamedTable, table, None),
            _ => {}
        }
    }

    fn add(&self, table: Option<String>, mut action: Reader<'_>, findings: &mut Vec<Finding>) {
        if action.begins_with_any(&OTHER_PARTS) {
            return;
        }
        if action.begins_with_any(&ADDED_CONSTRAINTS) {
            // The first of these words is the kind: what follows names columns and expressions.
            let kind = action.0.iter().find_map(|token| match token {
                token if token.is("UNIQUE") || token.is("PRIMARY") || token.is("EXCLUDE") => Some(Hazard::Unique),
                token if token.is("FOREIGN") => Some(Hazard::ForeignKey),
                token if token.is("CHECK") => Some(Hazard::Check),
                _ => None,
            });
            // PostgreSQL makes a constraint of a unique index that is there already.
            let rests_on_an_index = action.has(&["USING", "INDEX"]) && !action.begins_with_any(&["EXCLUDE"]);
            if let Some(kind) = kind.filter(|kind| *kind != Hazard::Unique || !rests_on_an_index) {
                self.note(findings, kind, table, None);
            }
            return;
        }
        action.eat("COLUMN");
        action.eat_all(&["IF", "NOT", "EXISTS"]);
        // MySQL adds several as `ADD (a …, b …)`.
        let columns = if action.eat_sign('(') {
            action.list()
        } else {
            vec![action.0]
        };
        for column in columns {
            // What stands in parentheses is an expression, whose words say nothing of the column.
            let column = outside_parentheses(column);
            let mut column = Reader(&column);
            let name = column.name();
            let is_required = column.has(&["NOT", "NULL"]) || column.has(&["PRIMARY", "KEY"]);
            if is_required && !column.has_default() && !FILLED_BY_ITSELF.iter().any(|word| column.has(&[word])) {
                self.note(findings, Hazard::RequiredColumn, table.clone(), name.clone());
            }
            if column.has(&["UNIQUE"]) {
                self.note(findings, Hazard::Unique, table.clone(), name.clone());
            }
            if column.has(&["REFERENCES"]) {
                self.note(findings, Hazard::ForeignKey, table.clone(), name);
            }
        }
    }

    fn rename(&mut self, table: Option<String>, mut action: Reader<'_>, findings: &mut Vec<Finding>) {
        if action.begins_with_any(&["INDEX", "KEY", "CONSTRAINT"]) {
            return;
        }
        if action.eat("COLUMN") {
            return self.note(findings, Hazard::RenamedColumn, table, action.name());
        }
        let _ = action.eat("TO") || action.eat("AS") || action.eat_sign('=');
        let name = action.name();
        // PostgreSQL and SQLite: RENAME a TO b, for a column.
        if action.eat("TO") {
            self.note(findings, Hazard::RenamedColumn, table, name);
        } else {
            self.rename_table(findings, table, name);
        }
    }

    fn rename_table(&mut self, findings: &mut Vec<Finding>, old: Option<String>, new: Option<String>) {
        if old.as_ref().is_some_and(|old| self.new_tables.contains(old)) {
            self.new_tables.extend(new);
        } else {
            self.note(findings, Hazard::RenamedTable, old, None);
        }
    }

    /// Notes a hazard unless the table is new.
    fn note(&self, findings: &mut Vec<Finding>, hazard: Hazard, table: Option<String>, column: Option<String>) {
        let table = table.unwrap_or_default();
        if !self.new_tables.contains(&table) {
            findings.push(Finding::of(hazard, table, column));
        }
    }
}

/// The rest of a statement.
struct Reader<'a>(&'a [Token]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn eat(&mut self, keyword: &str) -> bool {
        self.eat_all(&[keyword])
    }

    /// Goes past these keywords if they come next, all of them.
    fn eat_all(&mut self, keywords: &[&str]) -> bool {
        let come_next = starts_with(self.0, keywords);
        if come_next {
            self.0 = self.0.get(keywords.len()..).unwrap_or_default();
        }
        come_next
    }

    fn eat_sign(&mut self, sign: char) -> bool {
        let comes_next = self.0.first().is_some_and(|token| token.is_sign(sign));
        if comes_next {
            self.next();
        }
        comes_next
    }

    fn begins_with_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| starts_with(self.0, &[keyword]))
    }

    /// Whether these keywords stand somewhere, one after the other.
    fn has(&self, keywords: &[&str]) -> bool {
        self.0
            .windows(keywords.len())
            .any(|window| starts_with(window, keywords))
    }

    /// Whether a column is given a value by DEFAULT. NULL is none, and ON DELETE SET DEFAULT says nothing of it.
    fn has_default(&self) -> bool {
        let mut rest = self.0;
        while let Some((first, others)) = rest.split_first() {
            // SET alone is also a type of MySQL.
            let is_action = ["DELETE", "UPDATE"]
                .iter()
                .any(|on| starts_with(rest, &[on, "SET", "DEFAULT"]));
            if is_action {
                rest = rest.get(3..).unwrap_or_default();
                continue;
            }
            if first.is("DEFAULT") && !starts_with(others, &["NULL"]) {
                return true;
            }
            rest = others;
        }
        false
    }

    /// The name that comes next, without the schema in front of it. Small letters, as engines that fold case do.
    fn name(&mut self) -> Option<String> {
        let mut name = None;
        loop {
            let (Token::Word(part) | Token::Name(part)) = self.0.first()? else {
                return name;
            };
            name = Some(part.to_lowercase());
            self.next();
            if !self.eat_sign('.') {
                return name;
            }
        }
    }

    /// What commas separate, up to the end or to the parenthesis that closes the list.
    fn list(&self) -> Vec<&'a [Token]> {
        let (mut depth, mut start) = (0_i32, 0);
        let mut parts = Vec::new();
        let mut end = self.0.len();
        for (index, token) in self.0.iter().enumerate() {
            if token.is_sign('(') {
                depth += 1;
            } else if token.is_sign(')') {
                depth -= 1;
            }
            if depth < 0 {
                end = index;
                break;
            }
            if depth == 0 && token.is_sign(',') {
                parts.extend(self.0.get(start..index));
                start = index + 1;
            }
        }
        parts.extend(self.0.get(start..end));
        parts
    }
}

/// The tokens that stand in no parentheses.
fn outside_parentheses(tokens: &[Token]) -> Vec<Token> {
    let mut depth = 0_usize;
    let mut outside = Vec::new();
    for token in tokens {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            _ if depth == 0 => outside.push(token.clone()),
            _ => {}
        }
    }
    outside
}

fn starts_with(tokens: &[Token], keywords: &[&str]) -> bool {
    tokens.len() >= keywords.len() && tokens.iter().zip(keywords).all(|(token, keyword)| token.is(keyword))
}
