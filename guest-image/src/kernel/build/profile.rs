//! The profiles: kernels for a purpose.

use super::super::Arch;
use super::BuildError;
use super::fragment::Settings;

/// A kernel for a purpose: configuration fragments over `allnoconfig`.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Its name, which is also the alias of what is built from it.
    pub name: &'static str,
    /// What it is for, in a line.
    pub purpose: &'static str,
    /// Steps of a build of Linux 7.3, as was measured: what a first build's progress goes by.
    pub(super) steps: u64,
    /// The fragments, in order.
    fragments: &'static [Fragment],
}

/// A part of a profile.
#[derive(Debug, Clone, Copy)]
struct Fragment {
    /// The architecture that has these symbols; all, where there is none.
    only: Option<Arch>,
    name: &'static str,
    text: &'static str,
}

/// A fragment of this source tree, by its file name.
macro_rules! fragment {
    ($name:literal) => {
        fragment!($name, None)
    };
    ($name:literal, $only:expr) => {
        Fragment {
            only: $only,
            name: $name,
            text: include_str!(concat!("../../../kernel/", $name)),
        }
    };
}

/// What every profile starts with.
const BASE: [Fragment; 3] = [
    fragment!("base.config"),
    fragment!("x86_64.config", Some(Arch::X86_64)),
    fragment!("aarch64.config", Some(Arch::Aarch64)),
];

/// Profiles that only x86-64 has.
const ONLY_X86: [&str; 1] = ["kvmhost"];

/// All profiles.
pub const PROFILES: [Profile; 5] = [
    Profile {
        name: "fast",
        purpose: "boots quickest; Rust, no debugging",
        steps: 1830,
        fragments: &[fragment!("rust.config")],
    },
    Profile {
        name: "debug",
        purpose: "lockdep, memory and hang debugging, fault injection, LKDTM, KUnit, Rust, DWARF and BTF",
        steps: 2000,
        fragments: &[
            fragment!("rust.config"),
            fragment!("debug.config"),
            fragment!("debug-x86_64.config", Some(Arch::X86_64)),
            fragment!("kunit.config"),
            fragment!("debuginfo.config"),
        ],
    },
    Profile {
        name: "kvmhost",
        purpose: "the outer kernel of nested tests: KVM for an emulated AMD CPU",
        steps: 1350,
        fragments: &[fragment!("kvmhost.config")],
    },
    Profile {
        name: "kasan",
        purpose: "KASAN, kmemleak, fault injection, LKDTM, KUnit, Rust; built by clang",
        steps: 1900,
        fragments: &[fragment!("rust.config"), fragment!("kasan.config")],
    },
    Profile {
        name: "kcsan",
        purpose: "KCSAN: data races in C code; KUnit, Rust",
        steps: 1850,
        fragments: &[fragment!("rust.config"), fragment!("kcsan.config")],
    },
];

impl Profile {
    /// The profile called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// What it requests on `arch`. The release's suffix is part of that: it tells the kernels' modules
    /// apart.
    pub(super) fn settings(&self, arch: Arch) -> Result<Settings, BuildError> {
        if arch != Arch::X86_64 && ONLY_X86.contains(&self.name) {
            return Err(BuildError::NotForArch { profile: self.name, arch });
        }
        let mut settings = Settings::default();
        let fragments = BASE.iter().chain(self.fragments);
        for part in fragments.filter(|part| part.only.is_none_or(|only| only == arch)) {
            settings.add(part.name, part.text)?;
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
            let settings =
                profile.settings(Arch::X86_64).unwrap_or_else(|e| panic!("{}: {e}", profile.name));
            assert!(settings.wants("MODULES"), "{}", profile.name);
        }
    }

    #[test]
    fn each_architecture_has_its_own_symbols_and_not_the_other_s() {
        let debug = Profile::named("debug").unwrap();
        let x86 = debug.settings(Arch::X86_64).unwrap();
        let arm = debug.settings(Arch::Aarch64).unwrap();
        assert!(x86.wants("PVH") && !x86.wants("BCM2835_WDT"));
        assert!(arm.wants("BCM2835_WDT") && !arm.wants("PVH"));
        assert!(x86.wants("PROVE_LOCKING") && arm.wants("PROVE_LOCKING"));
    }

    #[test]
    fn a_profile_that_an_architecture_lacks_says_so() {
        let error = Profile::named("kvmhost").unwrap().settings(Arch::Aarch64).unwrap_err();
        assert!(error.to_string().contains("kvmhost"), "{error}");
    }

    #[test]
    fn rust_kernels_keep_the_statistics_without_which_bindgen_errs() {
        for profile in PROFILES {
            let settings = profile.settings(Arch::X86_64).unwrap();
            assert!(!settings.wants("RUST") || settings.wants("SCHEDSTATS"), "{}", profile.name);
        }
    }

    #[test]
    fn profiles_are_found_by_name() {
        assert!(
            Profile::named("debug").unwrap().settings(Arch::X86_64).unwrap().wants("PROVE_LOCKING")
        );
        assert!(Profile::named("nonesuch").is_none());
    }
}
