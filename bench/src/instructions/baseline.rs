//! The kept counts, `docs/benchmarks/instructions.json`, and what new ones are held against them.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{Counts, Path};

/// The form of the file. A program that meets another one refuses it.
const FORMAT: u32 = 1;
/// How far a count may lie from the baseline, in percent of it.
pub(super) const TOLERANCE_PERCENT: u128 = 10;

/// Counts, and what they are counts of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Baseline {
    format: u32,
    product_version: String,
    pub(super) toolchain: Toolchain,
    pub(super) instructions_per_request: Counts,
}

/// What a count depends on besides the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Toolchain {
    pub(super) rustc: String,
    pub(super) architecture: String,
    pub(super) valgrind: String,
}

impl Toolchain {
    /// What of it rules a comparison out, in words; nothing if they can be compared.
    fn differences(&self, now: &Self) -> Vec<String> {
        let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
        let mut differences = Vec::new();
        for (what, kept, now, is_same) in [
            ("rustc", &self.rustc, &now.rustc, self.rustc == now.rustc),
            (
                "the architecture",
                &self.architecture,
                &now.architecture,
                self.architecture == now.architecture,
            ),
            (
                "valgrind",
                &self.valgrind,
                &now.valgrind,
                major(&self.valgrind) == major(&now.valgrind),
            ),
        ] {
            if !is_same {
                differences.push(format!("{what} was {kept} and is {now}"));
            }
        }
        differences
    }
}

impl Baseline {
    /// These counts.
    pub(super) fn new(product_version: String, toolchain: Toolchain, instructions_per_request: Counts) -> Self {
        Self {
            format: FORMAT,
            product_version,
            toolchain,
            instructions_per_request,
        }
    }

    /// The kept one; nothing if there is no file.
    ///
    /// # Errors
    /// When the file cannot be read or is of another form.
    pub(super) fn read(file: &std::path::Path) -> Result<Option<Self>> {
        if !file.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let advice = || {
            let file = file.display();
            format!("{file} is of another form; delete it and count again with `cargo xtask instructions --save`")
        };
        let baseline: Self = serde_json::from_str(&text).with_context(advice)?;
        ensure!(baseline.format == FORMAT, advice());
        Ok(Some(baseline))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write(&self, file: &std::path::Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// What comes of new counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// There is nothing to hold them against.
    NoBaseline,
    /// They cannot be held against it, for these reasons.
    OtherToolchain(Vec<String>),
    /// Path by path.
    Compared(BTreeMap<Path, Verdict>),
}

/// What comes of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As far from the baseline as allowed, or nearer.
    Steady,
    /// It takes more than allowed.
    Regressed,
    /// It takes so much less that a regression would hide behind the old baseline.
    Improved,
    /// The baseline does not know this path.
    Unknown,
}

impl Comparison {
    /// That of counts with the kept ones.
    pub(super) fn of(kept: Option<&Baseline>, now: &Baseline) -> Self {
        let Some(kept) = kept else {
            return Self::NoBaseline;
        };
        let differences = kept.toolchain.differences(&now.toolchain);
        if !differences.is_empty() {
            return Self::OtherToolchain(differences);
        }
        let judge = |(path, count): (&Path, &u64)| {
            let kept = kept.instructions_per_request.get(path).copied();
            (*path, Verdict::of(kept, *count))
        };
        Self::Compared(now.instructions_per_request.iter().map(judge).collect())
    }

