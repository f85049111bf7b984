//! The profiles: kernels for a purpose.

use super::BuildError;
use super::fragment::Settings;

/// A kernel for a purpose: configuration fragments over `allnoconfig`.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Its name, which is also the alias of what is built from it.
    pub name: &'static str,
    /// What it is for, in a line.
    pub purpose: &'static str,
    /// The fragments: name and text, in order.
    fragments: &'static [(&'static str, &'static str)],
}

/// A fragment of this source tree, by its file name.
macro_rules! fragment {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../kernel/", $name)))
    };
}

/// All profiles.
pub const PROFILES: [Profile; 3] = [
    Profile {
        name: "fast",
        purpose: "boots quickest; Rust, no debugging",
        fragments: &[fragment!("base.config"), fragment!("rust.config")],
    },
    Profile {
        name: "debug",
        purpose: "lockdep, memory and hang debugging, fault injection, LKDTM, KUnit, Rust, DWARF and BTF",
        fragments: &[
            fragment!("base.config"),
            fragment!("rust.config"),
            fragment!("debug.config"),
            fragment!("kunit.config"),
            fragment!("debuginfo.config"),
        ],
    },
    Profile {
        name: "kvmhost",
        purpose: "the outer kernel of nested tests: KVM for an emulated AMD CPU",
        fragments: &[fragment!("base.config"), fragment!("kvmhost.config")],
    },
];

impl Profile {
    /// The profile called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// What it requests. The release's suffix is part of that: it tells the kernels' modules apart.
    pub(super) fn settings(&self) -> Result<Settings, BuildError> {
        let mut settings = Settings::default();
        for (name, text) in self.fragments {
            settings.add(name, text)?;
        }
        let suffix = format!("CONFIG_LOCALVERSION=\"-kharness-{}\"\n", self.name);
        settings.add("the profile's name", &suffix)?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_s_fragments_can_be_read() {
        for profile in PROFILES {
            let settings = profile.settings().unwrap_or_else(|e| panic!("{}: {e}", profile.name));
            assert!(settings.wants("MODULES"), "{}", profile.name);
        }
    }

    #[test]
    fn rust_kernels_keep_the_statistics_without_which_bindgen_errs() {
        for profile in PROFILES {
            let settings = profile.settings().unwrap();
            assert!(!settings.wants("RUST") || settings.wants("SCHEDSTATS"), "{}", profile.name);
        }
    }

    #[test]
    fn profiles_are_found_by_name() {
        assert!(Profile::named("debug").unwrap().settings().unwrap().wants("PROVE_LOCKING"));
        assert!(Profile::named("nonesuch").is_none());
    }
}
