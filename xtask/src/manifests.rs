//! What `cargo metadata` does not show of a `Cargo.toml`: a part of `cargo xtask layers`.

/// What the text of a `Cargo.toml` lacks: the lints of the workspace, and versions that stand in one place only.
///
/// It reads lines, not TOML in full: enough for manifests that are written one dependency a line. A crate that names itself,
/// by its path, has no version to give.
pub(crate) fn faults(name: &str, manifest: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut section = String::new();
    let mut has_lints = false;
    let mut open_brackets = 0_usize;
    // A dependency with a section of its own, until its `workspace = true` has been seen.
    let mut pending: Option<String> = None;
    for line in manifest
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
    {
        if open_brackets == 0 && line.starts_with('[') {
            faults.extend(pending.take());
            line.trim_matches(['[', ']']).clone_into(&mut section);
            pending = own_section(&section).map(|dependency| not_from_workspace(name, dependency));
            continue;
        }
        let is_key = open_brackets == 0 && !line.is_empty();
        open_brackets = (open_brackets + line.matches('[').count()).saturating_sub(line.matches(']').count());
        if !is_key {
            continue;
        }
        let compact: String = line.split_whitespace().collect();
        if section == "lints" && compact == "workspace=true" {
            has_lints = true;
        }
        if compact == "workspace=true" {
            pending = None;
        }
        if section.ends_with("dependencies") {
            let key = compact.split(['=', '.']).next().unwrap_or_default();
            let from_workspace = compact.starts_with(&format!("{key}.workspace=true"))
                || compact.contains("{workspace=true")
                || compact.contains(",workspace=true");
            if !from_workspace && key != name {
                faults.push(not_from_workspace(name, key));
            }
        }
    }
    faults.extend(pending);
    if !has_lints {
        faults.push(format!(
            "{name}: its Cargo.toml lacks `[lints]` with `workspace = true`"
        ));
    }
    faults
}

/// The dependency whose section this is: `dependencies.serde` or `target.'cfg(unix)'.dependencies.libc`.
fn own_section(section: &str) -> Option<&str> {
    section.rsplit_once("dependencies.").map(|(_, dependency)| dependency)
}

fn not_from_workspace(name: &str, dependency: &str) -> String {
    format!(
        "{name} → {dependency}: write `{dependency}.workspace = true`; versions stand once, in [workspace.dependencies]"
    )
}

#[cfg(test)]
mod tests {
    use super::faults;

    #[test]
    fn a_manifest_without_the_workspace_lints_is_refused() {
        assert_eq!(
            faults("x", "[package]\nname = \"x\"\n"),
            ["x: its Cargo.toml lacks `[lints]` with `workspace = true`"]
        );
    }

    #[test]
    fn a_version_outside_the_workspace_is_refused_in_every_notation() {
        let manifest = r#"
            [lints]
            workspace = true
            [dependencies]
            good.workspace = true # as it should be
            fine = { features = ["a"], workspace = true }
            long = { workspace = true, features = [
                "b",
            ] }
            bad = "1.0"
            worse = { version = "1.0" }
            [dev-dependencies]
            x = { path = ".", features = ["test-support"] }
            [dev-dependencies.own]
            workspace = true
            [target.'cfg(unix)'.dependencies.wrong]
            version = "1.0"
        "#;
        let faults = faults("x", manifest);
        let named: Vec<&str> = faults
            .iter()
            .filter_map(|fault| fault.split(['→', ':']).nth(1))
            .map(str::trim)
            .collect();
        assert_eq!(named, ["bad", "worse", "wrong"]);
    }
}