    /// Whether a check fails: no baseline, or a path that takes too much or is not in it.
    pub(super) fn fails(&self) -> bool {
        match self {
            Self::NoBaseline => true,
            Self::OtherToolchain(_) => false,
            Self::Compared(verdicts) => verdicts
                .values()
                .any(|verdict| matches!(verdict, Verdict::Regressed | Verdict::Unknown)),
        }
    }
}

impl Verdict {
    fn of(kept: Option<u64>, now: u64) -> Self {
        let Some(kept) = kept else {
            return Self::Unknown;
        };
        // Whole numbers, so that a count exactly on the limit lies on the right side of it.
        let (now, kept) = (u128::from(now) * 100, u128::from(kept));
        if now > kept * (100 + TOLERANCE_PERCENT) {
            Self::Regressed
        } else if now < kept * (100 - TOLERANCE_PERCENT) {
            Self::Improved
        } else {
            Self::Steady
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Counts of a get alone.
    pub(in crate::instructions) fn get_of(count: u64) -> Baseline {
        let toolchain = Toolchain {
            rustc: "1.95.0".to_owned(),
            architecture: "x86_64".to_owned(),
            valgrind: "3.19.0".to_owned(),
        };
        Baseline::new("0.1.0".to_owned(), toolchain, [(Path::Get, count)].into())
    }

    fn verdict(kept: u64, now: u64) -> Verdict {
        Verdict::of(Some(kept), now)
    }

    #[test]
    fn ten_percent_more_pass_and_an_instruction_beyond_fails() {
        assert_eq!(verdict(200_000, 220_000), Verdict::Steady);
        assert_eq!(verdict(200_000, 220_001), Verdict::Regressed);
        assert!(!Comparison::of(Some(&get_of(200_000)), &get_of(220_000)).fails());
        assert!(Comparison::of(Some(&get_of(200_000)), &get_of(220_001)).fails());
    }

    #[test]
    fn more_than_ten_percent_less_are_an_improvement_that_does_not_fail() {
        assert_eq!(verdict(200_000, 180_000), Verdict::Steady);
        assert_eq!(verdict(200_000, 179_999), Verdict::Improved);
        assert!(!Comparison::of(Some(&get_of(200_000)), &get_of(100_000)).fails());
    }

    #[test]
    fn without_a_baseline_or_a_path_in_it_a_check_fails() {
        assert_eq!(Comparison::of(None, &get_of(1)), Comparison::NoBaseline);
        assert!(Comparison::NoBaseline.fails());
        let mut empty = get_of(1);
        empty.instructions_per_request.clear();
        let comparison = Comparison::of(Some(&empty), &get_of(1));
        assert_eq!(comparison, Comparison::Compared([(Path::Get, Verdict::Unknown)].into()));
        assert!(comparison.fails());
    }

    #[test]
    fn counts_of_another_compiler_architecture_or_generation_of_valgrind_are_not_compared() {
        let changes: [fn(&mut Toolchain); 3] = [
            |toolchain| toolchain.rustc = "1.96.0".to_owned(),
            |toolchain| toolchain.architecture = "aarch64".to_owned(),
            |toolchain| toolchain.valgrind = "4.0.0".to_owned(),
        ];
        for change in changes {
            let mut now = get_of(900_000);
            change(&mut now.toolchain);
            let comparison = Comparison::of(Some(&get_of(200_000)), &now);
            assert!(
                matches!(&comparison, Comparison::OtherToolchain(reasons) if reasons.len() == 1),
                "{comparison:?}"
            );
            assert!(!comparison.fails());
        }
    }

    #[test]
    fn another_release_of_the_same_generation_of_valgrind_is_compared() {
        let mut now = get_of(200_000);
        now.toolchain.valgrind = "3.24.0".to_owned();
        let comparison = Comparison::of(Some(&get_of(200_000)), &now);
        assert_eq!(comparison, Comparison::Compared([(Path::Get, Verdict::Steady)].into()));
    }

    #[test]
    fn what_was_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("instructions.json");
        assert_eq!(Baseline::read(&file).unwrap(), None);
        get_of(288_549).write(&file).unwrap();
        assert_eq!(Baseline::read(&file).unwrap(), Some(get_of(288_549)));

        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
        let error = Baseline::read(&file).unwrap_err();
        assert!(error.to_string().contains("cargo xtask instructions --save"), "{error}");
    }
}
